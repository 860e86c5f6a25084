"""Draws the rooms of receivers/ and what each uses, from the imports, into docs/how-it-works.md.

    scripts/layers.py [--check] [FILE]      or `make layers`

With ``--check`` it changes nothing, and fails if the picture is another one.
"""

import argparse
import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
CODE = ROOT / "receivers"
PAGE = ROOT / "docs" / "how-it-works.md"
_PICTURE = re.compile(r"(?<=<!-- layers -->\n).*?(?=<!-- /layers -->)", re.DOTALL)

type Uses = Mapping[str, frozenset[str]]


def rooms() -> dict[str, str]:
    """The packages of receivers/ and what each is for: the first sentence of its docstring."""
    found = {}
    for file in sorted(CODE.glob("*/__init__.py")):
        told = ast.get_docstring(ast.parse(file.read_text())) or ""
        found[file.parent.name] = " ".join(told.partition("\n\n")[0].split())
    return found


def uses(names: frozenset[str]) -> Uses:
    """Which rooms the modules of each room import from; the composition root is left out."""
    graph = grimp.build_graph("receivers")
    found: dict[str, set[str]] = {name: set() for name in names}
    for module in graph.modules:
        importer = _room(module, names)
        for imported in graph.find_modules_directly_imported_by(module):
            room = _room(imported, names)
            if importer and room and importer != room:
                found[importer].add(room)
    return {name: frozenset(used) for name, used in found.items()}


def direct(of: Uses) -> Uses:
    """Without what is used by way of another room as well."""

    def below(name: str) -> frozenset[str]:
        return of[name].union(*(below(each) for each in of[name]))

    return {name: used - frozenset().union(*(below(each) for each in used)) for name, used in of.items()}


def picture() -> str:
    """The picture, from the top, and the rooms in its order."""
    purposes = rooms()
    below = direct(uses(frozenset(purposes)))
    order = _from_the_top(below)
    arrows = "".join(f"  {name} --> {' & '.join(sorted(below[name]))}\n" for name in order if below[name])
    lines = "".join(f"| `{name}/` | {purposes[name]} |\n" for name in order)
    return f"```mermaid\nflowchart TD\n{arrows}```\n\n| room | |\n|---|---|\n{lines}"


def _room(module: str, names: frozenset[str]) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in names else ""


def _from_the_top(below: Uses) -> list[str]:
    """Each room before those that it uses; of those that could come next the first by name."""
    order: list[str] = []
    while len(order) < len(below):
        left = sorted(set(below) - set(order))
        order.append(next(each for each in left if not any(each in below[other] for other in left)))
    return order


def main() -> int:
    """Exit code 1: another picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("file", nargs="?", type=Path, default=PAGE)
    arguments = parser.parse_args()
    before = arguments.file.read_text()
    drawn = picture()
    after = _PICTURE.sub(lambda _: drawn, before)
    if not _PICTURE.search(before) or (arguments.check and after != before):
        print(f"{arguments.file} does not show the rooms as the imports have them; run `make layers`", file=sys.stderr)
        return 1
    if not arguments.check:
        arguments.file.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
