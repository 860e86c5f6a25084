"""Stacked columns as SVG: where each piece goes. Pure; ``chart.svg`` draws it, and the stylesheet colours it.

A kind of piece is told by its place in the stack, its pattern and its name, and not by colour alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 240  # units of the drawing, which is as wide as the page and as tall as the stylesheet says
LEFT, TOP, BOTTOM = 46, 12, 30  # around the columns: numbers, a margin, times
GAP = 0.25  # of a column's place
THINNEST = 1.5  # units; a single delivery among thousands is seen
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column stands for. Series without a count may be left out."""

    label: str  # below it, "" for none
    says: str  # in words
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Stack:
    """A column as it is drawn: its place is ``x`` to ``x + width``, its label below the middle."""

    says: str
    label: str
    is_minor: bool  # the label has no room on a narrow page
    x: float
    width: float
    middle: float
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the scale."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of WIDTH by HEIGHT."""

    stacks: list[Stack]
    lines: list[Line]


def stacked(columns: Sequence[Column], *, series: Sequence[str]) -> Chart:
    """Columns from left to right, the first of the series at the bottom."""
    top = ceiling(max((sum(column.counts.values()) for column in columns), default=0))
    unit = (HEIGHT - TOP - BOTTOM) / top
    place = (WIDTH - LEFT) / max(1, len(columns))
    labelled = [position for position, column in enumerate(columns) if column.label]
    minor = set(labelled[1::2])
    stacks = [
        Stack(
            says=column.says,
            label=column.label,
            is_minor=position in minor,
            x=round(LEFT + position * place, 2),
            width=round(place, 2),
            middle=round(LEFT + (position + 0.5) * place, 2),
            pieces=_pieces(column, series, x=LEFT + (position + GAP / 2) * place, width=place * (1 - GAP), unit=unit),
        )
        for position, column in enumerate(columns)
    ]
    marks = sorted({0, top // 2 if top % 2 == 0 else 0, top})
    return Chart(stacks, [Line(round(HEIGHT - BOTTOM - mark * unit, 2), f"{mark:,}") for mark in marks])


def ceiling(most: int) -> int:
    """The end of a scale that holds ``most``: 1, 2 or 5 with zeros, 2 at least."""
    power = 1
    while True:
        for step in STEPS:
            if step * power >= max(2, most):
                return step * power
        power *= 10


def _pieces(column: Column, series: Sequence[str], *, x: float, width: float, unit: float) -> list[Piece]:
    pieces: list[Piece] = []
    y = float(HEIGHT - BOTTOM)
    for name in series:
        if count := column.counts.get(name, 0):
            height = max(THINNEST, count * unit)
            y -= height
            pieces.append(Piece(name, round(x, 2), round(y, 2), round(width, 2), round(height, 2)))
    return pieces


def across(units: float) -> str:
    """A width as a part of the drawing's, so that letters and patterns keep their size on a narrow page."""
    return f"{units / WIDTH:.3%}"


def down(units: float) -> str:
    """The same of its height."""
    return f"{units / HEIGHT:.3%}"
