"""(e) Against a real API server: deliveries per second, and one delivery that many Warehouses subscribe to."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from statistics import median

from bench import clusters, load, workload
from bench.figures import Chapter, Figure, milliseconds, say
from bench.service import Service, service, trivial
from bench.size import Size
from bench.throughput import Contestant, Rounds, compete
from receivers.cluster.api import KARGO, METADATA_ONLY
from receivers.limits import ANSWER_BUDGET, PATCHES_IN_FLIGHT
from testbed.servers import ApiServer

TRIVIAL, PATCHES, SPREAD = "trivial function", "the patches alone, by a bare client", "each another Warehouse"
USER = "kargo-receivers"
# Kargo's own server with its client's limit lifted, on two such cores with an API server of the same making.
RATE = 762.0  # deliveries a second, with 64 connections
P99 = 0.152  # seconds, with 64 connections
LAST_PATCH = 2.1  # seconds, of 1,000 Warehouses
PART_OF_BARE = 1.05
AT = 64  # connections
PATIENCE = 60.0  # seconds until the last patch
ANSWERED = ANSWER_BUDGET + 0.1  # seconds: the service's budget, and what an answer may take on its way


@dataclass(frozen=True, slots=True)
class FanOut:
    """One delivery that many Warehouses subscribe to; seconds since it was sent."""

    answered: float
    status: int
    last_patch: float


def measure(size: Size) -> Chapter:
    """The service has its least rights. Raises NotHere without the API server's programs."""
    title = "(e) Real API server: kube-apiserver and etcd on the same cores"
    with clusters.real() as server:
        asyncio.run(_fill(server, size))
        say("  the cluster is filled")
        with service(server.kubeconfig(USER)) as ours, trivial() as baseline:
            ours.wait_until_ready()
            contestants = {
                TRIVIAL: Contestant(baseline, [workload.delivery(baseline.url, 0, path="/hello")]),
                PATCHES: Contestant(
                    Service(server.url, server.process.pid),
                    workload.patches(server.url, server.token(USER), workload.warehouses(size.warehouses)),
                    ca_file=str(server.ca_file),
                ),
                SPREAD: Contestant(ours, workload.deliveries(ours.url, size.warehouses)),
            }
            figures = []
            for connections in size.concurrencies:
                rounds = compete(contestants, connections=connections, size=size)
                figures += _rates(rounds, connections)
            fan_outs, bare = fan_out_beside_a_bare_client(server, ours, size)
    return Chapter(title, figures + _fan_out_figures(fan_outs, bare, size.subscribers))


def fan_out_beside_a_bare_client(server: ApiServer, ours: Service, size: Size) -> tuple[list[FanOut], list[float]]:
    """In turn: one delivery that many Warehouses subscribe to, and as many patches by a client that does nothing else.

    Of the client the seconds until it has its last answer, with as many patches in flight as the service has.
    """
    found: list[FanOut] = []
    bare: list[float] = []
    for _ in range(size.rounds):
        found.append(asyncio.run(_fan_out(server, ours, size.subscribers)))
        objects = workload.subscribers(size.subscribers)
        requests = workload.patches(server.url, server.token(USER), objects, turns=1)
        run = load.drive(
            load.Plan(
                url=server.url,
                requests=requests,
                connections=min(PATCHES_IN_FLIGHT, len(requests)),
                count=len(requests),
                ca_file=str(server.ca_file),
            )
        )
        bare.append(run.until - run.began)
        say(f"  the patches alone: {bare[-1]:.2f} s")
    return found, bare


async def _fill(server: ApiServer, size: Size) -> None:
    await server.apply(
        *workload.receiver(), *workload.warehouses(size.warehouses), *workload.subscribers(size.subscribers)
    )
    await server.allow_secrets(workload.SECRETS_NAMESPACE, user=USER)


def _rates(rounds: dict[str, Rounds], connections: int) -> list[Figure]:
    ours = rounds[SPREAD]
    ratio = f"{ours.ratio(rounds[TRIVIAL]):.2f} and {ours.ratio(rounds[PATCHES]):.2f}"
    figures = [
        *(Figure(f"{name}, {connections} connections", str(each)) for name, each in rounds.items()),
        Figure(f"{SPREAD}: part of the two rates, {connections} connections", ratio),
    ]
    if connections == AT:
        rate, most = ours.rate, ours.most
        figures += [
            Figure(f"{SPREAD}: rate, {AT} connections", f"{rate:,.0f}/s", f"more than {RATE:.0f}/s", rate > RATE),
            Figure(f"{SPREAD}: p99, {AT} connections", milliseconds(most), f"below {milliseconds(P99)}", most < P99),
        ]
    return figures


async def _fan_out(server: ApiServer, ours: Service, subscribers: int) -> FanOut:
    """Send one delivery, and see by a watch when the last Warehouse was patched."""
    request = workload.delivery(ours.url, workload.EVERYWHERE)
    listed = (await server.request("GET", f"{KARGO}/warehouses?limit=1")).expect(200)
    watch = f"{KARGO}/warehouses?watch=1&resourceVersion={listed['metadata']['resourceVersion']}"
    patched: set[tuple[str, str]] = set()
    async with (
        asyncio.timeout(PATIENCE),
        server.session() as session,
        session.get(watch, headers={"Accept": METADATA_ONLY}) as events,
    ):
        plan = load.Plan(url=ours.url, requests=[request], connections=1, count=1)
        sending = asyncio.create_task(asyncio.to_thread(load.drive, plan))
        while len(patched) < subscribers:
            metadata = json.loads(await events.content.readline())["object"]["metadata"]
            patched.add((metadata["namespace"], metadata["name"]))
        last = time.monotonic()
        exchange = (await sending).exchanges[0]
    found = FanOut(exchange.latency, exchange.status, last - exchange.sent)
    say(f"  {subscribers} Warehouses: {found}")
    return found


def _fan_out_figures(found: Sequence[FanOut], bare: Sequence[float], subscribers: int) -> list[Figure]:
    part = median(each.last_patch / alone for each, alone in zip(found, bare, strict=True))
    answered, last = max(each.answered for each in found), median(each.last_patch for each in found)
    refreshed = sum(each.status == HTTPStatus.OK for each in found)
    others = Counter(each.status for each in found if each.status != HTTPStatus.OK)
    told = "".join(f"; {count} answered {status}" for status, count in sorted(others.items()))
    return [
        Figure(
            f"one push, {subscribers:,} Warehouses: the answer, the latest of {len(found)}",
            milliseconds(answered),
            f"at most {milliseconds(ANSWERED)}",
            answered <= ANSWERED,
        ),
        Figure(
            f"one push, {subscribers:,} Warehouses: answered 200, all of them refreshed by then",
            f"{refreshed} of {len(found)}{told}",
            "all",
            refreshed == len(found),
        ),
        Figure(
            f"one push, {subscribers:,} Warehouses: the last patch",
            milliseconds(last),
            f"below {LAST_PATCH} s",
            last < LAST_PATCH,
        ),
        Figure(
            f"one push, {subscribers:,} Warehouses: the last patch, as a part of a bare client's time for so many",
            f"{part:.2f}, of {milliseconds(median(bare))}",
            f"at most {PART_OF_BARE}",
            part <= PART_OF_BARE,
        ),
    ]
