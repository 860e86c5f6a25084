"""Functions of the environment."""

import pytest

from receivers.kargo.expressions import ExpressionError
from tests.kargo.expressions.answers import value


def test_a_function_of_the_environment_takes_a_string() -> None:
    assert value("normalizeGit('x')") == "<x>"
    assert value("normalizeGit(request.body.nothing)") == "<>"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("unknown(1)", "there is no such function"),
        ("request.body.n()", "there is no such function"),
        ("normalizeGit()", "one argument is wanted, not 0"),
        ("normalizeGit(request.body.n)", "float64 where a string is wanted"),
    ],
)
def test_anything_else_is_an_error(source: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        value(source)
