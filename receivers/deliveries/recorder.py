"""Keeps journal rows up to date after the answer: refreshes that go on, later tries, and Kargo's own acting.

A row stays open in this process until Kargo has acted on all that was refreshed, or until too many are open.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from receivers import limits
from receivers.cluster.refresher import Outcome
from receivers.deliveries import rows
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.duplicates import Duplicates
from receivers.deliveries.journal import Journal, Row, State, WarehouseRow
from receivers.deliveries.matching import Match, Refreshes
from receivers.deliveries.messages import Message
from receivers.deliveries.storage import StorageError
from receivers.events import Target

MICROSECONDS = len("2026-11-21T08:56:47.404158")  # of a refresh's value, whose rest is random


class Recorder:
    """Writes a journal. Nothing here delays or fails a delivery."""

    def __init__(self, journal: Journal, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._journal = journal
        self._now = now
        self._duplicates = Duplicates()
        self._open: OrderedDict[str, Row] = OrderedDict()
        self._waiting: defaultdict[Target, set[str]] = defaultdict(set)  # open rows that name a Warehouse
        self._handled: dict[Target, str] = {}  # the newest refresh that Kargo was seen to have handled
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_handled: Callable[[Row], None] | None = None  # told once Kargo has acted on all of a delivery

    def delivered(self, delivery: Delivery) -> None:
        """A delivery was answered."""
        delivery.duplicate_of = self._duplicates.of(delivery)
        row = rows.row_of(delivery)
        self._hold(row)
        self._follow(row, delivery.refreshes)
        self._save(row)

    def tried(self, message: Message, match: Match | None, refreshes: Refreshes, *, given_up: bool) -> None:
        """A delivery of the retry queue was tried."""
        task = asyncio.get_running_loop().create_task(self._note_try(message, match, refreshes, given_up=given_up))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refused(self, message: Message, reason: str) -> None:
        """A delivery of the retry queue came by a URL that is none any more."""
        task = asyncio.get_running_loop().create_task(self._note_refusal(message, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def handled(self, target: Target, value: str) -> None:
        """Kargo says that it has handled a refresh."""
        self._handled[target] = value
        for row in [self._open[delivery] for delivery in self._waiting.get(target, ())]:
            if self._note_handled(row):
                self._save(row)

    def redelivered(self, row: Row, delivery: str) -> None:
        """A delivery was delivered again, as another one."""
        row = self._open.get(row.id, row)
        row.redelivered_as = delivery
        self._journal.write(row)

    async def close(self) -> None:
        """Write what waits."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limits.CLOSE_GRACE)
        await self._journal.close()

    async def _note_refusal(self, message: Message, reason: str) -> None:
        try:
            row = await self._row_of(message)
        except StorageError:
            return
        row.state, row.reason = State.REFUSED, reason
        self._save(row)

    async def _row_of(self, message: Message) -> Row:
        """The row of a message's delivery. Raises StorageError."""
        row = self._open.get(message.delivery)
        return row or await self._journal.read(message.delivery) or rows.row_of_message(message)

    async def _note_try(self, message: Message, match: Match | None, refreshes: Refreshes, *, given_up: bool) -> None:
        try:
            row = await self._row_of(message)
        except StorageError:  # the next try tells it too
            return
        row.voucher, row.source = message.voucher, message.source
        rows.note_try(row, message, match, refreshes, given_up=given_up)
        self._hold(row)
        self._follow(row, refreshes)
        self._save(row)

    def _follow(self, row: Row, refreshes: Refreshes) -> None:
        """Hear of refreshes that go on."""
        for target, future in refreshes.waiting.items():
            future.add_done_callback(partial(self._settled, row.id, target))

    def _settled(self, delivery: str, target: Target, future: asyncio.Future[Outcome]) -> None:
        """A refresh that outlived its answer has ended."""
        row = self._open.get(delivery)
        if row is None or future.cancelled():
            return
        for warehouse in row.warehouses:
            if _target(warehouse) == target:
                rows.settle(warehouse, future.result(), queued=row.state == State.QUEUED)
        self._save(row)

    def _save(self, row: Row) -> None:
        """Bring a row up to date and write it; close it when nothing more will come."""
        self._note_handled(row)
        known = row.handled_at
        rows.conclude(row)
        if row.handled_at is not None and known is None and self.on_handled is not None:
            self.on_handled(row)
        self._journal.write(row)
        if row.handled_at is not None or row.state not in {State.REFRESHED, State.QUEUED, State.FAILED}:
            self._release(row)

    def _note_handled(self, row: Row) -> bool:
        """Whether Kargo is seen to have handled a refresh of this row that it had not before."""
        news = [
            warehouse
            for warehouse in row.warehouses
            if warehouse.state == State.REFRESHED
            and warehouse.handled_at is None
            and _covers(self._handled.get(_target(warehouse), ""), warehouse.value)
        ]
        for warehouse in news:
            warehouse.handled_at = self._now()
        return bool(news)

    def _hold(self, row: Row) -> None:
        self._open[row.id] = row
        for warehouse in row.warehouses:
            if warehouse.refresh:
                self._waiting[_target(warehouse)].add(row.id)
        while len(self._open) > limits.JOURNAL_OPEN:
            self._release(next(iter(self._open.values())))

    def _release(self, row: Row) -> None:
        self._open.pop(row.id, None)
        for warehouse in row.warehouses:
            deliveries = self._waiting.get(_target(warehouse), set())
            deliveries.discard(row.id)
            if not deliveries:
                self._waiting.pop(_target(warehouse), None)


def _target(warehouse: WarehouseRow) -> Target:
    return Target(warehouse.project, warehouse.name)


def _covers(handled: str, value: str) -> bool:
    """Whether handling one refresh means that another was handled too: the same one, or an earlier one.

    Values begin with their time, ours in microseconds and Kargo's own in seconds; others can only be equal.
    """
    if not handled or not value:
        return False
    if handled == value:
        return True
    if len(handled) >= MICROSECONDS and handled[MICROSECONDS - 7] == ".":
        return handled[:MICROSECONDS] >= value[:MICROSECONDS]
    seconds = MICROSECONDS - 7
    return handled[seconds:] == "Z" and handled[:seconds] > value[:seconds]
