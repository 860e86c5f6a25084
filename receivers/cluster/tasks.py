"""Tasks that several wait for, and that may end when nobody waits any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Shared[Value]:
    """A task under way for whoever wants its result. Waiting costs each a constant, and so does leaving.

    :func:`asyncio.shield` does the same for a few: of its waiters each that leaves looks through all the others.
    """

    def __init__(self, work: Coroutine[Any, Any, Value]) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._ended)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._task.done()

    def cancel(self) -> None:
        """Stop it. Who waits is cancelled too."""
        self._task.cancel()

    async def result(self) -> Value:
        """Wait for the result, or for what it fails with. Who is cancelled while waiting takes it from nobody else."""
        if not self._task.done():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return self._task.result()

    async def ended(self) -> None:
        """Wait until it has ended, in whatever way."""
        await asyncio.wait({self._task})

    def _ended(self, task: asyncio.Task[Value]) -> None:
        retrieve_exception(task)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Mark a task's failure as seen, for tasks whose waiters may have gone."""
    if not task.cancelled():
        task.exception()
