"""Equality and order."""

import pytest

from receivers.kargo.effort import TooMuch
from receivers.kargo.expressions import ExpressionError, Refused
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("'a' in groupBy(['a'], #)", True),
        ("1.0 in groupBy([1], #)", False),
        ("request.body.missing in groupBy([request.body.nothing], #)", True),
        ("request.body.nothing in unknown", False),
        ("{a: [1]} == {a: [1.0]}", False),
        ("[{a: 1}, [2]] == [{a: 1}, [2.0]]", True),
        ("sort([2, 1.5, 1])", [1, 1.5, 2]),
        ("map(sortBy(1..20, -#), #)[0]", 20),
    ],
)
def test_values_compare_as_in_go(source: str, wanted: object) -> None:
    assert value(source) == wanted


@pytest.mark.parametrize("source", ["sort([1, 0.0 / request.body.zero])", "sortBy(1..13, # % 2)"])
def test_an_order_that_only_go_s_sorting_tells_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        value(source)


def test_up_to_twelve_items_that_are_equal_stay_in_their_order() -> None:
    assert value("sortBy(1..12, # % 2)") == [2, 4, 6, 8, 10, 12, 1, 3, 5, 7, 9, 11]
    assert value("sortBy(1..4, # % 2, 'desc')") == [1, 3, 2, 4]


def test_what_has_no_order_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="cannot be put in order"):
        value("sort([1, 'a'])")


def test_comparing_costs_effort() -> None:
    with pytest.raises(TooMuch):
        value("uniq(1..200)")
