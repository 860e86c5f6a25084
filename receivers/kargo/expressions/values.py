"""The values of an expression: those of Go, where Python has other ones.

nil is None, bool is bool, int is int, of 64 bits, float64 is float, string is str, ``[]any`` is list and
``map[string]any`` is dict. What else there is in Go has a class here, since expr-lang lets the difference be seen.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from receivers import limits
from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.text import well_formed

SMALLEST_INTEGER = -(1 << 63)
LARGEST_INTEGER = (1 << 63) - 1
CHARACTERS_PER_UNIT = 64  # of a text that is built
ITEMS_PER_UNIT = 16  # of a list that is built


class NoList(list[object]):
    """A nil slice of anything: it is empty, and equals nil."""


class Integers(list[object]):
    """``[]int``: what a range is."""


class Strings(list[object]):
    """``[]string``: what splitting gives, and a header's values."""


class NoStrings(Strings):
    """A nil slice of strings."""


class Pairs(list[object]):
    """``[][2]any``: what toPairs gives."""


class Pair(list[object]):
    """``[2]any``."""


class Bounds(NamedTuple):
    """Of a range of literals, to look into."""

    first: object
    last: object


class AnyMap:
    """A map whose keys may be of any type: ``map[any]any``, or ``map[any][]any`` if it is one of groups."""

    __slots__ = ("grouped", "members")

    def __init__(self, *, grouped: bool) -> None:
        self.grouped = grouped
        self.members: dict[tuple[type, object], object] = {}

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """``time.Time``: one is before another, or equals it, wherever its clocks stand."""

    nanoseconds: int  # since 1970
    offset: int = field(default=0, compare=False)  # seconds that the clocks there are ahead of UTC


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """``time.Duration``: 64 bits."""

    nanoseconds: int


class IntegerSet(frozenset[object]):
    """``map[int]struct{}``: what a literal list of integers is made, to look into."""


class TextSet(frozenset[object]):
    """``map[string]struct{}``: what a literal list of strings is made, to look into."""


_NAMES: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float64",
    str: "string",
    dict: "map[string]any",
    AnyMap: "map[any]any",
    Moment: "time.Time",
    Duration: "time.Duration",
}


def type_name(value: object) -> str:
    """A type as Go names it, for people."""
    if isinstance(value, list):
        return "[]any"
    return _NAMES.get(value.__class__, "func")


def misfit(message: str, *values: object) -> ExpressionError:
    """What is wrong with values that do not fit: of times and durations Go makes more than is had here."""
    if any(isinstance(value, Moment | Duration) for value in values):
        return Refused(f"{message}, which is refused of times and durations")
    return ExpressionError(message)


def is_nil(value: object) -> bool:
    return value is None or isinstance(value, NoList | NoStrings)


def is_number(value: object) -> bool:
    return value.__class__ is int or value.__class__ is float


def hashed(value: object) -> tuple[type, object]:
    """A value as the key of an AnyMap. Raises ExpressionError for what Go cannot hash, or Python finds unlike Go."""
    if isinstance(value, Pair):
        raise Refused("a pair cannot be a key")
    if value.__class__ not in {type(None), bool, int, float, str, Duration}:
        raise misfit(f"{type_name(value)} cannot be a key", value)
    if value != value:  # noqa: PLR0124 - NaN alone differs
        raise Refused("NaN cannot be a key")
    return value.__class__, value


def deeper(depth: int) -> int:
    """One level further into a value. Raises ExpressionError at the last one."""
    if depth >= limits.DATA_NESTING:
        raise Refused("a value is nested too deeply")
    return depth + 1


def text(value: object) -> str:
    if value.__class__ is not str:
        raise ExpressionError(f"{type_name(value)} where a string is wanted")
    return str(value)


def listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ExpressionError(f"{type_name(value)} where a list is wanted")
    return value


def boolean(value: object) -> bool:
    if value.__class__ is not bool:
        raise ExpressionError(f"{type_name(value)} where a bool is wanted")
    return value is True


def encoded(text: str) -> bytes:
    """A string's bytes, as Go has them."""
    return well_formed(text).encode()


# Numbers


def wrapped(number: int) -> int:
    """An integer as 64 bits hold it."""
    if SMALLEST_INTEGER <= number <= LARGEST_INTEGER:
        return number
    return ((number - SMALLEST_INTEGER) & ((1 << 64) - 1)) + SMALLEST_INTEGER


def to_integer(value: object) -> int:
    """A number without its fraction. Raises ExpressionError where Go's answer depends on the machine."""
    if value.__class__ is int:
        return int(value)
    if not isinstance(value, float):
        raise ExpressionError(f"{type_name(value)} where a number is wanted")
    if not SMALLEST_INTEGER <= value < -SMALLEST_INTEGER:
        raise Refused("a number is too large for an integer")
    return int(value)


def whole(value: object) -> int:
    """An integer. Raises ExpressionError for a float too."""
    if value.__class__ is not int:
        raise misfit(f"{type_name(value)} where an integer is wanted", value)
    return to_integer(value)


def to_float(value: object) -> float:
    if value.__class__ is int or value.__class__ is float:
        return float(value)
    raise misfit(f"{type_name(value)} where a number is wanted", value)


def key(value: object) -> str:
    """The key of an object that a value stands for: nil stands for the empty one."""
    return "" if value is None else text(value)


# Members


def member(base: object, name: object) -> object:
    """``base[name]``. Raises ExpressionError where Go has no answer, and for a byte of a string."""
    match base:
        case list():
            position = _position(base, name)
            if position is None:
                raise ExpressionError("an index is out of range")
            return base[position]
        case dict():
            return base.get(key(name))
        case AnyMap():
            return base.members.get(hashed(name), NoList() if base.grouped else None)
        case str():
            raise Refused("a string's bytes cannot be had one by one")
    raise misfit(f"{type_name(base)} has no member {name}", base)


def member_if_any(base: object, name: object) -> object:
    """The same, and nil where there is none."""
    match base:
        case list():
            position = _position(base, name)
            return None if position is None else base[position]
        case AnyMap():
            return base.members.get(hashed(name))
        case dict():
            return base.get(key(name))
        case str() if -len(base) * 4 <= to_integer(name) < len(base) * 4:
            return member(base, name)
        case Moment() | Duration():
            raise misfit(f"{type_name(base)} has no member {name}", base)
    return None


def _position(base: list[object], name: object) -> int | None:
    position = to_integer(name)
    if position < 0:
        position += len(base)
    return position if 0 <= position < len(base) else None


def sliced(base: object, start: object, stop: object, effort: Effort) -> object:
    """``base[start:stop]``. Of a string these are bytes; what would cut a character in two is refused."""
    if isinstance(base, list):
        effort.demand(len(base) // ITEMS_PER_UNIT)
        part = base[_bounds(len(base), start, stop)]
        return part if isinstance(base, Pair) else base.__class__(part)
    if not isinstance(base, str):
        raise ExpressionError(f"{type_name(base)} cannot be sliced")
    effort.demand(len(base) // CHARACTERS_PER_UNIT)
    found = encoded(base)
    try:
        return found[_bounds(len(found), start, stop)].decode()
    except UnicodeDecodeError:
        raise Refused("a slice of a string begins or ends within a character") from None


def _bounds(length: int, start: object, stop: object) -> slice:
    first, last = to_integer(start), length if stop is None else to_integer(stop)
    first = max(first + length if first < 0 else first, 0)
    last = min(max(last + length if last < 0 else last, 0), length)
    return slice(min(first, last), last)
