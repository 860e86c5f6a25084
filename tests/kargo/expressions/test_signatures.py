"""Functions and their arguments."""

import pytest

from receivers.kargo.expressions import ExpressionError, functions, signatures
from receivers.kargo.expressions.natures import ANY, FLOAT, INT, LIST, NIL, STRING, UNKNOWN, Nature


def test_every_function_is_had_or_refused() -> None:
    assert {*functions.BY_NAME, signatures.NOW} == signatures.FUNCTIONS
    assert set(functions.OF_TEMPLATES) == set(signatures.TEMPLATE_OVERLOADS)
    assert not signatures.BUILTINS & set(functions.OF_TEMPLATES)


def test_a_function_gives_what_its_arguments_tell() -> None:
    assert signatures.result("abs", [FLOAT]) == FLOAT
    assert signatures.result("max", [INT, LIST]) == ANY
    assert signatures.result("mean", [INT, FLOAT]) == INT  # so has it expr-lang
    assert signatures.result("get", [UNKNOWN, INT]) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("max", []), ("max", [STRING]), ("get", [INT, INT]), ("take", [LIST, FLOAT]), ("concat", []), ("trim", [NIL])],
)
def test_what_a_function_cannot_take_is_an_error(name: str, arguments: list[Nature]) -> None:
    with pytest.raises(ExpressionError, match=name):
        signatures.result(name, arguments)


@pytest.mark.parametrize(
    ("name", "counts"),
    [("len", {1}), ("get", {2}), ("replace", {3, 4}), ("max", {1, 2, 3, 4}), ("concat", {1, 2, 3, 4}), ("quote", {1})],
)
def test_a_function_takes_so_many_arguments(name: str, counts: set[int]) -> None:
    assert {count for count in range(5) if signatures.takes(name, count)} == counts
