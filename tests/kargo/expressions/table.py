"""Writes vectors/expressions.jsonl anew: ``python -m tests.kargo.expressions.table``, with Go."""

import json
import tempfile
from pathlib import Path

from tests.kargo.expressions import answers
from tests.kargo.expressions.grammar import Grammar

RULES = Path(__file__).parent / "rules.txt"
_TABLE = Path(__file__).parent.parent / "vectors/expressions.jsonl"
_DRAWN = 4_000
_SEED = 14
_LONGEST = 600  # characters of a row


def rules() -> list[str]:
    """Expressions that somebody thought of."""
    return RULES.read_text(encoding="utf-8").split("\n")[:-1]


def main() -> None:
    grammar = Grammar(_SEED)
    sources = list(dict.fromkeys([*rules(), *(grammar.expression() for _ in range(_DRAWN))]))
    with tempfile.TemporaryDirectory() as folder:
        found = answers.go(answers.build(Path(folder)), sources)
    lines = [json.dumps(row, ensure_ascii=False) for row in zip(sources, found, strict=True)]
    _TABLE.write_text("".join(f"{line}\n" for line in lines if len(line) <= _LONGEST), encoding="utf-8")


if __name__ == "__main__":
    main()
