"""Functions on lists and maps."""

import pytest

from receivers.kargo.expressions import ExpressionError
from receivers.kargo.expressions.values import NoList
from tests.kargo.expressions.answers import value


def test_nothing_in_a_row_is_nil() -> None:
    assert isinstance(value("concat([])"), NoList)
    assert value("concat([]) == nil") is True


def test_pairs_are_made_of_a_map_and_a_map_of_pairs() -> None:
    assert value("toPairs({a: 1})") == [["a", 1]]
    assert value("fromPairs([['a', 1], [2, 3]])[2]") == 3


@pytest.mark.parametrize("source", ["keys(request.body.n)", "toPairs(request.body.names)", "fromPairs([[1]])"])
def test_what_is_no_map_or_pair_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        value(source)
