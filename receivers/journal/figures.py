"""The journal's hourly aggregates folded to what an overview shows of them: outcomes, times, and who delivered when.

Read often, and seldom new: what is older than the last hours is read again every ten minutes only.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from receivers import limits
from receivers.journal.hours import BOUNDS, HOUR, Hour, Whose, full_hour
from receivers.journal.journal import Journal, State

TURN = 50  # aggregates folded before other tasks of the event loop get their turn
KEPT = timedelta(days=30)


@dataclass(slots=True)
class Folded:
    """One hour of all receivers."""

    states: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    answered: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))  # by BOUNDS, as in Hour
    handled: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    found: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, hour: "Hour | Folded") -> None:
        """Count these too."""
        self.states.update(hour.states)
        self.findings.update(hour.findings)
        self.answered = _sum(self.answered, hour.answered)
        self.handled = _sum(self.handled, hour.handled)
        self.found = _sum(self.found, hour.found)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a receiver got within an hour."""

    taken: int = 0  # all but the refused ones
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Deliveries by the hour in which they arrived."""

    hours: dict[datetime, Folded] = field(default_factory=dict)
    receivers: dict[Whose, dict[datetime, Taken]] = field(default_factory=dict)

    def add(self, hour: Hour) -> None:
        """Count an aggregate."""
        self.hours.setdefault(hour.began, Folded()).add(hour)
        if hour.receiver:
            refused = hour.states.get(State.REFUSED, 0)
            mine = self.receivers.setdefault(Whose(hour.provider, hour.project, hour.receiver), {})
            mine[hour.began] = Taken(sum(hour.states.values()) - refused, refused)

    def since(self, began: datetime) -> Folded:
        """All of the hours that began then or later, in one."""
        total = Folded()
        for hour, folded in self.hours.items():
            if hour >= began:
                total.add(folded)
        return total

    def busiest(self, began: datetime) -> list[tuple[Whose, Taken]]:
        """The receivers that got something since, those with the most first."""
        totals = (
            (whose, _total(taken for hour, taken in hours.items() if hour >= began))
            for whose, hours in self.receivers.items()
        )
        found = [(whose, total) for whose, total in totals if total.taken or total.refused]
        return sorted(found, key=lambda each: (-each[1].taken - each[1].refused, each[0]))


class RecentHours:
    """Reads a journal's aggregates of the last 30 days."""

    def __init__(
        self,
        journal: Journal,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._now = now
        self._clock = clock
        self._old = (-limits.HOURS_OLD_FRESH, datetime.min.replace(tzinfo=UTC), Figures())  # when read; until; what
        self._read: tuple[float, Figures] | None = None
        self._lock = asyncio.Lock()

    async def figures(self) -> Figures:
        """What was counted, ten seconds ago at most; of older hours ten minutes ago. Raises StorageError."""
        async with self._lock:
            if self._read is None or self._clock() - self._read[0] >= limits.HOURS_FRESH:
                self._read = (self._clock(), await self._look())
            return self._read[1]

    async def _look(self) -> Figures:
        read_at, until, old = self._old
        if self._clock() - read_at >= limits.HOURS_OLD_FRESH:
            until = full_hour(self._now()) - HOUR
            whole = await self._journal.hours(self._now() - KEPT)
            old = await _folded(each for each in whole if each.began < until)
            recent = await _folded(each for each in whole if each.began >= until)
            self._old = (self._clock(), until, old)
        else:
            recent = await _folded(each for each in await self._journal.hours(until) if each.began >= until)
        receivers = {whose: dict(hours) for whose, hours in old.receivers.items()}
        for whose, hours in recent.receivers.items():
            receivers.setdefault(whose, {}).update(hours)
        return Figures(old.hours | recent.hours, receivers)


async def _folded(hours: Iterable[Hour]) -> Figures:
    figures = Figures()
    for position, hour in enumerate(hours, start=1):
        figures.add(hour)
        if position % TURN == 0:
            await asyncio.sleep(0)
    return figures


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _total(taken: Iterable[Taken]) -> Taken:
    found = list(taken)
    return Taken(sum(each.taken for each in found), sum(each.refused for each in found))
