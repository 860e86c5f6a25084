"""What every listener promises."""

import asyncio
from typing import Protocol


class Listener(Protocol):
    """Calls one function whenever its trigger fires."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until ``stopping`` is set; return once the function's invocations have ended.

        Cancelling it cuts them short.
        """


async def happened(event: asyncio.Event, *, within: float) -> bool:
    """Wait for the event at most so many seconds, and tell whether it is set."""
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
