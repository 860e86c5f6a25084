"""Keeps journal rows up to date after the answer: refreshes that go on, later tries, and Kargo's own acting.

A row stays open in this process until Kargo has acted on all that was refreshed and nobody waits any more for what it
finds, for a day without news, or until the open ones are too many or too large. One that is closed early loses later
news of this process alone: that a refresh which outlived its answer has ended, and when Kargo acted. Later tries, and
what Kargo finds later, read the row from the journal.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster.refresher import Outcome
from receivers.deliveries import refusals
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.matching import Match, Refreshes
from receivers.events import Target
from receivers.journal import journal, rows
from receivers.journal.duplicates import Duplicates
from receivers.journal.journal import Finding, Journal, Row, Searched, State
from receivers.kargo import handling
from receivers.retries.messages import Message
from receivers.storage.account import StorageError
from receivers.text import clipped

INDEXED = 512  # bytes that it takes to find a row by one of its Warehouses
HANDLED_SIZE = 1024  # bytes that the last handled refresh of a Warehouse takes at most
LARGE = 50  # Warehouses of a row, above which news of it is gathered
TURN = 50  # rows brought up to date before other tasks of the event loop get their turn


_ENDS = frozenset({Finding.FOUND, Finding.MISSING})


@dataclass(slots=True)
class _News:
    """What happened to a row's Warehouses."""

    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    searched: dict[Target, Searched | None] = field(default_factory=dict)


class Recorder:
    """Writes a journal. Nothing here delays or fails a delivery."""

    def __init__(
        self,
        store: Journal,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = store
        self._now = now
        self._duplicates = Duplicates(clock=clock)
        self._open: Bounded[str, tuple[str, list[Target]]] = Bounded(  # as JSON, whose size is known; what it awaits
            entries=limits.JOURNAL_OPEN,
            size=limits.JOURNAL_OPEN_BYTES,
            age=limits.JOURNAL_OPEN_AGE,
            clock=clock,
            on_forgotten=self._unindex,
        )
        self._waiting: defaultdict[Target, set[str]] = defaultdict(set)  # open rows that name a Warehouse
        self._handled: Bounded[Target, str] = Bounded(  # the newest refresh that Kargo was seen to have handled
            entries=limits.HANDLED, size=limits.HANDLED * HANDLED_SIZE, age=limits.HANDLED_AGE, clock=clock
        )
        self._news: defaultdict[str, _News] = defaultdict(_News)  # of large rows: each pass costs the whole row
        self._gathering = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_handled: Callable[[Row], None] | None = None  # told once Kargo has acted on all of a delivery
        self.on_finding: Callable[[Row], None] | None = None  # told once it is known whether Kargo has found all of it
        self.is_awaited: Callable[[str], bool] = lambda _: False  # whether somebody looks if Kargo has found it

    def delivered(self, delivery: Delivery) -> None:
        """A delivery was answered. One for which no receiver is known has no row: it is counted elsewhere."""
        if refusals.reason_of(delivery) is not None:
            return
        delivery.duplicate_of = self._duplicates.of(delivery)
        row = rows.row_of(delivery)
        self._save(row)
        self._follow(row, delivery.refreshes)

    def tried(self, message: Message, match: Match | None, refreshes: Refreshes, *, given_up: bool) -> None:
        """A delivery of the retry queue was tried."""
        self._begin(self._note_try(message, match, refreshes, given_up=given_up))

    def refused(self, message: Message, reason: str) -> None:
        """A delivery of the retry queue came by a URL that is none any more."""
        self._begin(self._note_refusal(message, reason))

    def discarded(self, message: Message) -> None:
        """A delivery that was given up will not be tried again: somebody decided so."""
        self._begin(self._note_discard(message))

    def handled(self, target: Target, value: str) -> None:
        """Kargo says that it has handled a refresh."""
        self._handled.put(target, value[: limits.HANDLED_VALUE], size=HANDLED_SIZE)
        deliveries = [each for each in self._waiting.get(target, ()) if not self._is_large(each)]
        for delivery in self._waiting.get(target, set()).difference(deliveries):
            self._gather(delivery)
        self._update(deliveries[:TURN])
        if len(deliveries) > TURN:
            self._begin(self._update_in_turns(deliveries[TURN:]))

    def sought(self, target: Target, deliveries: Sequence[str], finding: Finding | None, *, reason: str = "") -> None:
        """Whether Kargo has found what these deliveries told of; if not, ``reason`` says why, for people.

        None: that cannot be told any more.
        """
        told = Searched(finding=finding, at=self._now(), reason=clipped(reason)) if finding else None
        others = []
        for position, delivery in enumerate(deliveries):
            if self._is_large(delivery):
                self._news[delivery].searched[target] = told
                self._gather(delivery)
            elif delivery in self._open and position < TURN:
                self._settle(delivery, _News(searched={target: told}))
            else:
                others.append(delivery)
        if others:
            self._begin(self._note_findings(target, others, told))

    def redelivered(self, row: Row, delivery: str) -> None:
        """A delivery was delivered again, as another one."""
        opened = self._opened(row.id)
        row = opened or row
        row.redelivered_as = delivery
        if opened is not None:
            self._hold(row, journal.encode(row))
        self._journal.write(row)

    async def close(self) -> None:
        """Write what waits."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limits.CLOSE_GRACE)
        await self._journal.close()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _note_refusal(self, message: Message, reason: str) -> None:
        try:
            row = await self._row_of(message)
        except StorageError:
            return
        row.state, row.reason = State.REFUSED, reason
        self._save(row)

    async def _note_discard(self, message: Message) -> None:
        try:
            row = await self._row_of(message)
        except StorageError:
            return
        if row.state in {State.QUEUED, State.FAILED}:
            row.state, row.reason = State.FAILED, rows.discarded(row.reason)
            self._save(row)

    async def _note_try(self, message: Message, match: Match | None, refreshes: Refreshes, *, given_up: bool) -> None:
        try:
            row = await self._row_of(message)
        except StorageError:  # the next try tells it too
            return
        row.voucher, row.source = message.voucher, message.source
        rows.note_try(row, message, match, refreshes, given_up=given_up)
        self._save(row)
        self._follow(row, refreshes)

    async def _row_of(self, message: Message) -> Row:
        """The row of a message's delivery, open in this process or stored. Raises StorageError."""
        row = self._opened(message.delivery)
        if row is None:
            read = await self._journal.read(message.delivery)
            row = self._opened(message.delivery) or read or rows.row_of_message(message)
        return row

    def _follow(self, row: Row, refreshes: Refreshes) -> None:
        """Hear of refreshes that go on."""
        for target, future in refreshes.waiting.items():
            future.add_done_callback(partial(self._settled, row.id, target))

    def _settled(self, delivery: str, target: Target, future: asyncio.Future[Outcome]) -> None:
        """A refresh that outlived its answer has ended."""
        if future.cancelled():
            return
        if self._is_large(delivery):
            self._news[delivery].outcomes[target] = future.result()
            self._gather(delivery)
        else:
            self._settle(delivery, _News(outcomes={target: future.result()}))

    def _settle(self, delivery: str, news: "_News") -> None:
        row = self._opened(delivery)
        if row is not None:
            self._tell(row, news)

    def _tell(self, row: Row, news: "_News") -> None:
        for warehouse in row.warehouses:
            outcome = news.outcomes.get(warehouse.target)
            if outcome is not None and warehouse.state != State.REFRESHED:  # or else by an earlier one already
                rows.settle(warehouse, outcome, queued=row.state == State.QUEUED)
            if warehouse.target in news.searched:
                rows.note_searched(warehouse, news.searched[warehouse.target])
        self._save(row)

    async def _note_findings(self, target: Target, deliveries: Sequence[str], told: Searched | None) -> None:
        for position, delivery in enumerate(deliveries, start=1):
            try:
                row = None if delivery in self._open else await self._journal.read(delivery)
            except StorageError:
                continue
            row = self._opened(delivery) or row  # it may have been opened meanwhile
            if row is not None:
                self._tell(row, _News(searched={target: told}))
            if position % TURN == 0:
                await asyncio.sleep(0)

    def _is_large(self, delivery: str) -> bool:
        held = self._open.get(delivery)
        return held is not None and len(held[1]) > LARGE

    def _gather(self, delivery: str) -> None:
        """Have news of a large row told by one pass over it, with what else comes soon."""
        self._news[delivery]  # there may be none but that Kargo has handled it
        if not self._gathering:
            self._gathering = True
            self._begin(self._tell_gathered())

    async def _tell_gathered(self) -> None:
        try:
            while self._news:
                await asyncio.sleep(limits.NEWS_INTERVAL)
                gathered, self._news = self._news, defaultdict(_News)
                for delivery, news in gathered.items():
                    self._settle(delivery, news)
                    await asyncio.sleep(0)
        finally:
            self._gathering = False

    async def _update_in_turns(self, deliveries: list[str]) -> None:
        for start in range(0, len(deliveries), TURN):
            await asyncio.sleep(0)
            self._update(deliveries[start : start + TURN])

    def _update(self, deliveries: Iterable[str]) -> None:
        """Note what Kargo has handled meanwhile."""
        for delivery in deliveries:
            row = self._opened(delivery)
            if row is not None and self._note_handled(row):
                self._save(row)

    def _save(self, row: Row) -> None:
        """Bring a row up to date and write it; close it when nothing more will come."""
        self._note_handled(row)
        handled_at, finding = row.handled_at, row.finding
        rows.conclude(row)
        if row.handled_at is not None and handled_at is None and self.on_handled is not None:
            self.on_handled(row)
        if row.finding in _ENDS and row.finding != finding and self.on_finding is not None:
            self.on_finding(row)
        text = self._journal.write(row)
        if self._is_done(row):
            self._release(row)
        else:
            self._hold(row, text)

    def _is_done(self, row: Row) -> bool:
        if row.handled_at is not None:
            return not self.is_awaited(row.id)
        return row.state not in {State.REFRESHED, State.QUEUED, State.FAILED}

    def _note_handled(self, row: Row) -> bool:
        """Whether Kargo is seen to have handled a refresh of this row that it had not before."""
        news = [
            warehouse
            for warehouse in row.warehouses
            if warehouse.state == State.REFRESHED
            and warehouse.handled_at is None
            and handling.covers(self._handled.get(warehouse.target) or "", warehouse.value)
        ]
        for warehouse in news:
            warehouse.handled_at = self._now()
        return bool(news)

    def _opened(self, delivery: str) -> Row | None:
        found = self._open.get(delivery)
        return journal.decode(found[0]) if found is not None else None

    def _hold(self, row: Row, text: str) -> None:
        """Keep a row open, as it is now, with its JSON."""
        self._release(row)
        targets = [warehouse.target for warehouse in row.warehouses if warehouse.refresh]
        for target in targets:
            self._waiting[target].add(row.id)
        if not self._open.put(row.id, (text, targets), size=sys.getsizeof(text) + len(targets) * INDEXED):
            self._unindex(row.id, (text, targets))

    def _release(self, row: Row) -> None:
        found = self._open.pop(row.id)
        if found is not None:
            self._unindex(row.id, found)

    def _unindex(self, delivery: str, held: tuple[str, list[Target]]) -> None:
        for target in held[1]:
            deliveries = self._waiting.get(target, set())
            deliveries.discard(delivery)
            if not deliveries:
                self._waiting.pop(target, None)
