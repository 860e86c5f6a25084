"""Metrics and traces for who collects them. Nothing here delays or fails a delivery.

OpenTelemetry's libraries are imported when somebody collects, after the first answers, and in a thread; what happens
before is kept until then.
"""

import asyncio
import importlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from receivers import limits
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Outcome
from receivers.deliveries import refusals
from receivers.deliveries.delivery import Delivery, Step
from receivers.journal import rows
from receivers.journal.journal import Finding, Row, State
from receivers.retries.contents import Contents
from receivers.retries.queue import RetryQueue
from receivers.storage.account import StorageError

if TYPE_CHECKING:
    from receivers.telemetry.instruments import Instruments

INSTRUMENTS = "receivers.telemetry.instruments"
TURN = 20  # of what was kept is recorded before other tasks of the event loop get their turn

logger = logging.getLogger(__name__)

type Record = Callable[["Instruments"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is recorded of a delivery: nothing of what it told, so that it takes the same few bytes for each."""

    id: str
    received_at: datetime
    provider: str
    outcome: State
    status: int
    duration: float  # seconds from arrival to answer
    steps: tuple[Step, ...]
    traced: bool  # False: no receiver is known, so anybody can have sent it, as often as they like

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """A delivery that was answered."""
        return cls(
            id=delivery.id,
            received_at=delivery.received_at,
            provider=delivery.provider,
            outcome=rows.state_of(delivery),
            status=delivery.answer.status if delivery.answer else 0,
            duration=delivery.duration,
            steps=tuple(delivery.steps),
            traced=refusals.reason_of(delivery) is None,
        )


class Telemetry:
    """Sends to one collector, from :meth:`start` to :meth:`close`."""

    def __init__(self, endpoint: str, *, mirror: Mirror, availability: Availability, queue: RetryQueue | None) -> None:
        self._endpoint = endpoint
        self._mirror = mirror
        self._availability = availability
        self._queue = queue
        self._contents: Contents | None = None
        self._making: asyncio.Future[Instruments] | None = None
        self._instruments: Instruments | None = None
        self._failed = False
        self._early: deque[Record] = deque(maxlen=limits.TELEMETRY_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Have the libraries imported soon. Returns at once."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def delivered(self, delivery: Delivery) -> None:
        """A delivery was answered."""
        answered = Answered.of(delivery)
        self._record(lambda instruments: instruments.delivered(answered))

    def refreshed(self, outcome: Outcome, seconds: float) -> None:
        """The refresh of an object has ended."""
        self._record(lambda instruments: instruments.refreshed(outcome, seconds))

    def handled(self, row: Row) -> None:
        """Kargo has acted on all that a delivery refreshed."""
        if row.handled_at is not None:
            provider, seconds = row.provider, (row.handled_at - row.received_at).total_seconds()
            self._record(lambda instruments: instruments.handled(provider, seconds))

    def sought(self, row: Row) -> None:
        """It is known whether Kargo has found all that a delivery told of."""
        provider = row.provider
        if row.finding is Finding.FOUND and row.found_at is not None:
            seconds = (row.found_at - row.received_at).total_seconds()
            self._record(lambda instruments: instruments.found(provider, seconds))
        elif row.finding is Finding.MISSING:
            self._record(lambda instruments: instruments.missed(provider))

    async def close(self) -> None:
        """Send what waits, if that can be done within a few seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _record(self, record: Record) -> None:
        """Record later, when the answer is on its way."""
        if self._instruments is not None:
            asyncio.get_running_loop().call_soon(_perform, record, self._instruments)
        elif not self._failed:
            self._early.append(record)

    async def _run(self) -> None:
        try:
            await asyncio.sleep(limits.STORAGE_WARM_UP)
            await self._begin()
            while self._instruments is not None:
                if self._queue is not None:
                    self._contents = await _look(self._queue)
                await asyncio.sleep(limits.QUEUE_INTERVAL)
        finally:  # also when the event loop ends, which is the last chance
            await self._end()

    async def _begin(self) -> None:
        self._making = asyncio.get_running_loop().run_in_executor(None, self._make)
        try:
            instruments = await asyncio.shield(self._making)  # whoever closes needs what a thread is making
        except Exception as error:
            self._failed = True
            self._early.clear()
            logger.warning("there are no metrics and no traces: %s", error, exc_info=logger.isEnabledFor(logging.DEBUG))
            return
        while self._early:
            self._catch_up(instruments, TURN)
            await asyncio.sleep(0)
        self._instruments = instruments

    def _make(self) -> "Instruments":
        module = importlib.import_module(INSTRUMENTS)
        instruments: Instruments = module.Instruments(
            self._endpoint, mirror=self._mirror, availability=self._availability, contents=lambda: self._contents
        )
        return instruments

    def _catch_up(self, instruments: "Instruments", most: int) -> None:
        """Record what happened before there were instruments."""
        for _ in range(min(most, len(self._early))):
            _perform(self._early.popleft(), instruments)

    async def _end(self) -> None:
        """Close in a thread that need not be waited for: a collector may hang."""
        instruments, self._instruments, self._failed = await self._made(), None, True
        if instruments is None:
            return
        self._catch_up(instruments, limits.TELEMETRY_WAITING)
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            instruments.close()
            with suppress(RuntimeError):  # the event loop did not wait
                loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=close, name="telemetry", daemon=True).start()
        try:
            async with asyncio.timeout(limits.TELEMETRY_CLOSE):
                await closed.wait()
        except TimeoutError:
            instruments.abandon()

    async def _made(self) -> "Instruments | None":
        """The instruments, also those that are just being made."""
        if self._making is None:
            return None
        await asyncio.wait({self._making}, timeout=limits.TELEMETRY_CLOSE)
        if not self._making.done():
            self._making.add_done_callback(self._close_late)
        return _result(self._making)

    def _close_late(self, making: "asyncio.Future[Instruments]") -> None:
        """Send what waits, and close, when nobody waits for the instruments any more."""
        instruments = _result(making)
        if instruments is None:
            return

        def close() -> None:
            self._catch_up(instruments, limits.TELEMETRY_WAITING)
            instruments.close()

        threading.Thread(target=close, name="telemetry", daemon=True).start()


def _result(making: "asyncio.Future[Instruments]") -> "Instruments | None":
    """None: they are not made yet, or cannot be."""
    made = making.done() and not making.cancelled() and making.exception() is None
    return making.result() if made else None


async def _look(queue: RetryQueue) -> Contents | None:
    """What is in the queues; None when they cannot be read."""
    try:
        return await queue.peek()
    except StorageError:
        return None


def _perform(record: Record, instruments: "Instruments") -> None:
    try:
        record(instruments)
    except Exception:
        logger.exception("not recorded in metrics and traces")
