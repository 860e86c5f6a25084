"""Loops from the end."""

import pytest

from receivers.kargo.expressions import Refused, compile  # noqa: A004
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize(
    "source",
    [
        "1 == findLast([1], true)",
        "[0, last(filter([1], true))]",
        "{a: filter([1], true)[-1]}",
        "get([1], findLastIndex([1], true))",
        "[1][findLastIndex([1], true)]",
        "[1][findLastIndex([1], true):]",
        "map([1], findLast([1], true))",
        "request.header('a', findLast([1], true))",
        "findLast(a, true).f(1)",
    ],
)
def test_a_loop_from_the_end_is_refused_where_expr_mistakes_its_result(source: str) -> None:
    with pytest.raises(Refused, match="findLast"):
        compile(source)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("findLast(1..3, # < 3) == 2", True),
        ("true and findLast(1..3, # < 3) == 2", True),
        ("last(filter(1..3, # < 3)) + 1", 3),
        ("[findLast(1..3, true)]", [3]),
        ("any(1..3, findLastIndex(1..2, true) == 1)", True),
        ("let x = findLast(1..3, true); [0, x]", [0, 3]),
        ("string(findLast(1..3, true))", "3"),
        ("nil ?? findLast(1..3, true)", 3),
        ("(findLast(request.body.events, .ok) ?? {}).type", "push"),
    ],
)
def test_it_is_had_elsewhere(source: str, wanted: object) -> None:
    assert value(source) == wanted
