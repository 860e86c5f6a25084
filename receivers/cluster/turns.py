"""Turns of the event loop: who computes for long lets the others go on in between."""

import asyncio
import time

from receivers import limits


class Turns:
    """Kept by one task. It holds the loop for ``limits.TURN`` and one more of its steps at most."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def take(self) -> None:
        """After a step: let others go on, if this task had its turn."""
        if time.perf_counter() - self._began >= limits.TURN:
            await asyncio.sleep(0)
            self._began = time.perf_counter()
