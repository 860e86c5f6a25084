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
from receivers.deliveries.delivery import Delivery
from receivers.retries.queue import RetryQueue
from receivers.storage.account import StorageError

logger = logging.getLogger(__name__)


class QueueWatch:
    """Looks at the queue now and then, and logs when nobody reads it. Begin with :meth:`start`.

    It logs while somebody is served: what is logged while no function runs may not reach Azure's log.
    """

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
        self.age: float | None = None  # as of the last look: as oldest_due() has it
        self._looked_at: float | None = None
        self._told_at: float | None = None
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
        self._tell()
        return self.age

    def delivered(self, _delivery: Delivery) -> None:
        """Log, at a delivery, what was seen last. An observer of the pipeline."""
        self._tell()

    async def look(self) -> None:
        """Look once."""
        try:
            since = await self._queue.due_since()
        except StorageError:  # the queue tells by itself that it is away
            self.age = None
        else:
            self.age = max(0.0, (self._now() - since).total_seconds()) if since else 0.0
        self._looked_at = self._clock()

    def _tell(self) -> None:
        """Log once for each look."""
        if self.age is None or self.age <= limits.QUEUE_UNREAD or self._told_at == self._looked_at:
            return
        self._told_at = self._looked_at
        logger.error(
            "the retry queue is not read: its oldest message has been due for %.0f s. Does its trigger listen?",
            self.age,
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(limits.QUEUE_INTERVAL)
            await self.look()
