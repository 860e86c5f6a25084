"""Operators as they run."""

import pytest

from receivers.kargo.effort import TooMuch
from receivers.kargo.expressions import ExpressionError
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("request.body.flag and request.body.n", 5.0),
        ("request.body.repository.private and request.body.missing.deeper", False),
        ("request.body.flag or request.body.missing.deeper", True),
        ("request.body.n ?? request.body.missing.deeper", 5.0),
        ("request.body.missing contains 'a'", False),
        ("request.body.missing matches 'a'", False),
        ("request.body.n in 1..9", True),
        ("1 < request.body.n <= 5", True),
        ("0 / request.body.zero >= 0", False),
    ],
)
def test_an_operator_looks_at_no_more_than_it_needs(source: str, wanted: object) -> None:
    assert value(source) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "findIndex([1], # == 2) == 1",
        "find(['a'], # == 'b') == 'a'",
        "findIndex([1], # == 2) in 1..2",
        "!request.body.n",
    ],
)
def test_what_is_not_of_the_type_that_it_is_taken_for_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        value(source)


def test_a_range_costs_effort_before_it_is_made() -> None:
    with pytest.raises(TooMuch):
        value("1..9223372036854775807")
