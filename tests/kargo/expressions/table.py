"""Writes the tables of expressions and templates anew: ``python -m tests.kargo.expressions.table``, with Go."""

import json
import tempfile
from pathlib import Path

from tests.kargo.expressions import answers
from tests.kargo.expressions.grammar import Grammar
from tests.kargo.expressions.literals import Literals

_FOLDER = Path(__file__).parent
_VECTORS = _FOLDER.parent / "vectors"
_DRAWN = 3_000  # of either kind
_SEED = 14
_LONGEST = 600  # characters of a row


def main() -> None:
    grammar, literals = Grammar(_SEED), Literals(_SEED)
    drawn = [draw() for _ in range(_DRAWN) for draw in (grammar.expression, literals.expression)]
    with tempfile.TemporaryDirectory() as folder:
        program = answers.build(Path(folder))
        _write(program, "expressions", "expression", [*_thought_of("rules"), *drawn])
        _write(program, "templates", "template", _thought_of("templates"))


def _thought_of(name: str) -> list[str]:
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1]


def _write(program: Path, name: str, kind: str, sources: list[str]) -> None:
    sources = list(dict.fromkeys(sources))
    found = zip(sources, answers.go(program, sources, kind), strict=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in found]
    text = "".join(f"{line}\n" for line in lines if len(line) <= _LONGEST)
    (_VECTORS / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
