"""Whether the retry queue is read: the age of the oldest message that is due.

A trigger that does not listen says so nowhere for certain: not in a state, not reliably in a log. The queue does.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from receivers import limits
from receivers.deliveries.retry_queue import RetryQueue
from receivers.deliveries.storage import StorageError

logger = logging.getLogger(__name__)


class QueueWatch:
    """Looks at the queue now and then, and logs when nobody reads it. Begin with :meth:`start`."""

    def __init__(
        self,
        queue: RetryQueue,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._now = now
        self._clock = clock
        self._looked_at: float | None = None
        self._due_since: datetime | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look regularly from now on."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})

    async def oldest_due(self) -> float | None:
        """For how many seconds the oldest message has been due; 0 when none is, None when that is not known.

        Looks at the queue unless that was done a moment ago, and waits for it for a moment only.
        """
        if self._looked_at is None or self._clock() - self._looked_at >= limits.QUEUE_LOOK_FRESH:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.QUEUE_LOOK_TIMEOUT):
                    await self.look()
        return self.age

    @property
    def age(self) -> float | None:
        """The same, by the last look."""
        if self._looked_at is None:
            return None
        if self._due_since is None:
            return 0.0
        return max(0.0, (self._now() - self._due_since).total_seconds())

    async def look(self) -> None:
        """Look once."""
        try:
            self._due_since = await self._queue.due_since()
        except StorageError:  # the queue tells by itself that it is away
            self._looked_at = None
            return
        self._looked_at = self._clock()
        age = self.age
        if age is not None and age > limits.QUEUE_UNREAD:
            logger.error(
                "the retry queue is not read: its oldest message has been due for %.0f s. Does its trigger listen?", age
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(limits.QUEUE_INTERVAL)
            await self.look()
