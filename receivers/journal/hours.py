"""Deliveries by the hour in which they arrived: how many ended how, and how long they took.

A delivery counts in one state and in one finding at a time: when it gets further the earlier one is taken back. So what
is kept are differences, whose sum over all that were ever noted is right, whoever noted them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import accumulate
from typing import NamedTuple

import msgspec

from receivers import limits
from receivers.journal.journal import Finding, Row, State

HOUR = timedelta(hours=1)
OTHERS = "*"  # the receiver of those beyond the bound: no name in Kubernetes
BOUNDS: tuple[float, ...] = tuple(1.5**number / 1000 for number in range(38))  # seconds, from 1 ms to 55 min

type Counts = Counter[str]  # differences, by what _names calls them


class Whose(NamedTuple):
    """What deliveries are counted by."""

    provider: str
    project: str
    receiver: str


class Hour(msgspec.Struct, kw_only=True):
    """The deliveries of one receiver that arrived within one hour."""

    began: datetime  # UTC
    provider: str
    project: str
    receiver: str  # empty: none was found; OTHERS: one of those beyond the bound
    states: dict[str, int]  # deliveries by State
    findings: dict[str, int]  # by Finding
    answered: list[int]  # deliveries by seconds from arrival to answer: up to each of BOUNDS, and above the last
    handled: list[int]  # the same, until Kargo had handled all of it
    found: list[int]  # the same, until it had found all of it


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The seconds within which this share of what was counted by BOUNDS lies; None of nothing.

    Between two bounds as if spread evenly. Above the last bound it is that one.
    """
    total = sum(counts)
    if total <= 0:
        return None
    sums = list(accumulate(counts))
    position = min(bisect_left(sums, max(share * total, 1e-9)), len(BOUNDS))
    if position >= len(BOUNDS):
        return BOUNDS[-1]
    low = BOUNDS[position - 1] if position else 0.0
    within = (share * total - (sums[position] - counts[position])) / counts[position]
    return low + (BOUNDS[position] - low) * within


def hour_of(row: Row) -> int:
    """The hour in which a delivery arrived, as its id tells: in hours since 1970."""
    return int(row.id[:12], 16) // 3_600_000


def hour_at(time: datetime) -> int:
    """The hour that a time belongs to, in hours since 1970."""
    return int(time.timestamp()) // 3600


def first_id(hour: int) -> str:
    """Deliveries that arrived before an hour have smaller ids, and no others."""
    return f"{hour * 3_600_000:012x}{0:012x}"


def began(hour: int) -> datetime:
    """When an hour began. Raises OverflowError or ValueError where Python has no such time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + hour * HOUR


def names(row: Row) -> list[str]:
    """What a row counts for."""
    told = [f"s{row.state.value}", f"a{_place(row.duration)}"]
    if row.finding is not None:
        told.append(f"f{row.finding.value}")
    for letter, at in (("h", row.handled_at), ("d", row.found_at)):
        if at is not None:
            told.append(f"{letter}{_place((at - row.received_at).total_seconds())}")
    return told


class Tally:
    """Differences of one hour, by receiver."""

    def __init__(self) -> None:
        self._counts: dict[Whose, Counts] = {}

    def change(self, row: Row, told: Iterable[str], before: Iterable[str]) -> None:
        """Count a row for ``told``, each as of :func:`names`, which counted for ``before`` until now."""
        counts = self._counts.setdefault(self._whose(row), Counter())
        counts.update(told)
        counts.subtract(before)

    def encoded(self) -> str:
        """As JSON."""
        told = [[*whose, {name: count for name, count in counts.items() if count}] for whose, counts in self]
        return msgspec.json.encode(told).decode()

    def __iter__(self) -> Iterator[tuple[Whose, Counts]]:
        return iter(list(self._counts.items()))

    def _whose(self, row: Row) -> Whose:
        """A URL that was a receiver's is nobody's now: no sender is refused by that receiver."""
        if row.status == HTTPStatus.NOT_FOUND:
            return Whose(row.provider, "", "")
        whose = Whose(row.provider, row.project, row.receiver)
        if whose in self._counts or len(self._counts) < limits.HOUR_RECEIVERS:
            return whose
        return Whose(row.provider, "", OTHERS)


def decoded(text: str) -> list[tuple[Whose, Mapping[str, int]]]:
    """What was encoded. Raises msgspec.DecodeError."""
    told = msgspec.json.decode(text, type=list[tuple[str, str, str, dict[str, int]]])
    return [(Whose(*whose), counts) for *whose, counts in told]


class Merged:
    """Differences of many, added up."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, Whose], Counts] = {}

    def add(self, hour: int, told: Iterable[tuple[Whose, Mapping[str, int]]]) -> None:
        """Add the differences of one."""
        for whose, counts in told:
            self._counts.setdefault((hour, whose), Counter()).update(counts)

    async def add_rows(self, rows: AsyncIterator[Row]) -> None:
        """Add what rows count for."""
        async for row in rows:
            tally = Tally()
            tally.change(row, names(row), ())
            self.add(hour_of(row), tally)

    def hours(self) -> list[Hour]:
        """One for each hour and receiver, oldest first."""
        return [_hour(hour, whose, counts) for (hour, whose), counts in sorted(self._counts.items())]


def full_hour(time: datetime) -> datetime:
    """When the hour of a time began."""
    return time.replace(minute=0, second=0, microsecond=0)


def _hour(hour: int, whose: Whose, counts: Counts) -> Hour:
    return Hour(
        began=began(hour),
        **whose._asdict(),
        states=_named(counts, "s", State),
        findings=_named(counts, "f", Finding),
        answered=_placed(counts, "a"),
        handled=_placed(counts, "h"),
        found=_placed(counts, "d"),
    )


def _named(counts: Counts, letter: str, values: Iterable[State] | Iterable[Finding]) -> dict[str, int]:
    return {each.value: counts[letter + each.value] for each in values if counts[letter + each.value] > 0}


def _placed(counts: Counts, letter: str) -> list[int]:
    return [max(0, counts[f"{letter}{place}"]) for place in range(len(BOUNDS) + 1)]


def _place(seconds: float) -> int:
    return bisect_left(BOUNDS, seconds)
