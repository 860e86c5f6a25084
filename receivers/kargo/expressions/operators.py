"""Operators as they run: each makes a function of a run from those of its operands."""

from collections.abc import Callable

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import arithmetic
from receivers.kargo.expressions import text_functions as texts
from receivers.kargo.expressions.comparing import contains, equal, less
from receivers.kargo.expressions.runs import Evaluate, Run
from receivers.kargo.expressions.syntax import Binary
from receivers.kargo.expressions.values import (
    ITEMS_PER_UNIT,
    Bounds,
    Integers,
    boolean,
    is_nil,
    text,
    to_integer,
    whole,
)


def unary(operator: str, operand: Evaluate) -> Evaluate:
    if operator in {"!", "not"}:
        return lambda run: not boolean(operand(run))
    return operand if operator == "+" else lambda run: arithmetic.negate(operand(run))


def equality(node: Binary, left: Evaluate, right: Evaluate) -> Evaluate:
    types = {node.left.nature.type, node.right.nature.type}
    if types == {"int"}:
        return lambda run: whole(left(run)) == whole(right(run))
    if types == {"string"}:
        return lambda run: text(left(run)) == text(right(run))
    return lambda run: equal(left(run), right(run), run.effort)


type _Operator = Callable[[Evaluate, Evaluate], Evaluate]


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    """The right side counts as it is, whatever it is."""
    return lambda run: right(run) if boolean(left(run)) else False


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda run: True if boolean(left(run)) else right(run)


def _either(left: Evaluate, right: Evaluate) -> Evaluate:
    def found(run: Run) -> object:
        value = left(run)
        return right(run) if is_nil(value) else value

    return found


def _matches(left: Evaluate, right: Evaluate) -> Evaluate:
    def matched(run: Run) -> object:
        value, pattern = left(run), right(run)
        if is_nil(value) or is_nil(pattern):
            return False
        return run.matches(text(value), text(pattern))

    return matched


def _textual(function: Callable[[Effort, object, object], bool]) -> _Operator:
    """An operator on strings; nil neither has nor is anything."""

    def operator(left: Evaluate, right: Evaluate) -> Evaluate:
        def applied(run: Run) -> object:
            value, other = left(run), right(run)
            return not (is_nil(value) or is_nil(other)) and function(run.effort, value, other)

        return applied

    return operator


def _range(left: Evaluate, right: Evaluate) -> Evaluate:
    def made(run: Run) -> object:
        first, last = to_integer(left(run)), to_integer(right(run))
        run.effort.demand(max(last - first, 0) // ITEMS_PER_UNIT)
        return Integers(range(first, last + 1))

    return made


def _within(left: Evaluate, right: Evaluate) -> Evaluate:
    def found(run: Run) -> object:
        value, bounds = left(run), right(run)
        return isinstance(bounds, Bounds) and _at_least(value, bounds.first) and _at_most(value, bounds.last)

    return found


BINARY: dict[str, _Operator] = {
    "and": _and,
    "&&": _and,
    "or": _or,
    "||": _or,
    "??": _either,
    "<": lambda left, right: lambda run: less(left(run), right(run)),
    ">": lambda left, right: lambda run: _greater(left(run), right(run)),
    "<=": lambda left, right: lambda run: _at_most(left(run), right(run)),
    ">=": lambda left, right: lambda run: _at_least(left(run), right(run)),
    "+": lambda left, right: lambda run: arithmetic.add(left(run), right(run), run.effort),
    "-": lambda left, right: lambda run: arithmetic.subtract(left(run), right(run)),
    "*": lambda left, right: lambda run: arithmetic.multiply(left(run), right(run)),
    "/": lambda left, right: lambda run: arithmetic.divide(left(run), right(run)),
    "%": lambda left, right: lambda run: arithmetic.modulo(left(run), right(run)),
    "**": lambda left, right: lambda run: arithmetic.power(left(run), right(run)),
    "^": lambda left, right: lambda run: arithmetic.power(left(run), right(run)),
    "in": lambda left, right: lambda run: _contained(left(run), right(run), run),
    "within": _within,
    "..": _range,
    "matches": _matches,
    "contains": _textual(texts.contains),
    "startsWith": _textual(texts.has_prefix),
    "endsWith": _textual(texts.has_suffix),
}


def _greater(left: object, right: object) -> bool:
    return less(right, left)


def _at_most(left: object, right: object) -> bool:
    return less(left, right) or not (less(right, left) or _unordered(left, right))


def _at_least(left: object, right: object) -> bool:
    return _at_most(right, left)


def _unordered(left: object, right: object) -> bool:
    return left != left or right != right  # noqa: PLR0124 - NaN


def _contained(sought: object, found: object, run: Run) -> bool:
    return contains(found, sought, run.effort)
