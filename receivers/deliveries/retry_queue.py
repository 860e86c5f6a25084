"""The retry queue: deliveries that could not be refreshed within the answer budget wait here, durably.

Azure Storage queues. A try that fails is put back with a growing delay; after three days it goes to the poison queue.
At least once: whatever stops in between, a message is tried again, and a refresh does no harm twice.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from receivers import limits
from receivers.deliveries import messages
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.messages import Message
from receivers.deliveries.storage import Storage, StorageError, calling

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

QUEUE = "refreshes"
POISON = "refreshes-poison"
NEVER = -1  # time to live
NOT_FOUND, CONFLICT = 404, 409


class RetryQueue:
    """Puts deliveries and their further tries into the queue."""

    def __init__(
        self,
        storage: Storage,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._storage = storage
        self._now = now
        self._jitter = jitter

    async def put(self, delivery: Delivery) -> None:
        """Keep a delivery for later. Once this returns it will not be lost. Raises :class:`StorageError`."""
        for message in messages.of(delivery):
            await self._send(QUEUE, messages.encode(message), delay=self._delay(0))

    async def put_back(self, message: Message) -> bool:
        """Keep a message for one more try; False when it is too old and went to the poison queue instead.

        Raises :class:`StorageError`.
        """
        text = messages.encode(message)
        if self._now() - message.received_at > timedelta(seconds=limits.RETRY_AGE):
            await self.poison(text, f"given up after {len(message.attempts)} tries: {message.attempts[-1].error}")
            return False
        await self._send(QUEUE, text, delay=self._delay(len(message.attempts)))
        return True

    async def poison(self, text: str, reason: str) -> None:
        """Give a message up, for people to look at. Raises :class:`StorageError`."""
        await self._send(POISON, messages.poisoned(text, reason), delay=0)

    def _delay(self, tries: int) -> float:
        delay = limits.RETRY_DELAYS[min(tries, len(limits.RETRY_DELAYS) - 1)]
        return delay * (1 + limits.RETRY_JITTER * (2 * self._jitter() - 1))

    async def _send(self, name: str, text: str, *, delay: float) -> None:
        queue = await self._storage.queue(name)
        try:
            await _send(queue, text, delay)
        except StorageError as error:
            if error.status != NOT_FOUND:
                raise
            await _create(queue)
            await _send(queue, text, delay)


async def _send(queue: "QueueClient", text: str, delay: float) -> None:
    async with calling():
        await queue.send_message(text, visibility_timeout=round(delay), time_to_live=NEVER)


async def _create(queue: "QueueClient") -> None:
    try:
        async with calling():
            await queue.create_queue()
    except StorageError as error:
        if error.status != CONFLICT:  # somebody else was faster
            raise
