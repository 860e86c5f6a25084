"""Syntax."""

import pytest

from receivers import limits
from receivers.kargo.expressions import ExpressionError, Refused, signatures
from receivers.kargo.expressions.parser import parse
from receivers.kargo.expressions.syntax import Binary, Constant, Member, Name, Unary


def test_operators_bind_as_their_precedence_says() -> None:
    assert parse("1 + 2 * 3") == Binary("+", Constant(1), Binary("*", Constant(2), Constant(3)))
    assert parse("-a ** 2") == Unary("-", Binary("**", Name("a"), Constant(2)))
    assert parse("not a.b in c") == Binary("in", Unary("not", Member(Name("a"), Constant("b"))), Name("c"))
    assert parse("a not in c") == parse("not (a in c)")


def test_what_is_written_otherwise_is_not_equal() -> None:
    assert parse("[1]") != parse("[1.0]")
    assert parse("[1]") != parse("[true]")
    assert parse("a.b") == parse('a["b"]')


@pytest.mark.parametrize("name", signatures.REFUSED)
def test_a_function_that_is_refused_is_named(name: str) -> None:
    with pytest.raises(Refused, match=rf"{name}\(\) is not supported"):
        parse(f'true or "2026" | {name}()')


@pytest.mark.parametrize(
    "source",
    [
        "(" * limits.FORMULA,
        "!" * limits.FORMULA,
        "[" * 70 + "]" * 70,
        "a" + "+a" * limits.FORMULA_HEIGHT,
        "a" + ".b" * limits.FORMULA_HEIGHT,
        f"[{'a,' * limits.FORMULA_NODES}]",
        "1<(" * 60 + "1" + ")<1" * 60,
    ],
)
def test_what_is_too_large_or_too_deep_is_refused(source: str) -> None:
    with pytest.raises(Refused, match=r"nested too deeply|more than"):
        parse(source)


def test_what_is_as_large_as_may_be_is_not() -> None:
    assert parse("a" + "+a" * (limits.FORMULA_HEIGHT - 1)).height == limits.FORMULA_HEIGHT
    assert parse(f"[{'a,' * (limits.FORMULA_NODES - 1)}]").weight == limits.FORMULA_NODES


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 +", "the expression ends too early"),
        ("1 2", "unexpected '2'"),
        ("(1", "unexpected the end"),
        ("a ?? b + c", "cannot be mixed"),
        ("a.1", "unexpected '.1'"),
        ("a.(b)", "a name is expected"),
        ("0x", "is no number"),
        ("9223372036854775808", "is too large"),
    ],
)
def test_what_is_wrong_is_told(source: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(source)
