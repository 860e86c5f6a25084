"""The functions of expr-lang on lists and maps."""

from collections.abc import Iterator

from receivers.kargo.effort import Effort
from receivers.kargo.expressions.comparing import equal, ordered
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.values import (
    ITEMS_PER_UNIT,
    AnyMap,
    Duration,
    Integers,
    Moment,
    NoList,
    Pair,
    Pairs,
    Strings,
    deeper,
    hashed,
    listed,
    member,
    member_if_any,
    text,
    type_name,
    whole,
)

# Lists


def first(_: Effort, items: object) -> object:
    return _at_end(items, 0)


def last(_: Effort, items: object) -> object:
    return _at_end(items, -1)


def _at_end(items: object, position: int) -> object:
    if isinstance(items, str) and items:
        raise Refused("a string's bytes cannot be had one by one")
    try:
        return member(items, position)
    except ExpressionError:
        return None


def get(_: Effort, base: object, name: object) -> object:
    return None if base is None else member_if_any(base, name)


def take(effort: Effort, items: object, count: object) -> object:
    found, number = listed(items), whole(count)
    if number < 0 or isinstance(items, Pair):
        raise ExpressionError("so many items cannot be taken")
    effort.demand(min(number, len(found)) // ITEMS_PER_UNIT)
    return found.__class__(found[:number])


def reverse(effort: Effort, items: object) -> list[object]:
    effort.demand(len(listed(items)) // ITEMS_PER_UNIT)
    return [*reversed(listed(items))]


def unique(effort: Effort, items: object) -> list[object]:
    found: list[object] = []
    for item in listed(items):
        effort.demand(1)
        if not any(equal(item, each, effort) for each in found):
            found.append(item)
    return found


def concat(effort: Effort, *lists: object) -> list[object]:
    effort.demand(sum(len(listed(each)) for each in lists) // ITEMS_PER_UNIT)
    return [item for each in lists for item in listed(each)] or NoList()


def flatten(effort: Effort, items: object) -> list[object]:
    return [*flat(effort, listed(items), 0)]


def flat(effort: Effort, items: list[object], depth: int) -> Iterator[object]:
    for item in items:
        effort.demand(1)
        if isinstance(item, list):
            yield from flat(effort, item, deeper(depth))
        else:
            yield item


def sort(effort: Effort, items: object, order: object = "asc") -> list[object]:
    """The items in order; nothing, of what is no list of anything or of one type."""
    down = descending(order)
    if items.__class__ not in {list, NoList, Integers} and not isinstance(items, Strings):
        return NoList()
    return ordered(listed(items), lambda item: item, effort, down=down)


def descending(order: object) -> bool:
    if text(order) not in {"asc", "desc"}:
        raise ExpressionError("the order must be asc or desc")
    return order == "desc"


# Maps


def keys(effort: Effort, value: object) -> list[object]:
    return [key for key, _ in _members(effort, value)]


def values(effort: Effort, value: object) -> list[object]:
    return [item for _, item in _members(effort, value)]


def to_pairs(effort: Effort, value: object) -> list[object]:
    return Pairs(Pair(each) for each in _members(effort, value))


def _members(effort: Effort, value: object) -> list[tuple[object, object]]:
    if isinstance(value, dict):
        effort.demand(len(value) // 4)
        return [*value.items()]
    if isinstance(value, AnyMap):
        effort.demand(len(value) // 4)
        return [(key, item) for (_, key), item in value.members.items()]
    raise ExpressionError(f"{type_name(value)} is no map")


def from_pairs(effort: Effort, pairs: object) -> AnyMap:
    found = AnyMap(grouped=False)
    for pair in listed(pairs):
        effort.demand(1)
        if len(listed(pair)) != 2:  # noqa: PLR2004
            raise ExpressionError("a pair has two items")
        key, value = listed(pair)
        found.members[hashed(key)] = value
    return found


# Anything


def length(_: Effort, value: object) -> int:
    if isinstance(value, str | list | dict | AnyMap):
        return len(value)
    raise ExpressionError(f"{type_name(value)} has no length")


_TYPES: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    dict: "map",
    AnyMap: "map",
    Moment: "time.Time",
    Duration: "time.Duration",
}


def type_of(_: Effort, value: object) -> str:
    return "array" if isinstance(value, list) else _TYPES.get(value.__class__, "func")
