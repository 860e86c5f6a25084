"""Times and durations as Go has them: what of their texts is read, and their methods.

A time is read in the layouts that ``date()`` tries by itself, but for those that name months and zones by words.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as day_of

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import arithmetic
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.natures import BOOL, DURATION, FLOAT, INT, TIME, Nature
from receivers.kargo.expressions.values import Duration, Moment, text, type_name

_SECOND = 1_000_000_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND
_EPOCH = day_of(1970, 1, 1).toordinal()
_CYCLE_YEARS, _CYCLE = 400, 146_097  # years after which the calendar repeats itself, and their days
_LAST_YEAR = 9999
_LONGEST = 64  # characters of a text that is read
_READING = 8  # units, of a date, and of a duration beside its characters

# Times

_DATE = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
_TIME = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9])(?:[.,](?P<fraction>[0-9]+))?"
_ZONE = r"(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{2}):(?P<minutes>[0-9]{2}))"
_LAYOUTS = [*map(re.compile, (_DATE, _TIME, f"{_DATE} +{_TIME}", f"{_DATE}T{_TIME}{_ZONE}"))]
_WORD = re.compile("[A-Za-z]{3}")
_LAST_HOUR, _LAST_HOURS, _LAST_MINUTES = 23, 24, 60  # of a day, and of the offset of a zone


def date(effort: Effort, value: object, *layouts: object) -> Moment:
    """A time that a text tells. Raises Refused for what says in which layout, and for months and zones in words."""
    if layouts:
        raise Refused("date() with a layout is not supported")
    given = _given(effort, value)
    for layout in _LAYOUTS:
        if found := layout.fullmatch(given):
            return _read(found.groupdict())
    if _WORD.search(given):
        raise Refused("date() of a text with words is not supported")
    raise ExpressionError("a string is no date")


def _given(effort: Effort, value: object) -> str:
    given = text(value)
    if len(given) > _LONGEST:
        raise Refused(f"a date or a duration is longer than {_LONGEST} characters")
    effort.demand(_READING)
    return given


def _read(parts: dict[str, str | None]) -> Moment:
    def number(name: str, default: int = 0) -> int:
        return int(parts.get(name) or default)

    hours, minutes = number("hours"), number("minutes")
    if number("hour") > _LAST_HOUR or hours > _LAST_HOURS or minutes > _LAST_MINUTES:
        raise ExpressionError("a string is no date")
    offset = (hours * 60 + minutes) * (-60 if parts.get("sign") == "-" else 60)
    seconds = (number("hour") * 60 + number("minute")) * 60 + number("second") - offset
    fraction = int((parts.get("fraction") or "0")[:9].ljust(9, "0"))
    days = _days(number("year"), number("month", 1), number("day", 1))
    return Moment(days * _DAY + seconds * _SECOND + fraction, offset)


def _days(year: int, month: int, day: int) -> int:
    """Since 1970, in a calendar that has a year 0."""
    try:
        return day_of(year or _CYCLE_YEARS, month, day).toordinal() - _EPOCH - (0 if year else _CYCLE)
    except ValueError:
        raise ExpressionError("a string is no date") from None


def moment(now: datetime) -> Moment:
    """A time of Python's, in UTC."""
    since = now.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return Moment((since.days * 86_400 + since.seconds) * _SECOND + since.microseconds * 1_000)


def written(value: Moment) -> str:
    """As Go writes it in JSON. Raises ExpressionError for a year of not four digits, and an offset of a day."""
    year, month, day = _calendar(value)
    since = _local(value) % _DAY
    hours, minutes = divmod(abs(value.offset) // 60, 60)
    if not 0 <= year <= _LAST_YEAR or hours > _LAST_HOUR:
        raise ExpressionError("JSON has no such time")
    hour, minute, second = since // _HOUR, since % _HOUR // _MINUTE, _decimal(since % _MINUTE, _SECOND, width=2)
    zone = f"{'-' if value.offset < 0 else '+'}{hours:02}:{minutes:02}" if value.offset else "Z"
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second}{zone}"


def _calendar(value: Moment) -> tuple[int, int, int]:
    """Year, month and day."""
    cycles, day = divmod(_local(value) // _DAY + _EPOCH - 1, _CYCLE)
    found = day_of.fromordinal(day + 1)
    return found.year + cycles * _CYCLE_YEARS, found.month, found.day


def _local(value: Moment) -> int:
    return value.nanoseconds + value.offset * _SECOND


def _decimal(nanoseconds: int, unit: int, *, width: int = 1) -> str:
    """In such units, with as many digits as needed."""
    whole, rest = divmod(nanoseconds, unit)
    fraction = str(unit + rest)[1:].rstrip("0")
    return f"{whole:0{width}}.{fraction}" if fraction else f"{whole:0{width}}"


# Durations

_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^.0-9]+)")
_UNITS = {"ns": 1, "us": 1_000, "\u00b5s": 1_000, "\u03bcs": 1_000, "ms": 1_000_000}
_UNITS |= {"s": _SECOND, "m": _MINUTE, "h": _HOUR}
_SHORT = (("ms", 1_000_000), ("\u00b5s", 1_000), ("ns", 1))  # and their nanoseconds
_MOST = 1 << 63


def duration(effort: Effort, value: object) -> Duration:
    """What a text as ``1h30m`` says. Raises ExpressionError for what says none, or one of more than 64 bits."""
    given = _given(effort, value)
    effort.demand(len(given))
    negative = given.startswith("-")
    rest = given[1:] if given[:1] in {"-", "+"} else given
    if rest == "0":
        return Duration(0)
    total = _sum(rest)
    if not negative and total == _MOST:
        raise _no_duration()
    return Duration(-total if negative else total)


def _sum(given: str) -> int:
    """The parts' nanoseconds; twice the most that there may be is none, as in Go."""
    if not given:
        raise _no_duration()
    total = position = 0
    while position < len(given):
        part = _PART.match(given, position)
        if part is None:
            raise _no_duration()
        total = (total + _nanoseconds(part[1], part[2] or "", part[3])) % (2 * _MOST)
        if total > _MOST:
            raise _no_duration()
        position = part.end()
    return total


def _nanoseconds(before: str, after: str, unit: str) -> int:
    size = _UNITS.get(unit)
    if size is None or not (before or after) or int(before or 0) > _MOST // size:
        raise _no_duration()
    fraction, scale = _fraction(after)
    found = int(before or 0) * size + int(fraction * (size / scale))
    if found > _MOST:
        raise _no_duration()
    return found


def _fraction(digits: str) -> tuple[float, float]:
    """Digits as far as 63 bits hold them, and what they are to be divided by."""
    number, scale = 0, 1.0
    for digit in digits:
        further = number * 10 + int(digit)
        if number > (_MOST - 1) // 10 or further > _MOST:
            break
        number, scale = further, scale * 10
    return float(number), scale


def _no_duration() -> ExpressionError:
    return ExpressionError("a string is no duration")


def spelled(value: Duration) -> str:
    """As Go shows it: ``1h0m0.5s``, ``1.5ms``."""
    size = abs(value.nanoseconds)
    sign = "-" if value.nanoseconds < 0 else ""
    if not size:
        return "0s"
    if size < _SECOND:
        name, unit = next(each for each in _SHORT if size >= each[1])
        return f"{sign}{_decimal(size, unit)}{name}"
    minutes, seconds = divmod(size, _MINUTE)
    hours, minutes = divmod(minutes, 60)
    shown = f"{hours}h" if hours else ""
    shown += f"{minutes}m" if hours or minutes else ""
    return f"{sign}{shown}{_decimal(seconds, _SECOND)}s"


# Methods


@dataclass(frozen=True, slots=True)
class Method:
    """What a method belongs to, takes and gives."""

    base: Nature
    argument: Nature | None
    result: Nature
    function: Callable[..., object]


def call(value: Moment | Duration, name: str, arguments: list[object]) -> object:
    """Call one of METHODS. Raises Refused for what it cannot take, and if the value has no such method."""
    method = METHODS[name]
    wanted = [_CLASSES[each.type] for each in (method.base, method.argument) if each]
    if [each.__class__ for each in (value, *arguments)] != wanted:
        raise Refused(f"{name}() of {type_name(value)} is not supported with these arguments")
    return method.function(value, *arguments)


_CLASSES: dict[str, type] = {TIME.type: Moment, DURATION.type: Duration}


def _in(unit: int) -> Callable[[Duration], float]:
    """Whole units and the rest are floats of their own, as in Go."""

    def found(value: Duration) -> float:
        whole, rest = divmod(abs(value.nanoseconds), unit)
        size = whole + rest / unit
        return -size if value.nanoseconds < 0 else size

    return found


METHODS: dict[str, Method] = {
    "Year": Method(TIME, None, INT, lambda value: _calendar(value)[0]),
    "Day": Method(TIME, None, INT, lambda value: _calendar(value)[2]),
    "Hour": Method(TIME, None, INT, lambda value: _local(value) % _DAY // _HOUR),
    "Minute": Method(TIME, None, INT, lambda value: _local(value) % _HOUR // _MINUTE),
    "Second": Method(TIME, None, INT, lambda value: _local(value) % _MINUTE // _SECOND),
    "Before": Method(TIME, TIME, BOOL, lambda value, other: value < other),
    "After": Method(TIME, TIME, BOOL, lambda value, other: value > other),
    "Equal": Method(TIME, TIME, BOOL, lambda value, other: value == other),
    "Add": Method(TIME, DURATION, TIME, lambda value, other: arithmetic.add(value, other, Effort(0))),
    "Sub": Method(TIME, TIME, DURATION, arithmetic.subtract),
    "UTC": Method(TIME, None, TIME, lambda value: Moment(value.nanoseconds)),
    "Hours": Method(DURATION, None, FLOAT, _in(_HOUR)),
    "Minutes": Method(DURATION, None, FLOAT, _in(_MINUTE)),
    "Seconds": Method(DURATION, None, FLOAT, _in(_SECOND)),
}
