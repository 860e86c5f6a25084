"""``python -m bench.mirrors``: instances of the service as an API server sees them, as many as are asked for.

Each is a mirror with its own connections, its own lists and watches. What they take is told for all of them together.
The process reads :class:`Orders` from the first line of its standard input, and answers it and each further line with
one of its own.
"""

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import IO

import msgspec

from bench.load import ROOT
from bench.service import memory
from bench.workload import SECRETS_NAMESPACE
from receivers.cluster.api import Api
from receivers.cluster.availability import Availability
from receivers.cluster.credentials import Connection, FixedHeader, trusting
from receivers.cluster.mirror import Mirror
from receivers.events import Kind, Pushed

INTERVAL = 0.001  # seconds between two looks at the event loop
SETTLED = 0.5  # seconds
QUIET = 0.02  # of processor time within them, beside what each instance takes: no event came


class Orders(msgspec.Struct, kw_only=True):
    """What to start, and what to look up then."""

    server: str
    ca_file: str = ""  # speak TLS, and trust this
    token: str = ""
    instances: int = 1
    images: list[str] = []  # to look up in the first instance; one Warehouse subscribes to each


class Found(msgspec.Struct, kw_only=True):
    """What it took until all were ready. Times in seconds, memory in MB."""

    resident_before: float
    resident: float
    peak: float
    ready: float
    cpu: float  # of this process
    longest: float  # for which the event loop was held
    objects: int  # Warehouses known to each
    unreadable: int
    matches: list[float]  # of processor time


class Quiet(msgspec.Struct, kw_only=True):
    """That no event comes any more."""

    cpu: float  # seconds of processor time since the last answer


class Watching(msgspec.Struct, kw_only=True):
    """That all watch again which had lost their watches."""

    seconds: float  # since the first had lost it, until the last was there again
    spread: float  # between the first and the last


class Longest:
    """For how long this thread computed at most before the event loop looked at other tasks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def look(self) -> None:
        """Until cancelled."""
        while True:
            due, computed = time.perf_counter() + INTERVAL, time.thread_time()
            await asyncio.sleep(INTERVAL)
            late = time.perf_counter() - due
            self.seconds = max(self.seconds, min(late, time.thread_time() - computed))


class Running:
    """The process, seen from another one."""

    def __init__(self, process: subprocess.Popen[bytes], found: Found) -> None:
        self._process = process
        self.found = found

    def until_quiet(self) -> Quiet:
        """Wait until no event comes any more."""
        return self._ask(b"quiet", Quiet)

    def until_lost(self) -> Watching:
        """Wait until the watches are lost, and there again."""
        return self._ask(b"watching", Watching)

    def _ask[Answer](self, what: bytes, kind: type[Answer]) -> Answer:
        stdin, stdout = pipes(self._process)
        stdin.write(what + b"\n")
        stdin.flush()
        return msgspec.json.decode(stdout.readline(), type=kind)


@contextmanager
def running(orders: Orders) -> Iterator[Running]:
    """Instances in a process of their own, once they are ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.mirrors"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        stdin, stdout = pipes(process)
        try:
            stdin.write(msgspec.json.encode(orders) + b"\n")
            stdin.flush()
            yield Running(process, msgspec.json.decode(stdout.readline(), type=Found))
        finally:
            process.kill()


def pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and standard output of a process."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    return process.stdin, process.stdout


async def main() -> None:
    """On asyncio's own event loop, as the worker of Azure Functions."""
    orders = msgspec.json.decode(await _line(), type=Orders)
    async with AsyncExitStack() as stack:
        gc.collect()
        before = memory(os.getpid(), "VmRSS")
        longest = Longest()
        looking = asyncio.create_task(longest.look())
        began, computed = time.monotonic(), time.process_time()
        mirrors = [await stack.enter_async_context(_instance(orders)) for _ in range(orders.instances)]
        for mirror in mirrors:
            await mirror.warehouses_ready(None)
        ready, cpu = time.monotonic() - began, time.process_time() - computed
        looking.cancel()
        known = next(each for each in mirrors[0].health() if each.resource == "warehouses")
        _say(
            Found(
                resident_before=before,
                resident=memory(os.getpid(), "VmRSS"),
                peak=memory(os.getpid(), "VmHWM"),
                ready=ready,
                cpu=cpu,
                longest=longest.seconds,
                objects=known.objects,
                unreadable=known.unreadable,
                matches=[_match(mirrors[0], image) for image in orders.images],
            )
        )
        computed = time.process_time()
        while asked := await _line():
            if asked.strip() == b"quiet":
                await _until_quiet(orders.instances)
                _say(Quiet(cpu=time.process_time() - computed))
            else:
                _say(await _until_watching(mirrors))
            computed = time.process_time()


async def _until_quiet(instances: int) -> None:
    while True:
        before = time.process_time()
        await asyncio.sleep(SETTLED)
        if time.process_time() - before < QUIET + INTERVAL * instances:
            return


async def _until_watching(mirrors: list[Mirror]) -> Watching:
    lost: dict[int, float] = {}
    there: dict[int, float] = {}
    while len(there) < len(mirrors):
        await asyncio.sleep(INTERVAL * 5)
        for number, mirror in enumerate(mirrors):
            watching = all(each.watching for each in mirror.health() if each.resource == "warehouses")
            if not watching:
                lost.setdefault(number, time.monotonic())
            elif number in lost:
                there.setdefault(number, time.monotonic())
    return Watching(seconds=max(there.values()) - min(lost.values()), spread=max(there.values()) - min(there.values()))


@asynccontextmanager
async def _instance(orders: Orders) -> AsyncIterator[Mirror]:
    tls = trusting(cafile=orders.ca_file) if orders.ca_file else None
    authorization = FixedHeader(f"Bearer {orders.token}" if orders.token else None)
    api = Api(Connection(server=orders.server, tls=tls, authorization=authorization))
    mirror = Mirror(api, Availability(api), system_resources_namespace=SECRETS_NAMESPACE)
    mirror.start()
    try:
        yield mirror
    finally:
        await mirror.close()
        await api.close()


def _match(mirror: Mirror, image: str) -> float:
    event = Pushed(repository_urls=(image,), kinds=(Kind.IMAGE,), qualifiers=("1.2.3",))
    began = time.thread_time()
    decisions = mirror.index.match(event, project=None)
    took = time.thread_time() - began
    if len(decisions) != 1:
        raise RuntimeError(f"{image} matched {decisions}")
    return took


async def _line() -> bytes:
    return await asyncio.to_thread(sys.stdin.buffer.readline)


def _say(what: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
