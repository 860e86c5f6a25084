"""What takes long to read, in a thread: one request at a time, by turns of the projects."""

import asyncio
from collections.abc import Callable

from receivers import limits
from receivers.cluster.slots import Slots


class BusyError(Exception):
    """Others' requests took the time in which this one should have been read."""


class Reading:
    """Reads requests, so that none that takes long keeps the event loop, and no project keeps the others waiting.

    Python computes in one thread at a time, so more than one would gain nothing.
    """

    def __init__(self) -> None:
        self._slots = Slots(1)
        self._tasks: set[asyncio.Task[object]] = set()  # a task that nothing holds may vanish

    async def read[Value](self, meaning: Callable[[], Value], *, owner: str, until: float) -> Value:
        """What ``meaning`` gives, at its owner's turn. Raises :class:`BusyError` when that takes longer.

        What a thread has begun it ends, and the next one waits for that, whether or not somebody still wants it.
        """
        begun = False

        async def turn() -> Value:
            nonlocal begun
            async with self._slots.of(owner):
                begun = True
                return await asyncio.to_thread(meaning)

        task = asyncio.get_running_loop().create_task(turn())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(task)
        except TimeoutError:
            raise BusyError("others' large requests were read first") from None
        finally:
            if not begun:
                task.cancel()
            elif not task.done():
                task.add_done_callback(_seen)


def is_laborious(body: bytes) -> bool:
    """Whether reading a body may take more than a few milliseconds: it is long, or has very many objects."""
    return len(body) > limits.LARGE_BODY or body.count(b"{") > limits.MANY_OBJECTS


def _seen(task: asyncio.Task[object]) -> None:
    """Nobody waits for it any more, so nobody else sees what it failed with."""
    if not task.cancelled():
        task.exception()
