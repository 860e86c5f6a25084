"""The first page: is all well, what to do next, and what arrived lately. The same for ``kargo-receivers status``."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from receivers.deliveries.refusals import Summary
from receivers.journal.figures import Figures, Folded, Taken
from receivers.journal.hours import HOUR, OTHERS, Whose, quantile
from receivers.journal.journal import State
from receivers.pages import charts, checks, queries, wording
from receivers.pages.charts import Column
from receivers.pages.checks import Level
from receivers.pages.visits import Refused, View, Visit
from receivers.runtime import Runtime
from receivers.storage.account import StorageError

BUSIEST = 8  # receivers listed
# From the bottom of the chart to its top. The filter of /deliveries has the same names.
SERIES = {
    state.value: wording.LABELS[state]
    for state in (
        State.REFRESHED,
        State.NOTHING,
        State.PING,
        State.IGNORED,
        State.QUEUED,
        State.REFUSED,
        State.FAILED,
    )
}
TIMES = {
    "answered": "Arrival to answer",
    "handled": "Push to handled by Kargo",
    "found": "Push to found by Kargo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A choice of how much is shown, in columns of some hours each."""

    name: str
    title: str
    length: timedelta
    column: timedelta
    label_every: int  # columns
    label: str  # strftime


RANGES = {
    "24h": Range(name="24h", title="24 hours", length=timedelta(days=1), column=HOUR, label_every=3, label="%H:%M"),
    "7d": Range(name="7d", title="7 days", length=timedelta(days=7), column=6 * HOUR, label_every=4, label="%a %d"),
    "30d": Range(
        name="30d", title="30 days", length=timedelta(days=30), column=24 * HOUR, label_every=5, label="%d %b"
    ),
}
COLUMNS = {HOUR: "hour", 6 * HOUR: "six hours", 24 * HOUR: "day"}


async def listing(visit: Visit, service: Runtime) -> View:
    """The overview. A journal that is away, or not there, takes the figures away and nothing else."""
    queries.refuse_unknown(visit, ("range",))
    chosen = RANGES.get(visit.query.get("range", "24h"))
    if chosen is None:
        raise Refused(400, "No such range", f"range is one of {', '.join(RANGES)}.")
    now = datetime.now(UTC)
    (figures, why), _ = await asyncio.gather(_figures(service), service.availability.look())
    found, refusals = await asyncio.gather(checks.of(service, figures, now=now), service.refusals.summary())
    shown = None if figures is None else _Shown(figures, chosen, now=now)
    return View(
        template="overview.html",
        values={
            "checks": sorted(found, key=lambda check: list(Level).index(check.level), reverse=True),
            "level": checks.worst(found),
            "next_check": checks.next_of(found),
            "chosen": chosen,
            "ranges": RANGES.values(),
            "shown": shown,
            "why": why,
            "refusals": refusals,
            "series": SERIES,
            "times": TIMES,
            "charts": charts,
            "seconds": _seconds,
        },
        document={
            **_document(found, refusals, away=service.availability.away_for, chosen=chosen, shown=shown),
            "withoutFigures": why or None,
        },
    )


async def _figures(service: Runtime) -> tuple[Figures | None, str]:
    """What is known of the last 30 days, or why nothing is."""
    if service.hours is None:
        return None, "There are no figures: this service has no journal."
    try:
        return await service.hours.figures(), ""
    except StorageError as error:
        return None, f"There are no figures at the moment: the journal cannot be read: {error}"


class _Shown:
    """The figures of a range."""

    def __init__(self, figures: Figures, chosen: Range, *, now: datetime) -> None:
        ends = _end(now, chosen.column)
        began = ends - chosen.length
        self.column_name = COLUMNS[chosen.column]
        self.bins = _bins(figures, began, chosen)
        self.total = figures.since(began)
        self.busiest = figures.busiest(began)[:BUSIEST]
        self.counts = _series(self.total)
        self.deliveries = sum(self.counts.values())
        columns = [_column(position, bin_, chosen) for position, bin_ in enumerate(self.bins)]
        self.columns = columns
        self.chart = charts.stacked(columns, series=tuple(SERIES))
        self.times = {name: _times(getattr(self.total, name)) for name in TIMES}

    @staticmethod
    def name(whose: Whose) -> str:
        """A receiver, for people."""
        if whose.receiver == OTHERS:
            return f"others of {whose.provider}"
        return f"{whose.project or '(cluster)'}/{whose.receiver}"


@dataclass(frozen=True, slots=True)
class _Bin:
    """A column's hours."""

    began: datetime
    counts: dict[str, int]


def _end(now: datetime, column: timedelta) -> datetime:
    """When the column ends that this moment is in. Days and quarters of days are those of UTC."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + ((now - day) // column + 1) * column


def _bins(figures: Figures, began: datetime, chosen: Range) -> list[_Bin]:
    counted: dict[int, Counter[str]] = {}
    for hour, folded in figures.hours.items():
        counted.setdefault((hour - began) // chosen.column, Counter()).update(_series(folded))
    count = chosen.length // chosen.column
    return [
        _Bin(began + each * chosen.column, {name: counted.get(each, Counter())[name] for name in SERIES})
        for each in range(count)
    ]


def _series(folded: Folded) -> dict[str, int]:
    return {name: folded.states[name] for name in SERIES}


def _column(position: int, bin_: _Bin, chosen: Range) -> Column:
    told = [f"{count} {SERIES[name].lower()}" for name, count in bin_.counts.items() if count]
    form = "%d %b" if chosen.column == 24 * HOUR else "%d %b, %H:%M"
    return Column(
        label=f"{bin_.began:{chosen.label}}" if position % chosen.label_every == 0 else "",
        says=f"{bin_.began:{form}}: {', '.join(told) or 'none'}",
        counts=bin_.counts,
    )


def _times(counts: Sequence[int]) -> dict[str, Any]:
    return {"median": quantile(counts, 0.5), "p95": quantile(counts, 0.95), "deliveries": sum(counts)}


def _document(
    found: Sequence[checks.Check], refusals: Summary, *, away: float | None, chosen: Range, shown: _Shown | None
) -> dict[str, Any]:
    level, first = checks.worst(found), checks.next_of(found)
    return {
        "well": level is Level.OK,
        "level": level.value,
        "next": None if first is None else first.document,
        "checks": [check.document for check in found],
        "clusterAwaySeconds": None if away is None else round(away),
        "range": chosen.name,
        "figures": None if shown is None else _told(shown),
        "refusedRequests": {
            "ofThisInstance": not refusals.whole,
            "reasons": [
                {"reason": each.value, "lastHour": refusals.hour(each), "lastDay": refusals.day(each)}
                for each in refusals.reasons
            ],
        },
    }


def _told(shown: _Shown) -> dict[str, Any]:
    return {
        "total": shown.deliveries,
        "outcomes": shown.counts,
        "deliveries": [{"from": each.began.isoformat(), **each.counts} for each in shown.bins],
        "seconds": shown.times,
        "findings": dict(shown.total.findings),
        "busiest": [_receiver(whose, taken) for whose, taken in shown.busiest],
    }


def _receiver(whose: Whose, taken: Taken) -> dict[str, Any]:
    return {**whose._asdict(), "taken": taken.taken, "refused": taken.refused}


def _seconds(value: float | None) -> str:
    """A time of the table; a dash where nothing was measured."""
    return "-" if value is None else wording.duration(value)
