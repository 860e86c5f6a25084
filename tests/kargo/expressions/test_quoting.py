"""Functions of templates."""

import pytest

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import ExpressionError, compile  # noqa: A004


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("quote('a\"b')", r'"a\"b"'),
        ("quote(5)", '"5"'),
        ("unsafeQuote('a')", '""a""'),
        ("asJSON([1])", '"[\n  1\n]\n"'),
        ("'a' | quote()", '"a"'),
    ],
)
def test_a_value_is_put_in_quotes(source: str, wanted: str) -> None:
    assert compile(source, template=True).evaluate({}, Effort(100)) == wanted


def test_only_templates_have_them() -> None:
    with pytest.raises(ExpressionError, match="there is no such function"):
        compile("quote(5)").evaluate({}, Effort(100))
