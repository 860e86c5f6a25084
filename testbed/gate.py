"""A gate in a function: a test knows when requests have come to it, and decides when they go on."""

import asyncio


class Gate:
    """Requests wait until it is opened. One event loop at a time; :meth:`close` begins anew."""

    def __init__(self) -> None:
        self.close()

    def close(self, *, expected: int = 1) -> None:
        """Shut it, and tell through ``reached`` when so many requests wait."""
        self._expected = expected
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.passed = asyncio.Event()

    async def pass_through(self) -> None:
        self._expected -= 1
        if self._expected == 0:
            self.reached.set()
        await self.opened.wait()
        self.passed.set()


GATE = Gate()
