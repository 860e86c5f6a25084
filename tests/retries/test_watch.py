"""How long the oldest message of the retry queue has been due, on an emulated Storage account."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from receivers import limits
from receivers.retries import messages
from receivers.retries.messages import Poisoned
from receivers.retries.queue import QUEUE, RetryQueue
from receivers.retries.watch import QueueWatch
from receivers.settings import Settings
from receivers.storage.account import Storage
from tests.examples import NOON, delivery
from tests.service import until


class Clock:
    """Time that a test sets."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> RetryQueue:
    """A queue in which a message is seen at once, however long its delay is."""
    monkeypatch.setattr("receivers.storage.sending.round", lambda _: 0, raising=False)
    return RetryQueue(storage, now=clock, jitter=lambda: 0.5)


@pytest.fixture
async def watch(queue: RetryQueue, clock: Clock) -> AsyncIterator[QueueWatch]:
    watch = QueueWatch(queue, now=clock, clock=clock.monotonic)
    yield watch
    await watch.close()


async def test_of_an_empty_queue_and_of_one_that_is_not_there_yet_nothing_is_due(
    watch: QueueWatch, queue: RetryQueue, clock: Clock
) -> None:
    assert watch.age is None
    assert await watch.oldest_due() == 0
    await queue.warm_up()
    clock.now += timedelta(seconds=limits.QUEUE_LOOK_FRESH)
    assert await watch.oldest_due() == 0


async def test_the_delay_of_a_message_does_not_count(watch: QueueWatch, queue: RetryQueue, clock: Clock) -> None:
    await queue.put(delivery())
    clock.now += timedelta(seconds=limits.RETRY_DELAYS[0] + 42)
    assert await watch.oldest_due() == 42


async def test_the_oldest_counts_and_what_is_tried_again_counts_anew(
    watch: QueueWatch, queue: RetryQueue, clock: Clock
) -> None:
    (message,) = messages.of(delivery())
    await queue.put(delivery())
    clock.now += timedelta(seconds=10)
    await queue.put_back(message)
    await queue.put(delivery())
    clock.now += timedelta(seconds=limits.RETRY_DELAYS[0])
    assert await watch.oldest_due() == 10


async def test_a_revived_message_is_due_from_then_on(watch: QueueWatch, queue: RetryQueue, clock: Clock) -> None:
    (message,) = messages.of(delivery())
    for poisoned in (Poisoned(reason="given up", message=message), Poisoned(reason="damaged", unreadable=b"{}")):
        await queue.poison(poisoned)
    clock.now += timedelta(days=2)
    assert await queue.revive() == 2
    assert await watch.oldest_due() == pytest.approx(0, abs=1)


async def test_a_message_that_does_not_say_when_it_is_due_counts_from_when_it_was_put_there(
    storage: Storage, queue: RetryQueue
) -> None:
    await queue.warm_up()
    sent = await (await storage.queue(QUEUE)).send_message("by an older version")
    assert await queue.due_since() == sent.inserted_on


async def test_a_look_is_not_repeated_at_once(watch: QueueWatch, queue: RetryQueue, clock: Clock) -> None:
    assert await watch.oldest_due() == 0
    await queue.put(delivery())
    clock.now += timedelta(seconds=limits.QUEUE_LOOK_FRESH - 1)
    assert await watch.oldest_due() == 0
    clock.now += timedelta(seconds=1)
    assert await watch.oldest_due() == limits.QUEUE_LOOK_FRESH - limits.RETRY_DELAYS[0]


async def test_a_queue_that_nobody_reads_is_an_error_in_the_log(
    watch: QueueWatch, queue: RetryQueue, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await queue.put(delivery())
    clock.now += timedelta(seconds=limits.RETRY_DELAYS[0] + limits.QUEUE_UNREAD)
    await watch.look()
    watch.delivered(delivery())
    assert not caplog.records
    clock.now += timedelta(seconds=1)
    await watch.look()
    for _ in range(3):  # told once for each look, while something is served
        watch.delivered(delivery())
        await watch.oldest_due()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("the retry queue is not read: its oldest message has been due for 301 s")


async def test_it_looks_by_itself(watch: QueueWatch, queue: RetryQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "QUEUE_INTERVAL", 0.0)
    watch.start()

    async def known() -> bool:
        return watch.age is not None

    await until(known)


async def test_of_a_queue_that_is_away_nothing_is_known() -> None:
    storage = Storage(Settings(storage_connection="not a connection string"))
    assert await QueueWatch(RetryQueue(storage)).oldest_due() is None
    await storage.close()
