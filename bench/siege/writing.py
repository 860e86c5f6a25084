"""Writes hostile objects into a cluster: first all of them, then some again and again, as fast as the plan says."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, cycle
from typing import Any

import aiohttp

from bench.siege.pace import Pace
from bench.siege.tenants import DEPTH, NESTED, Tenant
from testbed.requests import MERGE, WITH_STATUS, path_of
from testbed.servers import ApiServer

AT_ONCE = 4  # some of them are large
HEAVY = (("wide", "expressions"), ("huge", "numbers"), ("deep", "deep"), ("huge", "objects"), ("wide", "same"))
ANNOTATION = "example.com/edited"

type Edit = tuple[str, bytes]  # the path of an object, and a merge patch


def encoded(document: object) -> bytes:
    """JSON, with what stands for the nested one replaced by it."""
    return json.dumps(document).encode().replace(f'"{NESTED}"'.encode(), b"[" * DEPTH + b"]" * DEPTH)


async def write(server: ApiServer, tenants: Iterable[Tenant]) -> list[str]:
    """Create all objects of the tenants; what the API server would not take, and why."""
    objects = [each for tenant in tenants for each in tenant.objects()]
    await server.apply(*(each for each in objects if each["kind"] == "Secret"))  # and their namespaces
    room = asyncio.Semaphore(AT_ONCE)
    async with server.session() as session:

        async def one(each: Mapping[str, Any]) -> str:
            async with room:
                return await _create(session, each)

        refusals = await asyncio.gather(*(one(each) for each in objects if each["kind"] != "Secret"))
    return [refusal for refusal in refusals if refusal]


async def _create(session: aiohttp.ClientSession, each: Mapping[str, Any]) -> str:
    kind, metadata = each["kind"], each["metadata"]
    path = path_of(kind, metadata["name"], metadata["namespace"])
    refusal = await _send(session, "POST", path.rpartition("/")[0], encoded(each), "application/json")
    if not refusal and kind in WITH_STATUS and "status" in each:
        refusal = await _send(session, "PATCH", f"{path}/status", encoded({"status": each["status"]}), MERGE)
    return refusal and f"{path}: {refusal}"


async def _send(session: aiohttp.ClientSession, method: str, path: str, body: bytes, content_type: str) -> str:
    """Why it was refused; ``""`` when it was not. The answer may be too deep to be read."""
    async with session.request(method, path, data=io.BytesIO(body), headers={"Content-Type": content_type}) as answer:
        text = await answer.text()
        return "" if answer.ok else f"{answer.status} {text[:300]}"


async def edit(session: aiohttp.ClientSession, edits: Iterator[Edit], *, rate: float, seconds: float) -> Counter[int]:
    """Make edits for so many seconds; how often the API server answered what."""
    statuses: Counter[int] = Counter()
    async for _ in Pace(rate).turns(seconds):
        path, patch = next(edits)
        try:
            async with session.patch(path, data=patch, headers={"Content-Type": MERGE}) as answer:
                await answer.read()
            statuses[answer.status] += 1
        except (aiohttp.ClientError, TimeoutError):
            statuses[0] += 1
    return statuses


def light_edits(tenants: Iterable[Tenant]) -> Iterator[Edit]:
    """Other receivers and other subscriptions each time, of the tenants that are there for it."""
    edited = cycle([tenant for tenant in tenants if tenant.kind == "edited"])
    for number, tenant in zip(count(), edited, strict=False):
        receivers = [hook.configured for hook in tenant.hooks]
        receivers.append({"name": f"edit-{number}", "azure": {"secretRef": {"name": f"missing-{number}"}}})
        yield (
            path_of("ProjectConfig", tenant.project, tenant.project),
            encoded({"spec": {"webhookReceivers": receivers}}),
        )
        image = {"image": {"repoURL": f"{tenant.repository}-{number}", "imageSelectionStrategy": "NewestBuild"}}
        yield path_of("Warehouse", "edited", tenant.project), encoded({"spec": {"subscriptions": [image]}})


def heavy_edits(tenants: Iterable[Tenant]) -> Iterator[Edit]:
    """An annotation of a large object, which is sent whole to who watches."""
    numbers = {kind: [tenant for tenant in tenants if tenant.kind == kind] for kind, _ in HEAVY}
    for number, (kind, name) in zip(count(), cycle(HEAVY), strict=False):
        tenant = numbers[kind][number // len(HEAVY) % len(numbers[kind])]
        yield (
            path_of("Warehouse", name, tenant.project),
            encoded({"metadata": {"annotations": {ANNOTATION: str(number)}}}),
        )
