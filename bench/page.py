"""A page of docs with figures: they are written anew, the text around them is kept."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.figures import Chapter, markdown
from bench.load import ROOT

PAGE, SCALE = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
BEGIN_SCALE = "<!-- figures: written by `python -m bench f g h` -->"


def write(
    chapters: Sequence[Chapter], machine: Sequence[str], *, now: datetime, page: Path = PAGE, begin: str = BEGIN
) -> None:
    """Put the figures between the page's two marks, ``begin`` and :data:`END`."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(END)
    facts = "\n".join(f"* {line}" for line in [f"measured on {now:%Y-%m-%d}", *machine])
    page.write_text(f"{before}{begin}\n\n{facts}\n\n{markdown(chapters)}\n\n{END}{after}", encoding="utf-8")
