"""NCRONTAB: ``second minute hour day month weekday``, as timer triggers are scheduled.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from receivers.local.host.errors import UnusableSchedule

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")  # 0 is Sunday
HORIZON = 41 * 366  # days: the 29th of February is a Monday that seldom where a century is no leap year
WITHOUT_SECONDS, WITH_SECONDS = 5, 6  # fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The values of each field, in order. A day must match the day of the month as well as that of the week."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def after(self, moment: datetime) -> datetime:
        """The first time later than ``moment``, which is in UTC. Raises :class:`UnusableSchedule` if there is none."""
        earliest = moment.replace(microsecond=0) + timedelta(seconds=1)
        midnight = earliest.replace(hour=0, minute=0, second=0)
        if self._has(earliest) and (due := self._on(earliest)):
            return due
        for days in range(1, HORIZON):
            if self._has(day := midnight + timedelta(days=days)) and (due := self._on(day)):
                return due
        raise UnusableSchedule("its time never comes")

    def _has(self, day: datetime) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _on(self, earliest: datetime) -> datetime | None:
        """The first time on that day that is not before ``earliest``."""
        first = (earliest.hour, earliest.minute, earliest.second)
        times = (
            earliest.replace(hour=hour, minute=minute, second=second)
            for hour in self.hours
            if hour >= first[0]
            for minute in self.minutes
            if (hour, minute) >= first[:2]
            for second in self.seconds
            if (hour, minute, second) >= first
        )
        return next(times, None)


def parse(text: str) -> Schedule:
    """Understand ``*``, ``5``, ``1-5``, ``*/10``, ``Mon``, and lists of them. Without seconds: at second 0.

    Raises :class:`UnusableSchedule`.
    """
    fields = text.split()
    if len(fields) == WITHOUT_SECONDS:
        fields.insert(0, "0")
    if len(fields) != WITH_SECONDS:
        raise UnusableSchedule(f"schedule {text!r}: six fields are needed, from second to weekday")
    try:
        schedule = Schedule(
            seconds=values(fields[0], 0, 59),
            minutes=values(fields[1], 0, 59),
            hours=values(fields[2], 0, 23),
            days=values(fields[3], 1, 31),
            months=values(fields[4], 1, 12, MONTHS),
            weekdays=values(fields[5], 0, 6, WEEKDAYS),
        )
        schedule.after(datetime.now(UTC))
    except (ValueError, UnusableSchedule) as error:
        raise UnusableSchedule(f"schedule {text!r}: {error}") from None
    return schedule


def values(field: str, least: int, most: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    """The values that a field means, in order. Raises ValueError."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        begin, end = ends(span, least, most, names)
        if slash and "-" not in span:
            end = most
        found.update(range(begin, end + 1, number(step, 1, most, ()) if slash else 1))
    if not found:
        raise ValueError(f"{field!r} has no values")
    return tuple(sorted(found))


def ends(span: str, least: int, most: int, names: tuple[str, ...]) -> tuple[int, int]:
    """The first and the last value of ``*``, ``5`` or ``1-5``."""
    if span == "*":
        return least, most
    first, dash, last = span.partition("-")
    begin = number(first, least, most, names)
    return begin, number(last, least, most, names) if dash else begin


def number(text: str, least: int, most: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + least
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is no number from {least} to {most}")
    return int(text)
