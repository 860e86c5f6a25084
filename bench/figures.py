"""What a benchmark found, and how it is shown: a table for the terminal, and one for the page."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEADINGS = ("", "figure", "aim", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    value: str
    aim: str = ""
    met: bool | None = None  # None: there is no aim

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: ""}[self.met]


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one benchmark found."""

    title: str
    figures: Sequence[Figure]


def table(chapters: Sequence[Chapter]) -> str:
    """For the terminal."""
    rows = [(figure.what, figure.value, figure.aim, figure.verdict) for each in chapters for figure in each.figures]
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]
    lines = [_aligned(HEADINGS, widths)]
    for chapter in chapters:
        lines += ["", chapter.title]
        lines += [_aligned((each.what, each.value, each.aim, each.verdict), widths) for each in chapter.figures]
    return "\n".join(lines)


def markdown(chapters: Sequence[Chapter]) -> str:
    """For the page."""
    parts = []
    for chapter in chapters:
        rows = [f"| {each.what} | {each.value} | {each.aim} | {each.verdict} |" for each in chapter.figures]
        parts.append("\n".join([f"### {chapter.title}", "", "| | figure | aim | |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def milliseconds(seconds: float) -> str:
    """``12 ms``, with a decimal where it tells something."""
    value = seconds * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: Sequence[float], unit: str) -> str:
    """The median, and what lies farthest from it."""
    return f"{median(values):.0f} {unit} ({min(values):.0f} to {max(values):.0f})"


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
