"""(d) A large cluster: time until the service is ready, its memory, and the time to match a push."""

import asyncio
import time
from statistics import median

from bench import clusters, load, workload
from bench.figures import Chapter, Figure, milliseconds, percentile, say
from bench.service import service
from bench.size import Size
from receivers.events import Kind, Pushed, Target
from receivers.kargo.index import SubscriptionIndex

READY = 10.0  # seconds
MATCH = 0.001  # seconds


def measure(size: Size) -> Chapter:
    """Embedded API with 20 Warehouses in each project, each with an image of its own."""
    with clusters.embedded() as server:
        asyncio.run(server.apply(*workload.receiver(), *workload.warehouses(size.cluster)))
        say(f"  {size.cluster} Warehouses are there")
        began = time.monotonic()
        with service(server.kubeconfig("admin")) as ours:
            listening = time.monotonic()
            ours.wait_until_ready()
            ready = time.monotonic()
            resident = ours.resident
            request = workload.delivery(ours.url, size.cluster - 1)
            run = load.drive(load.Plan(url=ours.url, requests=[request], connections=1, count=50))
    matches = time_to_match(size)
    typical, most = median(matches), percentile(matches, 0.99)
    return Chapter(
        f"(d) {size.cluster:,} Warehouses in {size.cluster // workload.PER_PROJECT:,} projects",
        [
            Figure(
                "process started to ready",
                f"{ready - began:.1f} s, of them {ready - listening:.1f} s to list",
                f"at most {READY:.0f} s",
                ready - began <= READY,
            ),
            Figure("resident when ready", f"{resident:.0f} MB"),
            Figure(
                "time to match one push",
                f"median {milliseconds(typical)}, p99 {milliseconds(most)}",
                f"below {MATCH * 1000:.0f} ms",
                most < MATCH,
            ),
            Figure("a delivery, one at a time", f"p50 {milliseconds(median(each.latency for each in run.exchanges))}"),
        ],
    )


def time_to_match(size: Size) -> list[float]:
    """Seconds for each of many pushes, in this process: one Warehouse of them all subscribes to it."""
    index = SubscriptionIndex()
    for each in workload.warehouses(size.cluster):
        metadata = each["metadata"]
        index.put(Target(metadata["namespace"], metadata["name"]), each["spec"]["subscriptions"])
    return [_match(index, workload.image(number % size.cluster)) for number in range(size.matches)]


def _match(index: SubscriptionIndex, image: str) -> float:
    event = Pushed(repository_urls=(image,), kinds=(Kind.IMAGE,), qualifiers=("1.2.3",))
    began = time.perf_counter()
    decisions = index.match(event, project=None)
    took = time.perf_counter() - began
    if [decision.refresh for decision in decisions] != [True]:
        raise RuntimeError(f"{image} matched {decisions}")
    return took
