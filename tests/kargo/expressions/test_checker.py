"""What is found wrong before an expression runs."""

import pytest

from receivers.kargo.expressions import ExpressionError, Refused
from receivers.kargo.expressions.checker import check
from receivers.kargo.expressions.parser import parse
from receivers.kargo.expressions.syntax import Node


def checked(source: str, *, template: bool = False) -> str:
    """The type that an expression is known to have."""
    node = parse(source)
    check(node, template=template)
    return "nil" if node.nature.nil else node.nature.type


@pytest.mark.parametrize(
    ("source", "type_name"),
    [
        ("1", "int"),
        ("1 + 1.0", "float"),
        ("1 / 2", "float"),
        ("'a' + request", ""),
        ("a.b", ""),
        ("nil ?? 1", "int"),
        ("[1, 2][0]", "int"),
        ("[1, 'a'][0]", "any"),
        ("split('a', ',')", "[]string"),
        ("first(split('a', ','))", "string"),
        ("map(a, #index)[0]", "int"),
        ("groupBy(a, #).b", "[]any"),
        ("true ? 'a' : nil", "string"),
        ("nil", "nil"),
        ("len", "func"),
    ],
)
def test_a_part_is_known_to_give(source: str, type_name: str) -> None:
    assert checked(source) == type_name


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("false && 1 + 'a' == 2", r"\+ cannot be applied to int and string"),
        ("len(nil)", r"len\(\) cannot take these arguments"),
        ("filter(1, true)", r"filter\(\) takes a list, not int"),
        ("filter([1], 1)", "must be bool, not int"),
        ("map([1], nil)", "is always nil"),
        ("filter([1], #index > 1)", "#index is not known here"),
        ("let len = 1; 1", "len is declared already"),
        ("1 ? 2 : 3", "a condition must be bool, not int"),
        ("'a' matches '('", "not a regular expression"),
        ("nil.a", "unexpected"),
        ("[1].a", "has no such member"),
        ("[1]['a':]", "the bounds of a slice must be integers"),
        ("let f = 1; f()", "int cannot be called"),
        ("$env()", "cannot be called"),
        ("sortBy([1], #, 1)", "the order of sortBy"),
    ],
)
def test_parts_that_cannot_fit_are_an_error_though_nothing_runs(source: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        checked(source)


def test_what_may_be_right_but_is_too_large_is_refused() -> None:
    with pytest.raises(Refused, match="a regular expression cannot be used"):
        checked(r"a matches `\pL\pL\pL\pL\pL\pL`")


def test_templates_have_more_functions() -> None:
    assert checked("quote(1)", template=True) == "string"
    assert checked("quote(1)") == ""


def test_a_part_of_an_unknown_kind_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        check(Node(), template=False)
