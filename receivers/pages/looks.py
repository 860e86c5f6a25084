"""Looks into the retry queue. One is enough for a view of a page, however much of it tells of the queue."""

import time
from weakref import WeakKeyDictionary

from receivers.retries.contents import Contents
from receivers.retries.queue import RetryQueue

LATELY = 5.0  # seconds for which a look counts where the page is not about the queue

_seen: WeakKeyDictionary[RetryQueue, tuple[float, Contents | None]] = WeakKeyDictionary()


async def now(queue: RetryQueue) -> Contents:
    """What is in the queue. Raises StorageError."""
    contents = None
    try:
        contents = await queue.peek()
    finally:  # also where it took too long for who asked
        _seen[queue] = (time.monotonic(), contents)
    return contents


async def lately(queue: RetryQueue) -> Contents | None:
    """The same as of a few seconds ago; None: it did not tell then. Raises StorageError."""
    looked_at, contents = _seen.get(queue, (-LATELY, None))
    return contents if time.monotonic() - looked_at < LATELY else await now(queue)
