"""What happened to a delivery, in order, from its arrival until Kargo had found what was pushed. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from receivers.journal.journal import Finding, Row, State, WarehouseRow
from receivers.pages import wording

PATCHED = len("2026-11-21T08:56:47.404158")  # of a refresh's value, which begins with the time of its patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened."""

    at: datetime
    what: str
    kind: str = ""  # good, warn or bad
    detail: str = ""


def of(row: Row) -> list[Moment]:
    """Every moment that is known, in order."""
    return sorted(_moments(row), key=lambda moment: moment.at)


def _moments(row: Row) -> Iterator[Moment]:
    yield Moment(at=row.received_at, what="Arrived")
    if row.status:
        answered = wording.after(row.received_at, row.duration)
        queued = row.status == 202  # noqa: PLR2004 - Accepted: it waits
        yield Moment(
            at=answered, what=f"{'Queued, and answered' if queued else 'Answered'} {row.status}", detail=row.answer
        )
    for number, attempt in enumerate(row.attempts, start=1):
        done = f"refreshed {attempt.refreshed} {wording.kind(row)}{'' if attempt.refreshed == 1 else 's'}"
        yield Moment(
            at=attempt.at,
            what=f"Try {number}" if attempt.error else f"Try {number}: {done}",
            kind="warn" if attempt.error else "",
            detail=attempt.error,
        )
    for warehouse in row.warehouses:
        yield from _of_warehouse(warehouse)


def _of_warehouse(warehouse: WarehouseRow) -> Iterator[Moment]:
    name = f"{warehouse.kind} {warehouse.project}/{warehouse.name}"
    patched = _patched(warehouse.value)
    if patched is not None and warehouse.state == State.REFRESHED:
        yield Moment(at=patched, what="Refreshed", kind="good", detail=name)
    if warehouse.handled_at is not None:
        yield Moment(at=warehouse.handled_at, what="Handled by Kargo", kind="good", detail=name)
    searched = warehouse.searched
    if searched is not None and searched.finding == Finding.FOUND:
        yield Moment(at=searched.at, what="Found by Kargo", kind="good", detail=name)
    elif searched is not None and searched.finding == Finding.MISSING:
        yield Moment(at=searched.at, what="Not found by Kargo", kind="bad", detail=name)


def _patched(value: str) -> datetime | None:
    """When the patch of a refresh began, as its value tells."""
    try:
        return datetime.fromisoformat(value[:PATCHED]).replace(tzinfo=UTC)
    except ValueError:
        return None
