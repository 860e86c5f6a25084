"""Waiting for a condition, with a deadline and without guessing how long it takes."""

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], bool], *, within: float = 10.0) -> None:
    """Returns as soon as the condition holds. The test fails when it does not hold ``within`` so many seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - any condition can be waited for, also one that sets no event
            await asyncio.sleep(0.001)
