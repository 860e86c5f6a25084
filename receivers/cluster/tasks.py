"""Tasks that several wait for, and that may end when nobody waits any more."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any


class Waiters:
    """Those who wait for a moment. Waiting costs each a constant, and so does leaving."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()

    @contextlib.contextmanager
    def one(self) -> Iterator[asyncio.Future[None]]:
        """A future for one of them, who may leave before it is done."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.add(future)
        try:
            yield future
        finally:
            self._futures.discard(future)

    def tell(self) -> None:
        """The moment is there."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)


class Shared[Value]:
    """A task under way for whoever wants its result. Waiting costs each a constant, and so does leaving.

    :func:`asyncio.shield` does the same for a few: of its waiters each that leaves looks through all the others.
    """

    def __init__(self, work: Coroutine[Any, Any, Value]) -> None:
        self._waiters = Waiters()
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._ended)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._task.done()

    @property
    def succeeded(self) -> bool:
        """Whether it has ended with a result."""
        return self.done and not self._task.cancelled() and self._task.exception() is None

    def cancel(self) -> None:
        """Stop it. Who waits is cancelled too."""
        self._task.cancel()

    async def result(self) -> Value:
        """Wait for the result, or for what it fails with. Who is cancelled while waiting takes it from nobody else."""
        if not self._task.done():
            with self._waiters.one() as ended:
                await ended
        return self._task.result()

    async def ended(self) -> None:
        """Wait until it has ended, in whatever way."""
        await asyncio.wait({self._task})

    def _ended(self, task: asyncio.Task[Value]) -> None:
        if not task.cancelled():
            task.exception()  # seen, though nobody may wait any more
        self._waiters.tell()
