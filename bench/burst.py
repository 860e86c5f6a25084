"""(c) A burst of deliveries for one Warehouse: how many patches it costs, and whether each delivery got one."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from bench import clusters, load, workload
from bench.figures import Chapter, Figure, milliseconds, say
from bench.service import Service, service
from bench.size import Size
from receivers.cluster.refresher import ANNOTATION
from testbed.fault_proxy import FaultProxy, Request

PATCHES = 20
BURSTS = 3


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch, by two clocks."""

    began: datetime  # as the service says: its value is the time
    arrived: float  # at the proxy, a reading of time.monotonic()


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst gave."""

    run: load.Run
    patches: list[Patch]

    @property
    def unserved(self) -> int:
        """Deliveries whose answer was not preceded by a patch that began after they had arrived."""
        return sum(not self._served(exchange) for exchange in self.run.exchanges)

    def _served(self, exchange: load.Exchange) -> bool:
        arrived = arrival(exchange)
        return any(patch.began >= arrived and patch.arrived < exchange.answered for patch in self.patches)


def measure(size: Size) -> Chapter:
    """Every connection is open before the first delivery is sent; a proxy in front of the API notes the patches."""
    bursts = asyncio.run(_bursts(size))
    most = max(len(each.patches) for each in bursts)
    unserved = sum(each.unserved for each in bursts)
    statuses = sum(each.run.statuses[200] for each in bursts)
    return Chapter(
        f"(c) {size.burst:,} deliveries at once for one Warehouse",
        [
            Figure(f"patches, the most of {BURSTS} bursts", str(most), f"at most {PATCHES}", most <= PATCHES),
            Figure(
                "answers before which no patch began after the delivery's arrival",
                f"{unserved} of {size.burst * BURSTS:,}",
                "none",
                unserved == 0,
            ),
            Figure("answered 200", f"{statuses:,} of {size.burst * BURSTS:,}"),
            Figure(
                "last answer after the first delivery",
                milliseconds(median(each.run.until - each.run.began for each in bursts)),
            ),
        ],
    )


async def _bursts(size: Size) -> list[Burst]:
    with clusters.embedded() as server:
        await server.apply(*workload.receiver(), *workload.warehouses(1))
        async with FaultProxy(server.url) as proxy:
            with service(server.kubeconfig("admin", url=proxy.url)) as ours:
                await asyncio.to_thread(ours.wait_until_ready)
                await _burst(proxy, ours, 1)  # reads the Secret
                return [await _burst(proxy, ours, size.burst) for _ in range(BURSTS)]


async def _burst(proxy: FaultProxy, ours: Service, count: int) -> Burst:
    before = len(proxy.sent("PATCH"))
    requests = workload.deliveries(ours.url, 1)
    plan = load.Plan(url=ours.url, requests=requests, connections=count, count=count)
    run = await asyncio.to_thread(load.drive, plan)
    burst = Burst(run, list(_patches(proxy.sent("PATCH")[before:])))
    say(f"  {count} deliveries: {len(burst.patches)} patches")
    return burst


def _patches(requests: Iterable[Request]) -> Iterable[Patch]:
    for request in requests:
        value = json.loads(request.body)["metadata"]["annotations"][ANNOTATION]
        yield Patch(datetime.fromisoformat(value.rpartition("-")[0]), request.began)


def arrival(exchange: load.Exchange) -> datetime:
    """When the service got a delivery, to the millisecond: its id begins with that."""
    return datetime.fromtimestamp(int(exchange.delivery_id[:12], 16) / 1000, UTC)
