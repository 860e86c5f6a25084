"""(g) Many instances against one real API server: what it must bear for watches, lists and changes.

Each instance is a mirror with its own connections. They share one process, so that two cores do for all of them.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from bench import clusters, mirrors, realistic
from bench.figures import Chapter, Figure, say
from bench.service import Service
from bench.size import Size
from receivers.cluster.api import KARGO
from testbed.servers import ApiServer

USER = "kargo-receivers"
STATUS = "application/merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """What the API server bore with so many instances. Times in seconds of its processor time, memory in MB."""

    instances: int
    lists: float  # until all instances were ready
    ready: float  # seconds of the clock
    resident: float  # by which it grew
    idle: float  # for each second
    change: float  # of a status
    client: float  # of one instance, for each change
    again: mirrors.Watching  # after it was gone for a moment
    relists: float  # from its start until all watched again


def measure(size: Size) -> Chapter:
    """Each number of instances against the same API server. Raises NotHere without its programs."""
    with clusters.real() as server:
        asyncio.run(_fill(server, size.stored))
        say(f"  {size.stored} Warehouses are there")
        found = [asyncio.run(_bear(server, instances, size)) for instances in size.instances]
    weight = mean(len(realistic.encoded(number)) for number in range(realistic.STYLES))
    return Chapter(
        f"(g) Instances against one kube-apiserver, {size.stored:,} Warehouses of {weight / 1000:.0f} KB",
        [figure for each in found for figure in _figures(each, size)] + _slopes(found, size, weight),
    )


async def _fill(server: ApiServer, count: int) -> None:
    await server.apply(*map(realistic.warehouse, range(count)))


async def _bear(server: ApiServer, instances: int, size: Size) -> Borne:
    process = Service(server.url, server.process.pid)
    resident, cpu = process.resident, process.cpu
    orders = mirrors.Orders(
        server=server.url, ca_file=str(server.ca_file), token=server.token(USER), instances=instances
    )
    with mirrors.running(orders) as running:
        lists = process.cpu - cpu
        running.until_quiet()
        cpu = process.cpu
        await asyncio.sleep(size.idle)
        idle = (process.cpu - cpu) / size.idle
        grown = process.resident - resident
        running.until_quiet()
        cpu = process.cpu
        await _change(server, size.changes)
        client = running.until_quiet().cpu
        change = process.cpu - cpu
        waiting = asyncio.create_task(asyncio.to_thread(running.until_lost))
        await server.stop()
        await server.start()
        began = process_of(server).cpu
        again = await waiting
        running.until_quiet()
        relists = process_of(server).cpu - began
    found = Borne(
        instances=instances,
        lists=lists,
        ready=running.found.ready,
        resident=grown,
        idle=idle,
        change=change / size.changes,
        client=client / size.changes / instances,
        again=again,
        relists=relists,
    )
    say(f"  {found}")
    return found


def process_of(server: ApiServer) -> Service:
    """The API server's process, which is another one after each start."""
    return Service(server.url, server.process.pid)


async def _change(server: ApiServer, count: int) -> None:
    """Write so many statuses, one after the other, as Kargo does when it has discovered."""
    async with server.session() as session:
        for number in range(count):
            where = f"{KARGO}/namespaces/{realistic.project(number)}/warehouses/app-{number}/status"
            body = b'{"status":{"lastFreightID":"%d"}}' % time.monotonic_ns()
            async with session.patch(where, data=body, headers={"Content-Type": STATUS}) as answer:
                answer.raise_for_status()
                await answer.read()


def _figures(found: Borne, size: Size) -> list[Figure]:
    number = f"{found.instances} instance" + ("s" if found.instances > 1 else "")
    return [
        Figure(
            f"{number}: all ready",
            f"{found.ready:.1f} s; {found.lists / found.instances / size.stored * 1e6:.0f} µs CPU of the API server "
            "for each Warehouse and instance",
        ),
        Figure(
            f"{number}: watching",
            f"{found.idle * 1000:.0f} ms CPU a second, {found.resident:+.0f} MB; a change of a status "
            f"{found.change * 1000:.2f} ms CPU, and {found.client * 1e6:.0f} µs of each instance",
        ),
        Figure(
            f"{number}: the API server is started anew",
            f"all watch again {found.again.seconds:.1f} s after it was gone, within {found.again.spread:.1f} s of each "
            f"other; {found.relists:.1f} s CPU of the API server from its start",
        ),
    ]


def _slopes(found: Sequence[Borne], size: Size, weight: float) -> list[Figure]:
    """What one more instance costs, by the medians of the differences to the least number."""
    least, *others = found
    if not others:
        return []

    def slope(values: list[float]) -> float:
        return median(
            (value - values[0]) / (each.instances - least.instances)
            for each, value in zip(others, values[1:], strict=True)
        )

    lists = slope([each.lists for each in found]) / size.stored
    speed = f", {weight / lists / 1e6:.0f} MB/s" if lists > 0 else ""  # of few Warehouses nothing can be told
    return [
        Figure("one more instance: a list", f"{lists * 1e6:.0f} µs CPU of the API server a Warehouse{speed}"),
        Figure(
            "one more instance: a watch event",
            f"{slope([each.change for each in found]) * 1e6:.0f} µs CPU of the API server",
        ),
        Figure("one more instance: memory of the API server", f"{slope([each.resident for each in found]):.1f} MB"),
        Figure("one more instance: idle", f"{slope([each.idle for each in found]) * 1000:.1f} ms CPU a second"),
    ]
