"""Equality and order, as Go and expr-lang have them."""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Any

from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.values import (
    AnyMap,
    Duration,
    Integers,
    IntegerSet,
    Moment,
    NoList,
    NoStrings,
    Strings,
    TextSet,
    deeper,
    hashed,
    is_nil,
    is_number,
    key,
    listed,
    misfit,
    to_float,
    type_name,
    whole,
)

_COMPARISON = 2  # units, of two values that are no more than a few characters
SEARCHED_PER_UNIT = 512  # characters of texts that are compared
_LONGEST_INSERTION_SORT = 12  # items; Go sorts more of them in an order that lets equal ones change places


def _numbers(left: object, right: object) -> tuple[float, float]:
    """Two numbers, as integers if both are such."""
    if left.__class__ is int and right.__class__ is int:
        return left, right
    return to_float(left), to_float(right)


def less(left: object, right: object) -> bool:
    if left.__class__ is str and right.__class__ is str:
        return left < right
    match left, right:
        case (Moment(one), Moment(other)) | (Duration(one), Duration(other)):
            return one < other
    first, second = _numbers(left, right)
    return first < second


def equal(left: object, right: object, effort: Effort, depth: int = 0) -> bool:
    """Equality as ``==`` has it: int and float compare as numbers, also in lists, but nowhere inside of maps."""
    effort.demand(_COMPARISON)
    if is_number(left) and is_number(right):
        first, second = _numbers(left, right)
        return first == second
    if left.__class__ is str and right.__class__ is str:
        effort.demand(min(len(left), len(right)) // SEARCHED_PER_UNIT)
        return left == right
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left == right
    if isinstance(left, list) and isinstance(right, list) and _comparable(left, right):
        depth = deeper(depth)
        return len(left) == len(right) and all(
            equal(one, other, effort, depth) for one, other in zip(left, right, strict=True)
        )
    return (is_nil(left) and is_nil(right)) or _same(left, right, effort, depth)


_SIMPLE = {NoList: NoList, list: NoList, Integers: Integers, Strings: Strings, NoStrings: Strings}


def _comparable(left: list[object], right: list[object]) -> bool:
    """Lists of anything compare with lists of any one type, and those with their like."""
    one, other = _SIMPLE.get(left.__class__), _SIMPLE.get(right.__class__)
    return one is not None and other is not None and (one is other or NoList in {one, other})


def _same(left: object, right: object, effort: Effort, depth: int) -> bool:
    """Equality of what is of one type in every part."""
    effort.demand(_COMPARISON)
    if left.__class__ is not right.__class__ or callable(left):
        return False
    if isinstance(left, Moment):
        raise Refused("times within maps are not compared")
    if isinstance(left, list):
        return left is right or _same_items(left, listed(right), effort, deeper(depth))
    if isinstance(left, dict) and isinstance(right, dict):
        return left is right or _same_members(left, right, effort, deeper(depth))
    if isinstance(left, AnyMap) and isinstance(right, AnyMap):
        same = left.grouped is right.grouped and _same_members(left.members, right.members, effort, deeper(depth))
        return left is right or same
    if isinstance(left, str):
        effort.demand(len(left) // SEARCHED_PER_UNIT)
    return left == right


def _same_items(left: list[object], right: list[object], effort: Effort, depth: int) -> bool:
    return len(left) == len(right) and all(
        _same(one, other, effort, depth) for one, other in zip(left, right, strict=True)
    )


def _same_members[Key](left: dict[Key, object], right: dict[Key, object], effort: Effort, depth: int) -> bool:
    return len(left) == len(right) and all(
        key in right and _same(value, right[key], effort, depth) for key, value in left.items()
    )


def contains(found: object, sought: object, effort: Effort) -> bool:
    """``in``: among a list's items, or a map's keys."""
    match found:
        case None:
            return False
        case list():
            return any(equal(item, sought, effort) for item in found)
        case dict():
            return key(sought) in found
        case AnyMap():
            return hashed(sought) in found.members
        case TextSet():
            return key(sought) in found
        case IntegerSet():
            return (0 if sought is None else whole(sought)) in found
    raise misfit(f"nothing can be in {type_name(found)}", found)


def ordered[Item](items: Sequence[Item], value: Callable[[Item], object], effort: Effort, *, down: bool) -> list[Item]:
    """Items in the order of their values. Raises ExpressionError where two cannot be compared, or Go's order is odd."""
    effort.demand(len(items))
    found = [(value(item), item) for item in items]
    if len(found) > 1:
        _check_order([each for each, _ in found])
    return [item for _, item in sorted(found, key=_of_one_kind, reverse=down)]


def _of_one_kind(found: tuple[object, object]) -> Any:  # noqa: ANN401 - they were checked
    return found[0]


def _check_order(values: list[object]) -> None:
    classes = {each.__class__ for each in values}
    if classes not in ({str}, {Moment}, {Duration}) and not classes <= {int, float}:
        raise ExpressionError("the items cannot be put in order")
    if any(isinstance(each, float) and isnan(each) for each in values):
        raise Refused("NaN cannot be put in order")
    if len(values) > _LONGEST_INSERTION_SORT and len(set(values)) < len(values):
        raise Refused(f"more than {_LONGEST_INSERTION_SORT} items of which some are equal cannot be sorted")
