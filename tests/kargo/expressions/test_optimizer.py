"""What an expression is before it runs, where results show it."""

import pytest

from receivers.kargo.expressions import ExpressionError
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("request.body.missing.deeper && false", False),
        ("request.body.missing.deeper || true", True),
        ("request.body.n && true", 5.0),
        ("filter([1, nil], # > 0)[0]", 1),
        ("count([1, nil], # > 0) > 0", True),
        ("len(map(filter(request.body.numbers, true), .a.b))", 5),
        ("sum([request.body.action, 'ed'])", "pushed"),
        ("sum(1..1000000000)", 500_000_000_500_000_000),
        ("sum(1..3, #)", 6),
        ("sum(3..1)", 0),
        ("reduce(1..3, # + #acc, request.body.n)", 11.0),
        ("reduce(1..3, # + #acc, 1)", 7),
        ("nil in ['', 'a']", True),
        ("all([1, nil], # == 2) and all([1, nil], # < 3)", False),
    ],
)
def test_what_is_not_needed_does_not_run(source: str, wanted: object) -> None:
    assert value(source) == wanted


def test_a_literal_is_not_divided_by_zero_even_where_nothing_runs() -> None:
    with pytest.raises(ExpressionError, match="divided by zero"):
        value("true ? 1 : 1 % 0")


def test_a_long_list_is_added_up_without_nesting() -> None:
    assert value(f"sum([request.body.n{',1' * 400}])") == 405.0
