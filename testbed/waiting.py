"""Waiting for a condition, with a deadline: no test sleeps for a time it guessed."""

import asyncio
from collections.abc import Callable

from receivers.cluster.availability import Availability

PATIENCE = 60.0  # seconds; what is waited for takes milliseconds, on a machine with nothing else to do


async def eventually(condition: Callable[[], object]) -> None:
    """Returns once the condition holds. The test fails when it does not."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what the conditions look at tells nobody
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError("waited in vain") from None


async def turns(count: int = 20) -> None:
    """Lets every other task of the event loop have its turn, so often that what can happen now has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


def ours() -> list[str]:
    """The tasks of receivers/cluster/ that are there, by what they run."""
    running = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in running if name.startswith(("Mirror.", "Reflector.", "Refresher.", "SecretReader."))]


async def found_away(availability: Availability) -> None:
    """Returns once the cluster was found away."""
    with availability.gone() as gone:
        await gone
