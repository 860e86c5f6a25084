"""(h) A long outage: so many deliveries are parked, released and taken from the retry queue again.

Against Azurite, which is one process of Node: the figures that carry over are the calls of Azure Storage and the
processor time for each message. What the cluster takes for the refreshes is not part of it.
"""

import asyncio
import base64
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import workload
from bench.clusters import NotHere
from bench.figures import Chapter, Figure, say
from bench.size import Size
from receivers.events import Kind, Pushed
from receivers.local.azurite import Azurite, Unavailable
from receivers.retries import messages
from receivers.retries.messages import Message
from receivers.retries.queue import PARKED, QUEUE, RetryQueue
from receivers.settings import Settings
from receivers.storage.account import Storage, StorageError, calling

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient

AT_ONCE = 24  # messages, of one instance: host.json's batchSize and newBatchThreshold
BATCH = 16  # messages in one call of the host
TRIES = 5
MILLION = 1_000_000
PER_QUEUE = 2_000  # messages a second: what Azure has one queue do
CALLS = {  # of Azure Storage, for each message, on the queue that they burden
    "parked": {PARKED: 1.0},
    "released": {PARKED: 1 + 1 / 32, QUEUE: 1.0},
    "tried": {QUEUE: 3 + 1 / BATCH},
}


@dataclass(frozen=True, slots=True)
class Phase:
    """One thing that was done with all messages."""

    seconds: float
    cpu: float  # of this process

    def told(self, count: int) -> str:
        return f"{count / self.seconds:,.0f}/s, {self.cpu / count * 1e6:,.0f} µs CPU each"


def measure(size: Size) -> Chapter:
    """Raises NotHere without Azurite."""
    try:
        phases = asyncio.run(_measure(size.messages))
    except Unavailable as reason:
        raise NotHere(str(reason)) from None
    busiest = sum(calls.get(QUEUE, 0.0) for name, calls in CALLS.items() if name != "parked")
    return Chapter(
        f"(h) {size.messages:,} messages that wait for the cluster, Azurite",
        [
            *(
                Figure(name, f"{phase.told(size.messages)}, {sum(CALLS[name].values()):.1f} calls")
                for name, phase in phases.items()
            ),
            Figure(
                "a million, by Azure's limit for one queue",
                f"{MILLION * busiest / PER_QUEUE / 60:.0f} minutes, {PER_QUEUE / busiest:,.0f} messages/s",
            ),
        ],
    )


async def _measure(count: int) -> dict[str, Phase]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        azurite = await stack.enter_async_context(Azurite(Path(folder)))
        storage = Storage(Settings(storage_connection=azurite.connection_string))
        stack.push_async_callback(storage.close)
        queue = RetryQueue(storage, jitter=lambda: 0.0)  # released messages are due at once
        await queue.warm_up()
        parked = await _timed(lambda: _park(queue, count))
        say(f"  parked: {parked.told(count)}")
        released = await _timed(partial(_patiently, queue.release))
        say(f"  released: {released.told(count)}")
        tried = await _timed(lambda: _try_all(storage, queue, count))
        say(f"  tried: {tried.told(count)}")
    return {"parked": parked, "released": released, "tried": tried}


async def _timed(work: Callable[[], Awaitable[object]]) -> Phase:
    began, cpu = time.monotonic(), time.process_time()
    await work()
    return Phase(time.monotonic() - began, time.process_time() - cpu)


async def _patiently(call: Callable[[], Awaitable[object]]) -> None:
    """Call once more where a busy machine lets a call of storage run out of time."""
    for _ in range(TRIES):
        with contextlib.suppress(StorageError):
            await call()
            return
    await call()


async def _park(queue: RetryQueue, count: int) -> None:
    left = iter(range(count))

    async def some() -> None:
        for number in left:
            await _patiently(partial(queue.park, _message(number)))

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def _message(number: int) -> Message:
    event = Pushed(repository_urls=(workload.image(number),), kinds=(Kind.IMAGE,), qualifiers=("1.2.3",))
    return Message(
        delivery=f"{number:024x}",
        received_at=datetime.now(UTC),
        provider="azure",
        receiver="bench",
        project=None,
        events=[event],
    )


async def _try_all(storage: Storage, queue: RetryQueue, count: int) -> None:
    """What the Functions host and a try do to the queue. The refresh between them is left out."""
    client = await storage.queue(QUEUE)
    tried = 0
    while tried < count:
        found = [each async for each in client.receive_messages(max_messages=BATCH, visibility_timeout=600)]
        deliveries = [each for each in found if _text(each) != messages.HERALD]
        await asyncio.gather(*(_try(client, queue, each) for each in deliveries))
        tried += len(deliveries)


async def _try(client: "QueueClient", queue: RetryQueue, message: "QueueMessage") -> None:
    async with queue.insured(_text(message)):
        messages.decode(_text(message))
    await _patiently(partial(_delete, client, message))


async def _delete(client: "QueueClient", message: "QueueMessage") -> None:
    async with calling():
        await client.delete_message(message)


def _text(message: "QueueMessage") -> bytes:
    return base64.b64decode(message.content)
