"""(b) Deliveries per second that refresh one Warehouse each, as a ratio to the trivial function."""

import asyncio

from bench import clusters, workload
from bench.figures import Chapter, Figure
from bench.service import service, trivial
from bench.size import Size
from bench.throughput import Contestant, Rounds, compete

TRIVIAL, SPREAD, SAME = "trivial function", "each another Warehouse", "all the same Warehouse"
RATIO = 0.5  # of the trivial function's rate, at most connections
P99 = 0.05  # seconds, at P99_AT connections
P99_AT = 16


def measure(size: Size) -> Chapter:
    """Embedded API; the load generator, the service and the API share the machine."""
    figures: list[Figure] = []
    with clusters.embedded() as server:
        asyncio.run(server.apply(*workload.receiver(), *workload.warehouses(size.warehouses)))
        with service(server.kubeconfig("admin")) as ours, trivial() as baseline:
            ours.wait_until_ready()
            contestants = {
                TRIVIAL: Contestant(baseline, [workload.delivery(baseline.url, 0, path="/hello")]),
                SPREAD: Contestant(ours, workload.deliveries(ours.url, size.warehouses)),
                SAME: Contestant(ours, workload.deliveries(ours.url, 1)),
            }
            for connections in size.concurrencies:
                rounds = compete(contestants, connections=connections, size=size)
                figures += _figures(rounds, connections, last=connections == max(size.concurrencies))
    return Chapter("(b) Deliveries that refresh one Warehouse each, embedded API", figures)


def _figures(rounds: dict[str, Rounds], connections: int, *, last: bool) -> list[Figure]:
    baseline, spread = rounds[TRIVIAL], rounds[SPREAD]
    figures = [Figure(f"{name}, {connections} connections", str(each)) for name, each in rounds.items()]
    ratio = spread.ratio(baseline)
    aim = (f"at least {RATIO}", ratio >= RATIO) if last else ("", None)
    figures.append(Figure(f"{SPREAD}: part of the trivial rate, {connections} connections", f"{ratio:.2f}", *aim))
    same = rounds[SAME].ratio(baseline)
    figures.append(Figure(f"{SAME}: part of the trivial rate, {connections} connections", f"{same:.2f}"))
    if connections == P99_AT:
        met = spread.most < P99
        figures.append(Figure(f"{SPREAD}: p99, {connections} connections", _ms(spread.most), f"below {_ms(P99)}", met))
    return figures


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
