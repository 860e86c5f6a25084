"""Writing off the answer's path: what is to be kept is gathered here and written later, many at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from receivers import limits
from receivers.cluster.backoff import Backoff
from receivers.deliveries.storage import StorageError

logger = logging.getLogger(__name__)

FOR_EVER = (400, 413)  # what the store cannot take it cannot take later either


class WriteBehind[Item]:
    """Gathers items and stores them every second, or as soon as there are enough for one batch.

    While the store is away items are kept, up to a limit, and tried again with growing pauses. A process that is killed
    loses what it gathered within the last second; one whose event loop ends in good order loses nothing.
    """

    def __init__(self, store: Callable[[list[Item]], Awaitable[None]], *, what: str) -> None:
        self._store = store
        self._what = what  # for the log: "journal row"
        self._waiting: dict[str, Item] = {}
        self._writing: dict[str, Item] = {}
        self._full = asyncio.Event()
        self._backoff = Backoff()
        self._error = ""
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, key: str, item: Item) -> None:
        """Have an item stored soon, in place of an earlier one with its key. Returns at once."""
        self._waiting[key] = item
        self._drop_surplus()
        if len(self._waiting) >= limits.JOURNAL_BATCH:
            self._full.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def get(self, key: str) -> Item | None:
        """An item that is not stored yet."""
        return self._waiting.get(key) or self._writing.get(key)

    def fault(self) -> str:
        """Why nothing can be stored at the moment; empty when it can."""
        if not self._error:
            return ""
        dropped = f", {self._dropped} dropped" if self._dropped else ""
        return f"{self._error}; {len(self._waiting) + len(self._writing)} {self._what}s wait{dropped}"

    async def close(self) -> None:
        """Store what waits, if that can be done within a few seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._drain()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._pause()
                await self._write_batch()
        except asyncio.CancelledError:  # the event loop ends, and this is the last chance
            await self._drain()
            raise

    async def _pause(self) -> None:
        if self._error:
            await asyncio.sleep(max(limits.JOURNAL_INTERVAL, self._backoff.next()))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.JOURNAL_INTERVAL):
                await self._full.wait()

    async def _drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.CLOSE_GRACE):
                self._error = ""
                while self._waiting and not self._error:
                    await self._write_batch()
        if self._waiting:
            logger.warning("%d %ss are lost: %s", len(self._waiting), self._what, self._error or "no time was left")

    async def _write_batch(self) -> None:
        for key in list(self._waiting)[: limits.JOURNAL_BATCH]:
            self._writing[key] = self._waiting.pop(key)
        if len(self._waiting) < limits.JOURNAL_BATCH:
            self._full.clear()
        try:
            await self._store(list(self._writing.values()))
        except StorageError as error:
            self._failed(error)
        except Exception:
            logger.exception("a defect: %d %ss cannot be stored", len(self._writing), self._what)
            self._drop_batch()
        else:
            self._error = ""
            self._backoff.reset()
            self._writing.clear()
        finally:  # what was not stored goes back, in front of what came since, unless there is a later version of it
            self._waiting = {**self._writing, **self._waiting}
            self._writing = {}
            self._drop_surplus()

    def _failed(self, error: StorageError) -> None:
        if error.status in FOR_EVER:
            logger.error(
                "%d %ss are dropped, because the store refuses them: %s", len(self._writing), self._what, error
            )
            self._drop_batch()
            return
        if not self._error:
            logger.warning("%ss cannot be stored: %s", self._what, error)
        self._error = str(error)

    def _drop_batch(self) -> None:
        """Nothing behind what fails for ever would be stored."""
        self._dropped += len(self._writing)
        self._writing.clear()

    def _drop_surplus(self) -> None:
        while len(self._waiting) > limits.JOURNAL_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self._dropped += 1
