"""A bare client beside the service: it asks of the API server what a delivery needs, and does nothing else.

How much slower it gets in the siege is what the hostile tenants cost the API server itself, and the machine that all of
it shares. Deliveries cannot be answered sooner than that.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import batched, cycle

import aiohttp

from bench.siege.pace import Pace
from testbed.objects import secret, warehouse
from testbed.requests import MERGE, path_of
from testbed.servers import ApiServer

PROJECT = "control"
RATE = 10.0  # times a second
TOGETHER = 2  # Warehouses that are patched at once, as many as each honest delivery refreshes
WAREHOUSES = 40  # in turn, so that no patch waits for another of the same Warehouse
ANNOTATION = "example.com/control"
TIMEOUT = aiohttp.ClientTimeout(total=30)

type Latencies = list[float]  # seconds


class Control:
    """Reads a Secret, then patches two Warehouses at once, again and again. Nobody pushes what they subscribe to."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def prepare(self) -> None:
        """Create what it reads and patches."""
        await self._server.apply(
            secret("any", namespace=PROJECT),
            *(warehouse(name, project=PROJECT, image=f"control.example.com/{name}") for name in _names()),
        )

    @asynccontextmanager
    async def running(self, *, after: float, seconds: float) -> AsyncIterator[Latencies]:
        """While the block runs: how long each turn took. The first is ``after`` so many seconds, for ``seconds``."""
        latencies: Latencies = []
        task = asyncio.create_task(self._run(latencies, after, seconds))
        try:
            yield latencies
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self, latencies: Latencies, after: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        names = cycle(batched(_names(), TOGETHER, strict=True))
        await asyncio.sleep(after)
        async with self._server.session() as session, asyncio.TaskGroup() as turns:
            async for _ in Pace(RATE).turns(seconds):
                turns.create_task(_turn(session, next(names), latencies, loop.time()))


def _names() -> list[str]:
    return [f"app-{number}" for number in range(WAREHOUSES)]


async def _turn(session: aiohttp.ClientSession, names: Sequence[str], latencies: Latencies, began: float) -> None:
    async with session.get(path_of("Secret", "any", PROJECT), timeout=TIMEOUT) as answer:
        await answer.read()
    await asyncio.gather(*(_patch(session, name, began) for name in names))
    latencies.append(asyncio.get_running_loop().time() - began)


async def _patch(session: aiohttp.ClientSession, name: str, value: float) -> None:
    path = path_of("Warehouse", name, PROJECT)
    document = {"metadata": {"annotations": {ANNOTATION: str(value)}}}
    headers = {"Content-Type": MERGE}
    async with session.patch(path, json=document, headers=headers, timeout=TIMEOUT) as answer:
        await answer.read()
        answer.raise_for_status()
