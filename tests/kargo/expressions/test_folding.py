"""Literals that are computed before an expression runs."""

import pytest

from receivers.kargo.expressions.checker import check
from receivers.kargo.expressions.optimizer import optimized
from receivers.kargo.expressions.parser import parse
from receivers.kargo.expressions.syntax import Binary, Constant, Name, Node


def folded(source: str) -> Node:
    node = parse(source)
    check(node, template=False)
    return optimized(node)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("1 + 2 * 3", 7),
        ("'a' + 'b'", "ab"),
        ("1 / 2", 0.5),
        ("-(2 ** 3)", -8.0),
        ("!(1 == 1)", False),
        ("[1, 'a']", [1, "a"]),
    ],
)
def test_literals_are_computed(source: str, wanted: object) -> None:
    assert folded(source) == Constant(wanted)


def test_what_is_neutral_goes() -> None:
    assert folded("a and true") == Name("a")
    assert folded("false or a") == Name("a")
    assert folded("a and 1 == 2") == Constant(value=False)


def test_what_depends_on_the_environment_stays() -> None:
    assert folded("a + 1") == Binary("+", Name("a"), Constant(1))
