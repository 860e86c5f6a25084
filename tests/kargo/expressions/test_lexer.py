"""Tokens."""

import pytest

from receivers import limits
from receivers.kargo.expressions import ExpressionError, Refused
from receivers.kargo.expressions.lexer import tokens
from tests.kargo.expressions.answers import value


def test_an_expression_is_cut_into_tokens() -> None:
    found = [(each.kind, each.text) for each in tokens("not a?.b[1:] // why\n == '\\x41'")]
    assert found == [
        ("operator", "not"),
        ("name", "a"),
        ("operator", "?."),
        ("name", "b"),
        ("bracket", "["),
        ("number", "1"),
        ("operator", ":"),
        ("bracket", "]"),
        ("operator", "=="),
        ("text", "A"),
        ("end", ""),
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [("'a\rb'", "a\nb"), ("`a\rb`", "a\rb"), ("'\ud800'", "\ufffd"), ("'\\ud800'", "\ufffd")],
)
def test_a_line_s_end_and_half_a_pair_in_a_text_are_those_of_go(source: str, text: str) -> None:
    assert value(source) == text


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(Refused, match="longer than"):
        tokens("1" * (limits.FORMULA + 1))


@pytest.mark.parametrize("source", ["é", "a.größe", "b'bytes'", 'B"bytes"'])
def test_what_is_not_had_here_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        tokens(source)


@pytest.mark.parametrize("source", ["@", "'a", "`a", "1a", "'\\q'", "'\\u{110000}'", "'\\777'", "/*", "1 /* 2", "\x00"])
def test_what_is_no_token_is_an_error_that_shows_it(source: str) -> None:
    with pytest.raises(ExpressionError, match=r"cannot be read|names no character"):
        tokens(source)
