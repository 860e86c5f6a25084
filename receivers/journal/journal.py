"""The journal: one row for each delivery, so that anybody can see in a minute what became of it.

A :class:`Row` is what the pages and commands show. It holds no secret, no token and no header; texts that a sender can
choose are clipped. Where rows are kept is a :class:`Journal`'s matter.
"""

import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from receivers import limits
from receivers.events import Pushed, Target, TargetKind, Trigger
from receivers.retries.messages import Attempt, Time, refuse_odd
from receivers.storage.waiting import Rank

if TYPE_CHECKING:
    from receivers.journal.hours import Hour

_ID = re.compile("[0-9a-f]{24}")


class Unreadable(Exception):
    """A version of this service wrote a row that this one does not understand, or somebody else did."""


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


class Finding(StrEnum):
    """Whether Kargo was seen to have found what was pushed."""

    FOUND = "found"
    SOUGHT = "sought"  # not found yet, and Kargo is asked again
    MISSING = "missing"  # not found, and nobody looks any more


class Searched(msgspec.Struct, kw_only=True):
    """What was seen of a push in what one Warehouse has discovered."""

    finding: Finding
    at: Time  # when that was seen
    reason: str = ""  # why it is not found


class WarehouseRow(msgspec.Struct, kw_only=True):
    """The decision on one Warehouse or Promotion, and what followed."""

    project: str
    name: str
    kind: TargetKind = TargetKind.WAREHOUSE  # rows of earlier versions have none
    refresh: bool
    reason: str  # which subscription matched, or why not
    state: State | None = None  # None: it was not to be refreshed
    value: str = ""  # what was written into its annotation
    error: str = ""
    handled_at: Time | None = None  # when Kargo was seen to have acted
    searched: Searched | None = None  # None: nothing is known

    @property
    def target(self) -> Target:
        """What it is about."""
        return Target(self.project, self.name, self.kind)


class Row(msgspec.Struct, kw_only=True):
    """One delivery."""

    version: int = 2
    id: str
    received_at: Time
    provider: str
    receiver: str = ""  # empty: none was found
    project: str = ""  # empty: cluster scope, or no receiver
    # What vouches for the receiver's URL and where the receiver is configured, until the cluster has proven it.
    voucher: str = ""
    source: str = ""
    event: str = (
        ""  # push, pull request, selection, ping, handshake, ignored, faulty; empty when the request was refused
    )
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
    unlisted: int = 0  # Warehouses that were decided on, and for which the row has no room
    attempts: list[Attempt] = []  # tries after the answer, the latest ones
    handled_at: Time | None = None  # when Kargo had acted on every Warehouse refreshed
    finding: Finding | None = None  # the worst of its Warehouses
    found_at: Time | None = None  # when all that is known of was found
    duplicate_of: str = ""  # the id of the delivery that told the same
    redelivery_of: str = ""
    redelivered_as: str = ""
    test: bool = False  # somebody tried the receiver; no sender was involved
    events: list[Trigger] = []  # to deliver them again
    unkept: int = 0  # further events, for which the row has no room


class _First(Row, kw_only=True):
    """A row of version 1, which kept pushes alone, without their tag."""

    events: list[Pushed] = []  # type: ignore[assignment]


class _Versioned(msgspec.Struct):
    version: int = 1


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to show. Empty members let everything pass."""

    provider: str = ""
    project: str = ""
    state: str = ""
    finding: str = ""
    repository: str = ""  # a part of registry/repository, in any case
    receiver: str = ""
    warehouse: str = ""  # one that was to be refreshed, as project/name
    since: datetime | None = None

    def accepts(self, row: Row) -> bool:
        """Whether a row is to be shown."""
        return (
            self.provider in {"", row.provider}
            and self.project in {"", row.project}
            and self.state in {"", row.state}
            and self.finding in {"", row.finding or ""}
            and self.receiver in {"", row.receiver}
            and (not self.warehouse or self.warehouse in warehouses_of(row))
            and self.repository.lower() in f"{row.registry}/{row.repository}".lower()
            and (self.since is None or row.received_at >= self.since)
        )


def warehouses_of(row: Row) -> set[str]:
    """What was to be refreshed, each as project/name."""
    return {f"{each.project}/{each.name}" for each in row.warehouses if each.refresh}


class Reach:
    """How far a list looks for rows that pass its filter, so that no page takes long."""

    def __init__(
        self,
        *,
        rows: int = limits.JOURNAL_LOOKED,
        seconds: float = limits.JOURNAL_LOOK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.until = ""  # the id down to which was looked, where the list ended early
        self._left = rows
        self._clock = clock
        self._end = clock() + seconds

    def is_over(self, delivery: str, *, looked: int = 1) -> bool:
        """So many further rows were looked at, down to this one: whether the list ends here."""
        self._left -= looked
        if self._left > 0 and self._clock() < self._end:
            return False
        self.until = delivery
        return True


class Journal(Protocol):
    """Where rows are kept. Writing never delays or fails its caller."""

    def write(self, row: Row) -> str:
        """Add a row, or replace the one with its id. Returns at once, with its JSON; the row is written soon."""

    async def read(self, delivery: str) -> Row | None:
        """The row of a delivery. Raises StorageError."""

    def rows(self, only: Filter, *, before: str = "", reach: Reach | None = None) -> AsyncIterator[Row]:
        """Rows, newest first, older than the delivery ``before``; as far as ``reach`` lets it look.

        Raises StorageError.
        """

    async def hours(self, since: datetime) -> "list[Hour]":
        """Deliveries by hour and receiver, of all instances, from the hour of ``since`` on; oldest first.

        Raises StorageError.
        """

    async def clean(self) -> int:
        """Delete what is older than the settings keep; how many rows that were. Raises StorageError."""

    def fault(self) -> str:
        """Why rows cannot be written at the moment; empty when they can."""

    async def close(self) -> None:
        """Write what waits."""


def encode(row: Row) -> str:
    """A row as JSON, without what it has no room for: Warehouses that were not to be refreshed go first."""
    text = msgspec.json.encode(row).decode()
    while len(text) > limits.JOURNAL_ROW and row.warehouses:
        listed = sorted(row.warehouses, key=lambda warehouse: not warehouse.refresh)[: len(row.warehouses) // 2]
        unlisted = row.unlisted + len(row.warehouses) - len(listed)
        row = msgspec.structs.replace(row, warehouses=listed, unlisted=unlisted)
        text = msgspec.json.encode(row).decode()
    return text


def decode(text: str) -> Row:
    """The row that was encoded. Raises :class:`Unreadable`."""
    try:
        if msgspec.json.decode(text, type=_Versioned).version == 1:
            first = msgspec.json.decode(text, type=_First)
            row = Row(**{**msgspec.structs.asdict(first), "version": 2})
        else:
            row = msgspec.json.decode(text, type=Row)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Unreadable("it is not a row of this service, or was damaged") from None
    check(row)
    return row


def check(row: Row) -> None:
    """What its types do not tell. Raises :class:`Unreadable`."""
    if not is_id(row.id):
        raise Unreadable("its id is none of this service")
    try:
        times = [row.received_at, row.handled_at, row.found_at]
        times += [each.handled_at for each in row.warehouses]
        times += [each.searched.at for each in row.warehouses if each.searched is not None]
        for time in times:
            if time is not None:
                refuse_odd(time)
    except ValueError as odd:
        raise Unreadable(str(odd)) from None


def is_id(text: str) -> bool:
    """Whether a delivery can have this id."""
    return _ID.fullmatch(text) is not None


def rank(row: Row) -> Rank:
    """How much is lost with a row that cannot be stored."""
    return Rank.MUCH if row.state in {State.REFRESHED, State.QUEUED, State.FAILED} else Rank.LITTLE
