"""The retry queue: deliveries that could not be refreshed within the answer budget wait here, durably.

Azure Storage queues. A try that fails is put back with a growing delay; after three days it goes to the poison queue.
At least once: whatever stops in between, a message is tried again, and a refresh does no harm twice.

While the cluster is away nothing is tried: messages are parked in a queue of their own, which costs nothing however
long that lasts, and one herald in the retry queue has somebody look for the cluster every few seconds. Once it is seen,
by the herald or by any process, everything that is parked is released.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from receivers import limits
from receivers.deliveries.delivery import Delivery
from receivers.retries import contents, messages
from receivers.retries.contents import PAGE, Contents, Look, text_of
from receivers.retries.messages import Message, Poisoned
from receivers.storage.account import NotFoundError, Storage, StorageError, calling
from receivers.storage.sending import Sender, varied

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient

logger = logging.getLogger(__name__)

QUEUE = "refreshes"
PARKED = "refreshes-parked"  # nothing is triggered by it
POISON = "refreshes-poison"  # where the Functions host puts what failed maxDequeueCount times
REVIVAL = 60  # seconds for which messages are hidden while some of them are revived or released


class RetryQueue:
    """Puts deliveries and their further tries into the queue."""

    def __init__(
        self,
        storage: Storage,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._now = now
        self._jitter = jitter
        self._clock = clock
        self._herald_sent_at = -limits.HERALD_DELAY
        self._fault = ""
        self._sender = Sender(storage)

    async def put(self, delivery: Delivery) -> None:
        """Keep a delivery for later. Once this returns it will not be lost. Raises :class:`StorageError`."""
        await asyncio.gather(*(self._keep(message, delay=self._delay(0)) for message in messages.of(delivery)))

    async def put_back(self, message: Message) -> bool:
        """Keep a message for one more try; False when it is too old and went to the poison queue instead.

        Raises :class:`StorageError`.
        """
        if self._now() - message.received_at > timedelta(seconds=limits.RETRY_AGE):
            reason = f"given up after {message.tries} tries: {message.attempts[-1].error}"
            await self.poison(Poisoned(reason=reason, message=message))
            return False
        await self._keep(message, delay=self._delay(message.tries))
        return True

    @contextlib.asynccontextmanager
    async def insured(self, text: bytes) -> AsyncIterator[None]:
        """While a message is worked on: if this process is killed, the message is there again within a minute.

        The Functions host alone would hide it for ten. Works without insurance when the queue cannot be written to.
        """
        copy = None
        with contextlib.suppress(StorageError):
            copy = await self._send(QUEUE, text, delay=limits.RETRY_INSURANCE)
        try:
            yield
        except Exception:
            await self._discard(copy)
            raise
        await self._discard(copy)

    async def park(self, message: Message) -> None:
        """Keep a message until the cluster is back, however long that takes. Raises :class:`StorageError`."""
        await self._send(PARKED, messages.encode(message), delay=0)
        await self.send_herald()

    async def send_herald(self) -> None:
        """Have somebody look for the cluster soon. Raises :class:`StorageError`.

        One that this process sent a moment ago is as good as another.
        """
        if self._clock() - self._herald_sent_at >= limits.HERALD_DELAY / 2:
            await self._send(QUEUE, messages.HERALD, delay=limits.HERALD_DELAY)
            self._herald_sent_at = self._clock()

    async def release(self) -> int:
        """Have everything that is parked tried soon. Returns how many messages that were.

        Several processes may do it at the same time. Raises :class:`StorageError`; what is not released stays parked.
        """
        queue = await self._storage.queue(PARKED)
        released = 0
        while page := await _page(queue, PAGE):
            results = await asyncio.gather(*(self._release(queue, each) for each in page), return_exceptions=True)
            for failure in results:
                if isinstance(failure, BaseException):
                    raise failure
            released += len(page)
        return released

    async def poison(self, poisoned: Poisoned) -> None:
        """Give a message up, for people to look at. Raises :class:`StorageError`."""
        await self._send(POISON, messages.poison(poisoned), delay=0)

    async def peek(self, *, limit: int = PAGE) -> Contents:
        """What is in the queues, and the first messages of each, 32 at most. Raises :class:`StorageError`."""
        queue, parked, poison = await asyncio.gather(*(self._peek(name) for name in (QUEUE, PARKED, POISON)))
        return contents.of(queue=queue, parked=parked, poison=poison, limit=limit)

    async def due_since(self) -> datetime | None:
        """When the message that waits longest became due; None when none is due. Raises :class:`StorageError`."""
        queue = await self._storage.queue(QUEUE)
        try:
            async with calling():
                found = await queue.peek_messages(max_messages=PAGE)
        except NotFoundError:
            return None
        return min((_due_since(each) for each in found), default=None)

    async def revive(self, ids: Collection[str] | None = None) -> int:
        """Give poisoned messages, those with these ids or all, one more try now. Returns how many there were.

        One that fails again while it is older than the retries last goes back. Raises :class:`StorageError`.
        """
        return len(await self._take(ids, self._revive))

    async def discard(self, ids: Collection[str] | None = None) -> list[Poisoned]:
        """Delete poisoned messages, those with these ids or all. Returns them. Raises :class:`StorageError`."""
        return await self._take(ids, _nothing)

    async def _take(self, ids: Collection[str] | None, see_to: Callable[[Poisoned], Awaitable[None]]) -> list[Poisoned]:
        """Take messages out of the poison queue, once they are seen to; the others are put back at once."""
        queue = await self._storage.queue(POISON)
        passed: list[QueueMessage] = []
        taken: list[Poisoned] = []
        try:
            async for message in _taken(queue, most=(await self._count(POISON))):
                if ids is not None and message.id not in ids:
                    passed.append(message)
                    continue
                poisoned = messages.decode_poisoned(text_of(message))
                await see_to(poisoned)
                async with calling():
                    await queue.delete_message(message)
                taken.append(poisoned)
        finally:
            for message in passed:
                async with calling():
                    await queue.update_message(message, visibility_timeout=0)
        return taken

    async def warm_up(self) -> None:
        """Make the connection, and the queue if need be, so that the first delivery need not wait for it."""
        try:
            await self._count(QUEUE, create=True)
        except StorageError as error:
            self._fault = str(error)
        else:
            self._fault = ""

    def fault(self) -> str:
        """Why deliveries cannot be kept at the moment; empty when they can, as far as is known."""
        return self._fault

    def _delay(self, tries: int) -> float:
        delay = limits.RETRY_DELAYS[min(tries, len(limits.RETRY_DELAYS) - 1)]
        return varied(delay, self._jitter())

    async def _keep(self, message: Message, *, delay: float) -> None:
        due_at = self._now() + timedelta(seconds=delay)
        await self._send(QUEUE, messages.encode(message, due_at=due_at), delay=delay)

    async def _revive(self, poisoned: Poisoned) -> None:
        if poisoned.message is not None:
            await self._keep(poisoned.message, delay=0)
        else:
            await self._send(QUEUE, poisoned.unreadable, delay=0)

    async def _release(self, parked: "QueueClient", message: "QueueMessage") -> None:
        await self._send(QUEUE, text_of(message), delay=limits.RELEASE_SPREAD * self._jitter())
        async with calling():
            await parked.delete_message(message)

    async def _discard(self, copy: "QueueMessage | None") -> None:
        if copy is None:
            return
        try:
            queue = await self._storage.queue(QUEUE)
            async with calling():
                await queue.delete_message(copy)
        except StorageError as error:
            logger.debug("a message will be tried once more than need be: %s", error)

    async def _send(self, name: str, text: bytes, *, delay: float) -> "QueueMessage":
        try:
            sent = await self._sender.send(name, text, delay=delay)
        except StorageError as error:
            self._fault = str(error)
            raise
        self._fault = ""
        return sent

    async def _count(self, name: str, *, create: bool = False) -> int:
        queue = await self._storage.queue(name)
        try:
            async with calling():
                return (await queue.get_queue_properties()).approximate_message_count or 0
        except NotFoundError:
            if create:
                await self._sender.create(queue)
            return 0

    async def _peek(self, name: str) -> Look:
        count = await self._count(name)
        if not count:
            return Look(count=0, seen=[])
        queue = await self._storage.queue(name)
        async with calling():
            return Look(count=count, seen=await queue.peek_messages(max_messages=PAGE))


async def _nothing(_poisoned: Poisoned) -> None:
    """There is nothing to see to."""


async def _page(queue: "QueueClient", most: int) -> "list[QueueMessage]":
    """The first messages of a queue, hidden from everybody else for a while. One that is not there yet has none."""
    try:
        async with calling():
            pages = queue.receive_messages(max_messages=min(most, PAGE), visibility_timeout=REVIVAL)
            return [message async for message in pages]
    except NotFoundError:
        return []


async def _taken(queue: "QueueClient", *, most: int) -> "AsyncIterator[QueueMessage]":
    """The messages of a queue, hidden from everybody else for a while; no more than were there at first."""
    while most > 0:
        page = await _page(queue, most)
        if not page:
            return
        most -= len(page)
        for message in page:
            yield message


def _due_since(message: "QueueMessage") -> datetime:
    """When a message became due; of one that does not say, when it was put there."""
    return messages.due_at(text_of(message)) or message.inserted_on or datetime.now(UTC)
