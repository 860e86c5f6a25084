"""Functions that evaluate a predicate for each item."""

import pytest

from receivers.kargo.effort import TooMuch
from receivers.kargo.expressions import ExpressionError, Refused
from tests.kargo.expressions.answers import value


def test_an_item_is_that_of_the_innermost_predicate() -> None:
    assert value("map([[1, 2], [3]], map(#, # * 10))") == [[10, 20], [30]]
    assert value("map(1..2, [#, any([3], # == 3), #])") == [[1, True, 1], [2, True, 2]]


def test_each_item_costs_effort() -> None:
    with pytest.raises(TooMuch):
        value("all(1..9000, # > 0)")


def test_what_is_accumulated_is_known_in_reduce_only() -> None:
    """Within the arguments of what is not known nothing is checked before it runs."""
    with pytest.raises(Refused, match="#acc"):
        value("request.header(map([1], #acc))")
    with pytest.raises(ExpressionError, match="#other is not known"):
        value("request.header(map([1], #other))")


@pytest.mark.parametrize("source", ["map(request.body.nested, #)", "map(request.body.n, #)", "reduce([], #)"])
def test_what_has_no_items_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        value(source)
