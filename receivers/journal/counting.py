"""What was counted is written some seconds later, many changes at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from receivers import limits
from receivers.storage.account import StorageError

OVERLAP = (
    2  # hours after the first count in which an earlier version, which counts nothing, may still have written rows
)


class Counting:
    """Calls ``save``, which writes what has changed, or raises StorageError: then it is called again later."""

    def __init__(self, save: Callable[[], Awaitable[None]]) -> None:
        self._save = save
        self._saved_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False

    def changed(self) -> None:
        """Something is to be written within some seconds; never, once this is closed."""
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(limits.HOURS_INTERVAL, self._flush)

    async def count(self) -> None:
        """Write what has changed, unless that was done a few seconds ago: then it is done later."""
        if asyncio.get_running_loop().time() - self._saved_at >= limits.HOURS_INTERVAL:
            await self._write()

    async def close(self) -> None:
        """Write what has changed last."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is not None:
            await asyncio.wait({self._flushing})
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(limits.CLOSE_GRACE):
                await self._save()

    def _flush(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        self._saved_at = asyncio.get_running_loop().time()
        try:
            await self._save()
        except StorageError:  # what is wrong is said of the rows
            self.changed()
