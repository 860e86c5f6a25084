"""How long the event loop was held: the longest time in which no other task got a turn."""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

INTERVAL = 0.001  # seconds between two looks

# Seconds for which the event loop is held at most: the promise of docs/security.md. Measuring coverage slows everything
# down, and so does whoever shares the caches of a busy machine; what these tests look for took seconds once.
PROMISED = 0.05
HELD = PROMISED * (5 if sys.gettrace() is not None else 2)


@dataclass(slots=True)
class Lag:
    """What was measured so far, in seconds."""

    longest: float = 0.0  # by which a task was late that was due; what the machine gave to other processes counts too
    longest_computing: float = 0.0  # the same, as far as this thread was computing: tests on a busy machine judge by it


@contextlib.asynccontextmanager
async def loop_lag() -> AsyncIterator[Lag]:
    """Measure from here to the end of the block.

    What other tests left in this process is nothing that the service would have to look through for garbage.
    """
    gc.collect()
    gc.freeze()
    lag = Lag()
    due, computed = time.perf_counter(), time.thread_time()

    def note() -> None:
        late = time.perf_counter() - due
        lag.longest = max(lag.longest, late)
        lag.longest_computing = max(lag.longest_computing, min(late, time.thread_time() - computed))

    async def look() -> None:
        nonlocal due, computed
        while True:
            due, computed = time.perf_counter() + INTERVAL, time.thread_time()
            await asyncio.sleep(INTERVAL)
            note()

    looking = asyncio.get_running_loop().create_task(look())
    await asyncio.sleep(0)  # it looks from now on
    try:
        yield lag
    finally:
        note()  # what held the loop until this moment
        gc.unfreeze()
        looking.cancel()
        await asyncio.wait([looking])
