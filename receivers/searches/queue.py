"""Where searches wait for their next look: durably in a queue of Azure Storage, else in this process."""

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from receivers import limits
from receivers.searches import search as searches
from receivers.searches.search import Search
from receivers.storage.account import Storage
from receivers.storage.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUEUE = "searches"

logger = logging.getLogger(__name__)


class Waiting(Protocol):
    """Where searches wait."""

    async def put(self, search: Search, *, delay: float) -> None:
        """Have it looked at in so many seconds. Raises StorageError."""

    async def close(self) -> None:
        """Keep nothing more."""


class SearchQueue:
    """A queue beside the one of later tries, so that what waits there is what waits to be refreshed."""

    def __init__(self, storage: Storage) -> None:
        self._sender = Sender(storage)

    async def put(self, search: Search, *, delay: float) -> None:
        await self._sender.send(QUEUE, searches.encode(search), delay=delay)

    async def close(self) -> None:
        """Nothing is held here."""


class InProcess:
    """For a service without a Storage account. What waits ends with the process."""

    def __init__(self) -> None:
        self.handle: Callable[[Search], Awaitable[None]] | None = None  # who looks
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, search: Search, *, delay: float) -> None:
        if len(self._tasks) >= limits.SEARCHES_HELD:
            logger.warning("Warehouse %s: nobody looks whether Kargo finds what was pushed", search.target)
            return
        task = asyncio.create_task(self._look_later(search, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_later(self, search: Search, delay: float) -> None:
        await asyncio.sleep(delay)
        if self.handle is not None:
            await self.handle(search)
