"""Messages into queues of Azure Storage, which are made when they are first needed."""

import asyncio
import base64
from typing import TYPE_CHECKING

from receivers import limits
from receivers.storage.account import NotFoundError, Storage, StorageError, calling

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient

NEVER = -1  # time to live
EXISTS = (204, 409)  # answers to who creates what is there


class Sender:
    """Puts messages into the queues of one account."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._creating = asyncio.Lock()

    async def send(self, name: str, text: bytes, *, delay: float) -> "QueueMessage":
        """Put a message into a queue, to be seen after ``delay`` seconds. Raises :class:`StorageError`."""
        encoded = base64.b64encode(text).decode()  # what host.json tells the host to expect
        queue = await self._storage.queue(name)
        try:
            return await _send(queue, encoded, delay)
        except NotFoundError:
            await self.create(queue)
            return await _send(queue, encoded, delay)

    async def create(self, queue: "QueueClient") -> None:
        """Make a queue, unless it is there. Raises :class:`StorageError`."""
        async with self._creating:
            try:
                async with calling():
                    await queue.create_queue()
            except StorageError as error:
                if error.status not in EXISTS:  # somebody else was faster
                    raise


def varied(delay: float, share: float) -> float:
    """A delay, so that what failed together does not return together; ``share`` is a random number up to 1."""
    return delay * (1 + limits.RETRY_JITTER * (2 * share - 1))


async def _send(queue: "QueueClient", encoded: str, delay: float) -> "QueueMessage":
    async with calling():
        return await queue.send_message(encoded, visibility_timeout=round(delay), time_to_live=NEVER)
