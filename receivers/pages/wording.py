"""Rows of the journal in words: for the pages, their JSON and the commands. Pure."""

import re
from datetime import UTC, datetime, timedelta

from receivers.journal.journal import Finding, Row, State, WarehouseRow
from receivers.providers import segment

PULL_REQUEST = "pull request"
NAMED = 2  # Warehouses that a summary names; the rest is counted

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600  # seconds
PRECISE = 10  # seconds, below which a tenth matters
_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}

PROVIDER_NAMES = {"acr": "azure"}  # two segments of URLs for one provider

# What stands on a page for a state.
LABELS = {
    State.REFRESHED: "Refreshed",
    State.NOTHING: "Nothing to do",
    State.QUEUED: "Queued",
    State.FAILED: "Failed",
    State.PING: "Ping",
    State.IGNORED: "Ignored",
    State.REFUSED: "Refused",
    State.GONE: "Gone",
}

FINDINGS = {Finding.FOUND: "Found", Finding.SOUGHT: "Looked for", Finding.MISSING: "Not found"}

# What stands there for a delivery that names no repository.
EVENTS = {
    "push": "Push",
    PULL_REQUEST: "Pull request",
    "selection": "What its receiver selects",
    "faulty": "A fault of its receiver",
    "ping": "Ping",
    "handshake": "Handshake",
    "ignored": "Another event",
}


def artifact(row: Row) -> str:
    """``quay.io/team/app:1.2.3``; for what pushed nothing, what it was or was posted to: ``/quay/…``."""
    if not row.repository and not row.event:  # it was refused before it was understood; the rest of its URL is secret
        return f"/{segment(row.provider)}/…"
    if not row.repository:
        return EVENTS.get(row.event, row.event)
    name = "/".join(part for part in (row.registry, row.repository) if part)
    if row.tag:
        return f"{name}:{row.tag}"
    return f"{name}@{row.digest[:19]}…" if row.digest else name


def title(row: Row) -> str:
    """The same for a page of its own, which says for which receiver it came where nothing was pushed."""
    return artifact(row) if row.repository or not row.receiver else f"{artifact(row)} for {receiver(row)}"


def receiver(row: Row) -> str:
    """``kargo-demo/acr``; the cluster's own receivers have no project."""
    return f"{row.project or '(cluster)'}/{row.receiver}" if row.receiver else "no receiver"


def provider(name: str) -> str:
    """The name of a provider for people: ``acr`` and ``azure`` are one to them."""
    return PROVIDER_NAMES.get(name, name)


def providers(name: str) -> tuple[str, ...]:
    """The providers that people mean by a name."""
    return (provider(name), *(each for each, known in PROVIDER_NAMES.items() if known == provider(name)))


def next_try(at: datetime | None, *, exact: bool, now: datetime) -> str:
    """``in 12 s``, ``in about 2 min``, ``now``; or that the cluster is waited for."""
    if at is None:
        return "once the cluster answers"
    seconds = (at - now).total_seconds()
    if seconds < 1:
        return "now" if exact else "soon"
    return f"in {'' if exact else 'about '}{_whole(seconds)}"


def summary(row: Row) -> str:
    """What became of a delivery, in half a sentence."""
    refreshed = [warehouse for warehouse in row.warehouses if warehouse.state == State.REFRESHED]
    match row.state:
        case State.REFRESHED:
            return _names(refreshed) or row.answer
        case State.NOTHING:
            return _why_nothing(row)
        case State.QUEUED:
            waiting = [warehouse for warehouse in row.warehouses if warehouse.state == State.QUEUED]
            return f"waits to refresh {_names(waiting)}" if waiting else "waits until the cluster can be reached"
        case _:
            return row.reason or row.answer


def _why_nothing(row: Row) -> str:
    for warehouse in row.warehouses:
        if not warehouse.refresh:
            others = len(row.warehouses) + row.unlisted - 1
            more = f", and {others} more" if others else ""
            return f"{warehouse.name}: {warehouse.reason}{more}"
    if row.event == PULL_REQUEST:
        return "no Promotion waits for it"
    if row.event == "selection":
        return "its receiver selects no Warehouse that there is"
    return "no Warehouse subscribes to it" if row.event == "push" else row.reason


def kind(row: Row) -> str:
    """What the delivery may refresh."""
    return "Promotion" if row.event == PULL_REQUEST else "Warehouse"


def nobody(row: Row) -> str:
    """Why a delivery concerns nobody."""
    if row.event == "selection":
        return "Its receiver selects no Warehouse that there is."
    if row.event == PULL_REQUEST:
        return "No Promotion in reach of this receiver waits for this pull request."
    return "No Warehouse in reach of this receiver subscribes to this repository."


def _names(warehouses: list[WarehouseRow]) -> str:
    """``Warehouse app``, ``Warehouses app, web and 3 more``; empty for none."""
    if not warehouses:
        return ""
    named = ", ".join(warehouse.name for warehouse in warehouses[:NAMED])
    rest = len(warehouses) - NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"{warehouses[0].kind}{'' if len(warehouses) == 1 else 's'} {named}{more}"


def handled(row: Row, at: datetime | None) -> str:
    """``1.8 s``: from a delivery's arrival until Kargo had acted on it; empty when it has not been seen to."""
    if at is None:
        return ""
    seconds = (at - row.received_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < PRECISE else duration(seconds)


def finding(row: Row) -> str:
    """Whether Kargo has found what was pushed; empty when nobody knows."""
    match row.finding:
        case Finding.FOUND:
            return f"found after {handled(row, row.found_at)}"
        case Finding.SOUGHT:
            return "not found yet, and Kargo is asked again"
        case Finding.MISSING:
            return "not found"
        case None:
            return ""


def duration(length: timedelta | float) -> str:
    """``4 ms``, ``1.8 s``, ``45 s``, ``3 min``, ``2 h``, ``4 days``."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < PRECISE:
        return f"{seconds:.1f} s"
    return _whole(seconds)


def _whole(seconds: float) -> str:
    for limit, unit, name in ((2 * MINUTE, 1, "s"), (2 * HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h")):
        if seconds < limit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds // DAY:.0f} days"


def ago(time: datetime, *, now: datetime) -> str:
    """``12 s ago``; a time of another day in full."""
    age = (now - time).total_seconds()
    if age < 1:
        return "just now"
    return f"{_whole(age)} ago" if age < DAY else f"{time.astimezone(UTC):%d %b %Y, %H:%M}"


def utc(time: datetime) -> str:
    """``2026-11-21 09:31:11 UTC``."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def parse_duration(text: str) -> timedelta:
    """``90s``, ``30m``, ``12h``, ``7d``. Raises ValueError, whose text says what would be right."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("a duration is a number with s, m, h or d behind it: 90s, 30m, 12h, 7d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def after(moment: datetime, seconds: float) -> datetime:
    """So much later; the same moment where somebody has written what leads to no time."""
    try:
        return moment + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return moment
