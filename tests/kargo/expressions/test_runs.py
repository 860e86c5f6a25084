"""What an expression works on while it runs."""

import pytest

from receivers.kargo.effort import TooMuch
from receivers.kargo.expressions import ExpressionError
from tests.kargo.expressions.answers import value


def test_a_pattern_may_come_from_the_payload() -> None:
    assert value("all(1..50, 'push' matches request.body.action)") is True


def test_a_pattern_that_is_none_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="not a regular expression") as raised:
        value("'a' matches '(secret' + string(request.body.n)")
    assert "secret" not in str(raised.value)


def test_patterns_cost_effort() -> None:
    with pytest.raises(TooMuch):
        value("any(1..50, 'x' matches 'a{' + string(# * 10) + '}')")
