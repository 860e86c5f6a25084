"""The journal: one row for each delivery, so that anybody can see in a minute what became of it.

A :class:`Row` is what the pages and commands show. It holds no secret, no token and no header; texts that a sender can
choose are clipped. Where rows are kept is a :class:`Journal`'s matter.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from receivers import limits
from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries import messages
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.messages import Attempt
from receivers.events import ArtifactPushed, Decision, Handshake, Ignored, Ping


class State(StrEnum):
    """What became of a delivery, or of one Warehouse of it, so far."""

    REFRESHED = "refreshed"
    NOTHING = "nothing"  # no Warehouse wants it
    QUEUED = "queued"  # waits in the retry queue
    FAILED = "failed"  # neither refreshed nor queued, or given up
    PING = "ping"
    IGNORED = "ignored"
    REFUSED = "refused"  # the sender's fault
    GONE = "gone"  # the Warehouse was deleted meanwhile


class WarehouseRow(msgspec.Struct, kw_only=True):
    """The decision on one Warehouse, and what followed."""

    project: str
    name: str
    refresh: bool
    reason: str  # which subscription matched, or why not
    state: State | None = None  # None: it was not to be refreshed
    value: str = ""  # what was written into its annotation
    error: str = ""
    handled_at: datetime | None = None  # when Kargo was seen to have acted


class Row(msgspec.Struct, kw_only=True):
    """One delivery."""

    id: str
    received_at: datetime
    provider: str
    receiver: str = ""  # empty: none was found
    project: str = ""  # empty: cluster scope, or no receiver
    event: str = ""  # push, ping, handshake, ignored; empty when the request was refused
    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    media_type: str = ""
    sender_event_id: str = ""
    state: State
    reason: str = ""  # why it was ignored, refused or failed
    status: int  # of the answer
    answer: str = ""
    duration: float = 0.0  # seconds from arrival to answer
    warehouses: list[WarehouseRow] = []
    others: int = 0  # Warehouses in scope that subscribe to other repositories
    attempts: list[Attempt] = []  # tries after the answer, the latest ones
    handled_at: datetime | None = None  # when Kargo had acted on every Warehouse refreshed
    duplicate_of: str = ""  # the id of the delivery that told the same
    redelivery_of: str = ""
    events: list[ArtifactPushed] = []  # to deliver them again


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to show. Empty members let everything pass."""

    provider: str = ""
    project: str = ""
    state: str = ""
    repository: str = ""  # a part of registry/repository, in any case
    since: datetime | None = None

    def accepts(self, row: Row) -> bool:
        """Whether a row is to be shown."""
        return (
            self.provider in {"", row.provider}
            and self.project in {"", row.project}
            and self.state in {"", row.state}
            and self.repository.lower() in f"{row.registry}/{row.repository}".lower()
            and (self.since is None or row.received_at >= self.since)
        )


class Journal(Protocol):
    """Where rows are kept. Writing never delays or fails its caller."""

    def write(self, row: Row) -> None:
        """Add a row, or replace the one with its id. Returns at once; the row is written soon."""

    async def read(self, delivery: str) -> Row | None:
        """The row of a delivery. Raises StorageError."""

    def rows(self, only: Filter, *, before: str = "") -> AsyncIterator[Row]:
        """Rows, newest first, older than the delivery ``before``. Raises StorageError."""

    async def clean(self) -> int:
        """Delete what is older than the settings keep; how many rows that were. Raises StorageError."""

    def fault(self) -> str:
        """Why rows cannot be written at the moment; empty when they can."""

    async def close(self) -> None:
        """Write what waits."""


def row_of(delivery: Delivery) -> Row:
    """A finished delivery as a row."""
    receiver = delivery.receiver
    first = next(iter(delivery.pushes), None)
    status = delivery.answer.status if delivery.answer else 0
    body = delivery.answer.body if delivery.answer else {}
    return Row(
        id=delivery.id,
        received_at=delivery.received_at,
        provider=delivery.provider,
        receiver=receiver.name if receiver else "",
        project=(receiver.project or "") if receiver else "",
        event=_event(delivery),
        registry=_clip(first.registry if first else ""),
        repository=_clip(first.repository if first else ""),
        tag=_clip(first.tag if first else ""),
        digest=_clip(first.digest if first else ""),
        media_type=_clip(first.media_type if first else ""),
        sender_event_id=_clip(first.sender_event_id if first else ""),
        state=_state(delivery, status),
        reason=_clip(_reason(delivery)),
        status=status,
        answer=_clip(body.get("msg") or body.get("error") or ""),
        duration=delivery.duration,
        warehouses=[
            warehouse_row(decision, delivery.refreshes.outcomes.get(decision.target), queued=delivery.queued)
            for decision in delivery.decisions
        ],
        others=delivery.others,
        duplicate_of=delivery.duplicate_of,
        redelivery_of=delivery.redelivery_of,
        events=_kept(delivery.pushes),
    )


def _clip(text: str) -> str:
    return text[: limits.FREE_TEXT]


def _event(delivery: Delivery) -> str:
    match next(iter(delivery.pushes or delivery.events), None):
        case ArtifactPushed():
            return "push"
        case Ping():
            return "ping"
        case Handshake():
            return "handshake"
        case Ignored():
            return "ignored"
        case None:
            return ""


def _state(delivery: Delivery, status: int) -> State:
    if delivery.queued:
        return State.QUEUED
    if 400 <= status < 500:  # noqa: PLR2004 - the sender's fault, in HTTP
        return State.REFUSED
    if status >= 500:  # noqa: PLR2004
        return State.FAILED
    if delivery.pushes:
        return State.REFRESHED if delivery.wanted else State.NOTHING
    return State.IGNORED if _event(delivery) == "ignored" else State.PING


def _reason(delivery: Delivery) -> str:
    reasons = [event.reason for event in delivery.events if isinstance(event, Ignored)]
    return delivery.error or next(iter(reasons), "")


def warehouse_row(decision: Decision, outcome: Outcome | None, *, queued: bool) -> WarehouseRow:
    """The decision on one Warehouse and how its refresh ended, if it has."""
    row = WarehouseRow(
        project=decision.target.namespace,
        name=decision.target.name,
        refresh=decision.refresh,
        reason=_clip(decision.reason),
    )
    if decision.refresh:
        settle(row, outcome, queued=queued)
    return row


def settle(row: WarehouseRow, outcome: Outcome | None, *, queued: bool) -> None:
    """Note how a refresh ended, or that it has not."""
    match outcome.result if outcome else None:
        case Result.REFRESHED:
            row.state = State.REFRESHED
        case Result.GONE:
            row.state = State.GONE
        case _:
            row.state = State.QUEUED if queued else State.FAILED
    if outcome:
        row.value, row.error = outcome.value, _clip(outcome.error)


def conclude(row: Row) -> None:
    """Derive a delivery's state from its Warehouses, once a queued or failed one has got further."""
    wanted = [warehouse for warehouse in row.warehouses if warehouse.refresh]
    states = {warehouse.state for warehouse in wanted}
    if row.state in {State.QUEUED, State.FAILED} and states and states <= {State.REFRESHED, State.GONE}:
        row.state = State.REFRESHED
    refreshed = [warehouse for warehouse in wanted if warehouse.state == State.REFRESHED]
    if row.state == State.REFRESHED and refreshed and all(warehouse.handled_at for warehouse in refreshed):
        row.handled_at = max(warehouse.handled_at for warehouse in refreshed if warehouse.handled_at)


def _kept(events: list[ArtifactPushed]) -> list[ArtifactPushed]:
    """As many events as fit, each small enough."""
    kept: list[ArtifactPushed] = []
    room = limits.JOURNAL_EVENTS
    for event in events:
        fitting = messages.slim(event, size=room)
        room -= len(msgspec.json.encode(fitting))
        if room < 0:
            break
        kept.append(fitting)
    return kept
