"""Looks whether Kargo has found what was pushed, and has it discover again where it has not.

A webhook can be early: the registry tells before a tag can be read everywhere, Kargo looks, finds nothing, and waits
for its interval. So once Kargo has handled a refresh, its discoveries are looked through as the watch brings them. What
is missing waits, durably where there is a Storage account, and is looked for a few times more, each time with another
refresh if it is missing still.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import msgspec

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster import records, warehouses
from receivers.cluster.api import Api, ClusterError
from receivers.cluster.availability import Availability
from receivers.cluster.refresher import Outcome, Refresher, Result
from receivers.cluster.stores import WarehouseStore
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.matching import Refreshes
from receivers.events import Pushed, Target, TargetKind, Trigger
from receivers.journal.journal import Finding
from receivers.kargo import handling
from receivers.kargo.discoveries import FOUND, Discovery, Look, Sight, worst
from receivers.kargo.effort import Effort, TooMuch
from receivers.retries.messages import Message
from receivers.searches import search as searching
from receivers.searches.awaited import Awaited, Entry
from receivers.searches.queue import Waiting
from receivers.searches.search import Search, Sought, UnreadableSearch
from receivers.storage.account import StorageError
from receivers.storage.sending import varied

NOT_HANDLED = "Kargo has not acted on the refresh"
ENDED = "the search ended: the cluster could not be asked for an hour"
ENTRY = 256  # bytes that one Warehouse takes which is being searched

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """Who is told what became of a search."""

    def sought(self, target: Target, deliveries: Sequence[str], finding: Finding | None, *, reason: str = "") -> None:
        """Whether Kargo has found what these deliveries told of; if not, why. None: that cannot be told any more."""


class Searches:
    """Follows what was pushed until Kargo has found it. Nothing here delays or fails a delivery."""

    def __init__(
        self,
        *,
        api: Api,
        availability: Availability,
        warehouses: WarehouseStore,
        refresher: Refresher,
        waiting: Waiting,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._availability = availability
        self._warehouses = warehouses
        self._refresher = refresher
        self._waiting = waiting
        self._recorder = recorder
        self._now = now
        self._jitter = jitter
        self._awaited = Awaited(clock=clock)
        # Warehouses with a search whose first look is still to come, and those searched though Kargo does not act
        self._searched: Bounded[Target, None] = _remembered(varied(limits.SEARCH_DELAYS[0], 1), clock)
        self._unacted: Bounded[Target, None] = _remembered(limits.SEARCH_UNACTED, clock)
        # When what was found had been pushed
        self._found: Bounded[tuple[Target, object], datetime] = _remembered(limits.SEARCH_AGE, clock)
        self._reading: set[Target] = set()
        self._reads = asyncio.Semaphore(limits.SEARCH_READS)
        self._sweeping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def delivered(self, delivery: Delivery) -> None:
        """A delivery was answered."""
        self._begin_to_wait(delivery.id, delivery.triggers, delivery.received_at, delivery.refreshes)

    def tried(self, message: Message, refreshes: Refreshes) -> None:
        """A delivery of the retry queue was tried."""
        self._begin_to_wait(message.delivery, message.events, message.received_at, refreshes)

    def seen(self, target: Target, warehouse: records.Warehouse) -> None:
        """A Warehouse passes by, as the cluster has it now. Raises nothing: it counts whatever becomes of a look."""
        if target not in self._awaited:
            return
        try:
            discovery = Discovery(warehouse.status, warehouse.spec.subscriptions)
            due = [each for each in self._awaited.of(target) if handling.covers(discovery.handled, each.value)]
            if due:
                self._look_for_awaited(target, discovery, due)
        except Exception:
            logger.exception("nobody looked whether Kargo has found what was pushed for %s", target)

    def is_awaited(self, delivery: str) -> bool:
        """Whether this process waits for something that a delivery told of to be found."""
        return self._awaited.is_awaited(delivery)

    async def handle(self, text: bytes) -> None:
        """Look for what waits in the queue. When this returns the message may be deleted. Raises StorageError."""
        try:
            search = searching.decode(text)
        except UnreadableSearch as unreadable:
            logger.error("a search was dropped: %s", unreadable)  # noqa: TRY400 - it says all
            return
        await self.look(search)

    async def look(self, search: Search) -> None:
        """Look for what Kargo had not found, and have it discover again what is missing still. Raises StorageError."""
        if self._now() - search.begun > timedelta(seconds=limits.SEARCH_AGE):
            self._tell(search.target, search.sought, Finding.MISSING, ENDED)
            return
        try:
            if await self._availability.is_away():
                await self._wait(search, delay=limits.SEARCH_LAST)
                return
            warehouse = await self._read(search.target)
        except ClusterError as error:
            logger.info("Warehouse %s is looked at later: %s", search.target, error)
            await self._wait(search, delay=limits.SEARCH_LAST)
            return
        if warehouse is None:
            self._tell(search.target, search.sought, None)
        else:
            await self._go_on(search, warehouse)

    async def close(self) -> None:
        """Have what this process waits for looked for by another, as far as that takes no longer than a moment."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})
        for target, entries in self._awaited.all():
            self._search(target, entries)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limits.CLOSE_GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._waiting.close()

    def _begin_to_wait(self, delivery: str, events: Sequence[Trigger], since: datetime, refreshes: Refreshes) -> None:
        sought = searching.sought(delivery, (each for each in events if isinstance(each, Pushed)), since=since)
        if not sought:
            return
        for target, outcome in refreshes.outcomes.items():
            self._await(target, sought, outcome)
        for target, future in refreshes.waiting.items():
            future.add_done_callback(partial(self._settled, target, sought))

    def _settled(self, target: Target, sought: list[Sought], future: asyncio.Future[Outcome]) -> None:
        if not future.cancelled():
            self._await(target, sought, future.result())

    def _await(self, target: Target, sought: Sequence[Sought], outcome: Outcome) -> None:
        if outcome.result is Result.REFRESHED and target.kind is TargetKind.WAREHOUSE:
            self._add(target, outcome.value, sought)

    def _add(self, target: Target, value: str, sought: Sequence[Sought], *, kept: bool = False) -> None:
        self._awaited.add(target, value, sought, kept=kept)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())
        if target not in self._reading and handling.covers(self._warehouses.handled(target), value):
            self._reading.add(target)
            self._begin(self._look_now(target))

    async def _look_now(self, target: Target) -> None:
        """Look at a Warehouse that Kargo has acted on before it was known what to look for."""
        try:
            warehouse = await self._read(target)
        except ClusterError as error:
            logger.info("Warehouse %s is looked at later: %s", target, error)
        else:
            if warehouse is not None:
                self.seen(target, warehouse)
        finally:
            self._reading.discard(target)

    def _look_for_awaited(self, target: Target, discovery: Discovery, due: list[Entry]) -> None:
        ended, missing = [], []
        looks = self._looks(target, discovery, [each.sought for each in due])
        for entry, look in zip(due, looks, strict=True):
            if look is None:
                continue  # there were too many: the next look is for the others
            if look.sight is not Sight.MISSING:
                ended.append(entry)
                self._conclude(target, [entry.sought], look)
            elif entry.kept:  # the search that waits sees to it
                ended.append(entry)
            elif not (discovery.under_way and not discovery.failed):
                missing.append((entry, look))
        self._awaited.remove(target, ended)
        if missing and target not in self._searched:
            self._search(target, [entry for entry, _ in missing], missing[-1][1].reason)

    def _search(self, target: Target, entries: Sequence[Entry], reason: str = NOT_HANDLED) -> None:
        """Have somebody look again soon for what is awaited no longer."""
        self._awaited.remove(target, list(entries))
        sought = searching.merged([each.sought for each in entries if not each.kept])
        value = max((each.value for each in entries), default="")
        for start in range(0, len(sought), limits.SEARCH_PUSHES):
            part = tuple(sought[start : start + limits.SEARCH_PUSHES])
            search = Search(
                project=target.namespace, warehouse=target.name, value=value, sought=part, begun=self._now()
            )
            self._searched.put(target, None, size=ENTRY)
            self._tell(target, part, Finding.SOUGHT, reason)
            self._begin(self._wait_at_last(search))

    async def _wait_at_last(self, search: Search) -> None:
        try:
            await self._wait(search, delay=limits.SEARCH_DELAYS[0])
        except StorageError as error:
            logger.warning("nobody looks whether Kargo finds what was pushed for %s: %s", search.target, error)

    async def _wait(self, search: Search, *, delay: float) -> None:
        await self._waiting.put(search, delay=varied(delay, self._jitter()))

    async def _read(self, target: Target) -> records.Warehouse | None:
        """The Warehouse as it is now. Raises ClusterError."""
        async with self._reads:
            with self._availability.observed():
                encoded = await warehouses.get(self._api, target)
        return warehouses.decode(encoded, records.Warehouse)

    async def _go_on(self, search: Search, warehouse: records.Warehouse) -> None:
        target = search.target
        discovery = Discovery(warehouse.status, warehouse.spec.subscriptions)
        acted = handling.covers(discovery.handled, search.value)
        looks = self._looks(target, discovery, search.sought)
        missing, reason = [], NOT_HANDLED
        for sought, look in zip(search.sought, looks, strict=True):
            if look is None or (acted and look.sight is Sight.UNTOLD):
                self._tell(target, [sought], None)
            elif look.sight is Sight.MISSING or not (acted or look.sight is Sight.FOUND):
                missing.append(sought)
                reason = look.reason if acted else NOT_HANDLED
            else:
                self._conclude(target, [sought], look)
        if not missing:
            return
        if acted and discovery.under_way and not discovery.failed:  # it may be there in a moment
            await self._wait(msgspec.structs.replace(search, sought=tuple(missing)), delay=limits.SEARCH_DELAYS[0])
            return
        if search.tries == len(limits.SEARCH_DELAYS):
            self._tell(target, missing, Finding.MISSING, reason)
            return
        value = await self._refresh(target, warehouse, discovery) or search.value
        tries = search.tries + 1
        again = msgspec.structs.replace(search, value=value, sought=tuple(missing), tries=tries)
        await self._wait(again, delay=[*limits.SEARCH_DELAYS, limits.SEARCH_LAST][tries])
        self._tell(target, missing, Finding.SOUGHT, reason)
        self._add(target, value, missing, kept=True)

    async def _refresh(self, target: Target, warehouse: records.Warehouse, discovery: Discovery) -> str:
        """Have Kargo discover again, unless it is about to; the value of the refresh, empty where it failed."""
        pending = warehouses.asked(warehouse.metadata.annotations)
        if pending and not handling.covers(discovery.handled, pending):
            return pending
        asked = self._refresher.refresh(target)
        await asyncio.wait([asked], timeout=limits.RETRY_WAIT)
        return asked.result().value if asked.done() else ""

    def _looks(self, target: Target, discovery: Discovery, sought: Sequence[Sought]) -> list[Look | None]:
        """A look for each, None where that would take too long. Equal pushes, as of a burst, are looked for once.

        Of a tag or branch that was pushed again the latest push counts, and what came before it is found with it.
        """
        latest = {searching.pushed(each.event): each.event for each in sorted(sought, key=lambda one: one.since)}
        effort = Effort(limits.SEARCH_EFFORT)
        looks = {key: self._look(target, discovery, event, effort) for key, event in latest.items()}
        return [self._judged(target, each, looks[searching.pushed(each.event)]) for each in sought]

    def _judged(self, target: Target, sought: Sought, look: Look | None) -> Look | None:
        """The look, unless a later push of the same was found before."""
        key = (target, searching.pushed(sought.event))
        found = self._found.get(key)
        if look is not None and look.sight is Sight.FOUND:
            self._found.put(key, max(sought.since, found or sought.since), size=ENTRY)
        return FOUND if found is not None and found >= sought.since else look

    def _look(self, target: Target, discovery: Discovery, event: Pushed, effort: Effort) -> Look | None:
        try:
            accepted = self._warehouses.index.accepted(target, event, effort=effort)
        except TooMuch:
            return None
        return worst(discovery.look(each, event) for each in accepted)

    def _conclude(self, target: Target, sought: Sequence[Sought], look: Look) -> None:
        if look.sight is Sight.FOUND:
            self._tell(target, sought, Finding.FOUND)
        elif look.sight is Sight.BEYOND:
            self._tell(target, sought, Finding.MISSING, look.reason)

    def _tell(self, target: Target, sought: Sequence[Sought], finding: Finding | None, reason: str = "") -> None:
        deliveries = list(dict.fromkeys(delivery for each in sought for delivery in each.deliveries))
        if finding is Finding.MISSING:
            logger.warning("Warehouse %s: %s (delivery %s)", target, reason, ", ".join(deliveries[:3]))
        if self._recorder is not None:
            self._recorder.sought(target, deliveries, finding, reason=reason)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        """Have what Kargo does not act on looked for later, as long as anything is awaited.

        One search of a Warehouse does: what is pushed meanwhile goes on waiting for Kargo to act.
        """
        while self._awaited:
            await asyncio.sleep(limits.SEARCH_SWEEP)
            late = [each for each in self._awaited.overdue() if each[0] not in self._unacted]
            for target, entries in late[: limits.SEARCH_SWEPT]:
                if not all(each.kept for each in entries):
                    self._unacted.put(target, None, size=ENTRY)
                self._search(target, entries)
                await asyncio.sleep(0)


def _remembered[Key, Value](age: float, clock: Callable[[], float]) -> Bounded[Key, Value]:
    """One entry for a Warehouse, as a rule, and for so many seconds."""
    most = limits.SEARCH_WAREHOUSES
    return Bounded(entries=most, size=most * ENTRY, age=age, clock=clock)
