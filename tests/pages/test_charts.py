"""Where the pieces of a chart go."""

import pytest

from receivers.pages.charts import BOTTOM, HEIGHT, LEFT, THINNEST, TOP, WIDTH, Column, ceiling, stacked


@pytest.mark.parametrize(
    ("most", "end"), [(0, 2), (1, 2), (2, 2), (3, 5), (5, 5), (6, 10), (99, 100), (101, 200), (4_999, 5_000)]
)
def test_a_scale_ends_at_a_round_number(most: int, end: int) -> None:
    assert ceiling(most) == end


def test_pieces_are_stacked_from_the_bottom_in_the_order_of_the_series() -> None:
    columns = [Column(label="a", says="", counts={"good": 30, "bad": 20}), Column(label="", says="", counts={})]
    chart = stacked(columns, series=("good", "none", "bad"))
    full, empty = chart.stacks
    good, bad = full.pieces
    assert (good.series, bad.series, empty.pieces) == ("good", "bad", [])
    assert good.y + good.height == HEIGHT - BOTTOM
    assert bad.y + bad.height == good.y
    assert bad.y == TOP
    assert good.height / bad.height == pytest.approx(1.5)
    assert (full.x, empty.x + empty.width) == (LEFT, WIDTH)
    assert [line.label for line in chart.lines] == ["0", "25", "50"]


def test_one_among_thousands_is_seen() -> None:
    [stack] = stacked([Column(label="", says="", counts={"good": 5_000, "bad": 1})], series=("good", "bad")).stacks
    assert stack.pieces[1].height == THINNEST


def test_nothing_is_a_chart_too() -> None:
    assert stacked([], series=("good",)).stacks == []


def test_every_other_label_has_no_room_on_a_narrow_page() -> None:
    columns = [Column(label=label, says="", counts={}) for label in ("a", "", "b", "", "c")]
    stacks = stacked(columns, series=()).stacks
    assert [stack.label for stack in stacks if stack.is_minor] == ["b"]
