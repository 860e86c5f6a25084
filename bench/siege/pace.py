"""A rate that several share."""

import asyncio
from collections.abc import AsyncIterator


class Pace:
    """So many turns a second for all who ask together. Who comes late does not make up for it."""

    def __init__(self, rate: float) -> None:
        self._between = 1 / rate
        self._due = 0.0

    async def turns(self, seconds: float) -> AsyncIterator[None]:
        """One after the other, for so many seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            due = max(self._due, loop.time())
            self._due = due + self._between
            if due >= until:
                return
            await asyncio.sleep(due - loop.time())
            yield
