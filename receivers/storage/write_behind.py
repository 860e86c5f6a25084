"""Writing off the answer's path: what is to be kept is gathered here and written later, many at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from receivers import limits
from receivers.cluster.backoff import Backoff
from receivers.storage.account import StorageError
from receivers.storage.drops import Drops
from receivers.storage.storing import Fruitless, Storing
from receivers.storage.waiting import Entry, Rank, Waiting

logger = logging.getLogger(__name__)

USUAL = 2048  # bytes of an item whose size nobody told


class WriteBehind[Item]:
    """Gathers items and stores them every second, or as soon as there are enough for one batch.

    While the store is away items are kept, up to a limit, and tried again with growing pauses. One that the store
    refuses is found and dropped; the others of its batch are stored. What was dropped is said, by :meth:`fault` and in
    the log. A process that is killed loses what it gathered within the last second; one whose event loop ends in good
    order loses nothing.
    """

    def __init__(self, store: Callable[[list[Item]], Awaitable[None]], *, what: str, named: bool = False) -> None:
        self._what = what  # for the log: "journal row"
        self._named = named  # whether keys may stand in the log
        self._waiting: Waiting[Item] = Waiting()
        self._writing: dict[str, Entry[Item]] = {}
        self._drops = Drops(what)
        self._storing: Storing[Entry[Item]] = Storing(
            lambda entries: store([entry.item for entry in entries]), on_dropped=self._refused
        )
        self._full = asyncio.Event()
        self._backoff = Backoff()
        self._error = ""
        self._task: asyncio.Task[None] | None = None

    def add(self, key: str, item: Item, *, size: int = USUAL, rank: Rank = Rank.MUCH) -> None:
        """Have an item of so many bytes stored soon, in place of an earlier one with its key. Returns at once."""
        self._note_surplus(self._waiting.put(key, item, size=size, rank=rank))
        if len(self._waiting) >= limits.JOURNAL_BATCH:
            self._full.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def get(self, key: str) -> Item | None:
        """An item that is not stored yet."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            return waiting
        writing = self._writing.get(key)
        return writing.item if writing is not None else None

    def fault(self) -> str:
        """Why nothing can be stored at the moment, and what was dropped lately; empty when all is well."""
        waiting = len(self._waiting) + len(self._writing)
        away = f"{self._error}; {waiting} {self._what}s wait" if self._error else ""
        return "; ".join(filter(None, (away, self._drops.said())))

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
        self._writing = self._waiting.take(most=limits.JOURNAL_BATCH, size=limits.JOURNAL_BATCH_BYTES)
        if len(self._waiting) < limits.JOURNAL_BATCH:
            self._full.clear()
        put_back = self._waiting.put_back
        try:
            await self._storing.store(self._writing)
        except Fruitless as error:
            put_back = self._waiting.put_behind
            self._failed(error)
        except StorageError as error:
            self._failed(error)
        else:
            self._error = ""
            self._backoff.reset()
            self._drops.say()
        finally:  # what was not stored waits again, unless there is a later version of it
            self._note_surplus(put_back(self._writing))
            self._writing = {}

    def _failed(self, error: StorageError) -> None:
        if not self._error:
            logger.warning("%ss cannot be stored: %s", self._what, error)
        self._error = str(error)

    def _refused(self, key: str, failure: Exception) -> None:
        """Nothing behind what fails for ever would be stored."""
        which = key if self._named else "it"
        self._drops.note(1, f"the store refuses {which}: {failure}")

    def _note_surplus(self, dropped: int) -> None:
        self._drops.note(dropped, "the store is away, and there is no room for more")
