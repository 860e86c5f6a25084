"""The functions of expr-lang on numbers, and on lists of such."""

import math
from collections.abc import Callable, Iterator

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import reading
from receivers.kargo.expressions.comparing import less
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.list_functions import flat
from receivers.kargo.expressions.values import (
    Duration,
    Integers,
    NoList,
    deeper,
    is_number,
    misfit,
    to_float,
    to_integer,
    type_name,
    whole,
    wrapped,
)

_BITS = 64
_WHOLE = 1 << 52  # floats as large as this have no fraction


def absolute(_: Effort, value: object) -> object:
    if value.__class__ is int:
        return wrapped(abs(value))
    number = to_float(value)
    return -number if number < 0 else number


def ceil(_: Effort, value: object) -> float:
    return _rounded(to_float(value), math.ceil)


def floor(_: Effort, value: object) -> float:
    return _rounded(to_float(value), math.floor)


def rounded(_: Effort, value: object) -> float:
    """To the nearest integer, and from the middle away from zero."""
    return _rounded(to_float(value), _from_the_middle)


def _rounded(number: float, function: Callable[[float], int]) -> float:
    if not abs(number) < _WHOLE:
        return number
    return math.copysign(function(number), number)


def _from_the_middle(number: float) -> int:
    nearest = math.floor(abs(number))
    return nearest + (abs(number) - nearest >= 0.5)  # noqa: PLR2004


def integer(_: Effort, value: object) -> int:
    if isinstance(value, Duration):
        return value.nanoseconds
    if not isinstance(value, str):
        return to_integer(value)
    number = reading.integer(value)
    if number is None:
        raise ExpressionError("a string is no integer")
    return number


def floating(_: Effort, value: object) -> float:
    if not isinstance(value, str):
        return to_float(value)
    number = reading.floating(value)
    if number is None:
        raise ExpressionError("a string is no number")
    return number


def bitand(_: Effort, left: object, right: object) -> int:
    return whole(left) & whole(right)


def bitor(_: Effort, left: object, right: object) -> int:
    return whole(left) | whole(right)


def bitxor(_: Effort, left: object, right: object) -> int:
    return whole(left) ^ whole(right)


def bitnand(_: Effort, left: object, right: object) -> int:
    return whole(left) & ~whole(right)


def bitnot(_: Effort, value: object) -> int:
    return ~whole(value)


def bitshl(_: Effort, value: object, count: object) -> int:
    return wrapped(whole(value) << _shift(count))


def bitshr(_: Effort, value: object, count: object) -> int:
    return whole(value) >> _shift(count)


def bitushr(_: Effort, value: object, count: object) -> int:
    return wrapped((whole(value) & ((1 << _BITS) - 1)) >> _shift(count))


def _shift(count: object) -> int:
    number = whole(count)
    if number < 0:
        raise ExpressionError("a shift is negative")
    return min(number, _BITS)


# Aggregates


def largest(effort: Effort, *values: object) -> object:
    return _extreme(effort, values, less, 0)


def smallest(effort: Effort, *values: object) -> object:
    return _extreme(effort, values, lambda one, other: less(other, one), 0)


type _Order = Callable[[object, object], bool]


def _extreme(effort: Effort, values: tuple[object, ...], better: _Order, depth: int) -> object:
    found: object = None
    for value in values:
        if not isinstance(value, list) and not is_number(value):
            if len(values) == 1:
                return value
            raise misfit(f"{type_name(value)} has no place in an order of numbers", value)
        for candidate in _candidates(effort, value, better, depth):
            if found is None or better(found, candidate):
                found = candidate
    return found


def _candidates(effort: Effort, value: object, better: _Order, depth: int) -> Iterator[object]:
    effort.demand(1)
    if not isinstance(value, list):
        yield value
        return
    strict = value.__class__ not in {list, NoList, Integers}
    for item in value:
        effort.demand(1)
        found = _extreme(effort, (item,), better, deeper(depth)) if isinstance(item, list) else item
        if found is None and isinstance(item, list) and not strict:
            continue
        if not is_number(found):
            raise ExpressionError(f"{type_name(found)} has no place in an order of numbers")
        yield found


def mean(effort: Effort, *values: object) -> float:
    count, total = 0, 0.0
    for value in values:
        count, total = _added(effort, value, count, total, 0)
    return total / count if count else 0.0


def _added(effort: Effort, value: object, count: int, total: float, depth: int) -> tuple[int, float]:
    """How many numbers there are then, and their sum. What is in a list within a list is added up by itself first."""
    for item in value if isinstance(value, list) else [value]:
        effort.demand(1)
        inner, summand = _added(effort, item, 0, 0.0, deeper(depth)) if isinstance(item, list) else (1, to_float(item))
        count += inner
        total += summand
    return count, total


def median(effort: Effort, *values: object) -> float:
    numbers = [to_float(each) for each in flat(effort, [*values], 0)]
    if any(map(math.isnan, numbers)):
        raise Refused("NaN cannot be put in order")
    effort.demand(len(numbers) // 4)
    numbers.sort()
    half = len(numbers) // 2
    if not numbers:
        return 0.0
    return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2
