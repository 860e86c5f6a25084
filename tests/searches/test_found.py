"""Every push is found in the end, though its webhook came before Kargo could see it.

The embedded cluster plays Kargo. It lists the tags of a real CNCF Distribution as they are, and those of a made-up
replica with a delay. By default all delays, Kargo's and this service's, are short; as in life they take some minutes:

    FOUND_SECONDS=60 FOUND_PUSHED=100 FOUND_REPLICATED=100 python -m pytest tests/searches/test_found.py -s
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from receivers import limits
from receivers.cluster.api import Api
from receivers.journal.journal import Filter, Finding
from receivers.local.azurite import Azurite
from receivers.local.embedded.cluster import EmbeddedCluster
from receivers.local.embedded.resources import WAREHOUSES
from testbed.objects import PROJECT, Hook, warehouse
from tests.registry import layouts, server
from tests.registry.relay import relaying
from tests.registry.server import Registry
from tests.service import Service, acr_push, running_service, until

SECONDS = float(os.environ.get("FOUND_SECONDS", "3"))  # that the replica lags behind at most
PUSHED = int(os.environ.get("FOUND_PUSHED", "15"))  # to the real registry
REPLICATED = int(os.environ.get("FOUND_REPLICATED", "60"))  # to the made-up one
REPLICA = "registry.azurecr.io"
TAG = "1.2.3"
DISTRIBUTION = Hook(provider="distribution", name="registry", secret="a secret of tests")
ACR = Hook(provider="azure", name="acr", secret="another secret of tests")

type Json = dict[str, Any]


@dataclass
class Sights:
    """What Kargo sees of each repository: the real registry's as it is, the replica's later."""

    registry: Registry | None = None
    held: bool = False  # nothing of the replica yet
    seen_from: dict[str, float] = field(default_factory=dict)  # of the event loop's clock, by repository

    async def discover(self, each: Json) -> Json:
        """As the embedded cluster has its Warehouses discover."""
        url: str = each["spec"]["subscriptions"][0]["image"]["repoURL"]
        if url.startswith(REPLICA):
            visible = not self.held and self.seen_from.get(url, float("inf")) <= asyncio.get_running_loop().time()
            tags = [TAG] if visible else []
        else:
            assert self.registry is not None
            tags = await self.registry.tags(url.partition("/")[2])
        return {"images": [{"repoURL": url, "references": [{"tag": tag} for tag in tags]}]}


@dataclass
class Field:
    """The service, the cluster whose Kargo looks, and who pushes."""

    service: Service
    cluster: EmbeddedCluster
    sights: Sights
    calls: Counter[str]

    async def replicate(self, number: int) -> None:
        """Push to the replica, which is told of at once and seen later."""
        url = f"{REPLICA}/team/app-{number}"
        self.sights.seen_from[url] = asyncio.get_running_loop().time() + SECONDS * number / REPLICATED
        assert (await self.service.post(ACR.path, acr_push(url, TAG))).status == 200

    def listed(self) -> int:
        """How many Warehouses list what was pushed for them."""
        found = 0
        for each in self.cluster.store.every(WAREHOUSES):
            images = each.get("status", {}).get("discoveredArtifacts", {}).get("images", [])
            found += any(reference["tag"] == TAG for image in images for reference in image["references"])
        return found

    async def findings(self) -> Counter[Finding | None]:
        """What the journal says of the deliveries that refreshed something."""
        journal = (await self.service.runtime()).journal
        assert journal is not None
        return Counter([row.finding async for row in journal.rows(Filter(state="refreshed"))])

    async def until_handled(self) -> None:
        """Wait until Kargo has acted on every refresh."""

        async def handled() -> bool:
            every = self.cluster.store.every(WAREHOUSES)
            return all("lastHandledRefresh" in each.get("status", {}) for each in every)

        await until(handled)

    async def until_told(self, count: int, finding: Finding | None) -> None:
        """Wait until the journal says this of so many deliveries."""
        async with asyncio.timeout(60 + 12 * SECONDS):
            while (await self.findings())[finding] < count:  # noqa: ASYNC110 - it is read from a table
                await asyncio.sleep(0.2)


@pytest.fixture(autouse=True)
def as_fast_as_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time between two looks is to the replica's delay as it is in life, where that is a minute."""
    part = SECONDS / 60
    monkeypatch.setattr(limits, "SEARCH_DELAYS", tuple(each * part for each in limits.SEARCH_DELAYS))
    monkeypatch.setattr(limits, "SEARCH_LAST", limits.SEARCH_LAST * part)
    # The queue's delays are whole seconds.
    monkeypatch.setattr("receivers.storage.sending.round", lambda seconds: max(1, round(seconds)), raising=False)


@asynccontextmanager
async def pushed_to(
    azurite: Azurite, folder: Path, monkeypatch: pytest.MonkeyPatch, *, held: bool = False, **settings: str
) -> AsyncIterator[Field]:
    """A real registry that everything is pushed to, and a replica that all is told of."""
    if not server.is_there():
        pytest.skip(server.HOW_TO_GET_IT)
    sights = Sights(held=held)
    calls: Counter[str] = Counter()
    for name in ("get", "merge_patch"):
        monkeypatch.setattr(Api, name, counted(getattr(Api, name), calls, name))
    receivers = [
        {"provider": each.provider, "name": each.name, "project": PROJECT, "secret": each.secret}
        for each in (DISTRIBUTION, ACR)
    ]
    replicated = [warehouse(f"replica-{each}", image=f"{REPLICA}/team/app-{each}") for each in range(REPLICATED)]
    async with (
        EmbeddedCluster(replicated, discover=sights.discover) as cluster,
        running_service(
            CLUSTER_SERVER=cluster.url,
            CLUSTER_AUTHENTICATION="token",
            CLUSTER_TOKEN="any",
            RECEIVERS=json.dumps(receivers),
            AzureWebJobsStorage=azurite.connection_string,
            **settings,
        ) as service,
        relaying(service) as relay,
        server.running(folder, server.page_s_endpoint() | {"url": f"{relay.url}{DISTRIBUTION.path}"}) as registry,
    ):
        sights.registry = registry
        for number in range(PUSHED):
            image = f"{registry.host}/team/app-{number}"
            cluster.store.create(WAREHOUSES, PROJECT, warehouse(f"real-{number}", image=image))
        runtime = await service.runtime()

        async def known() -> bool:
            return len(runtime.mirror.index) == PUSHED + REPLICATED

        await until(known)
        field_of_it = Field(service, cluster, sights, calls)
        layout = layouts.image(folder / "layout")
        await asyncio.gather(*map(field_of_it.replicate, range(REPLICATED)))
        for number in range(PUSHED):
            await registry.push(layout, f"team/app-{number}:{TAG}")
        yield field_of_it


def counted(call: Callable[..., Any], calls: Counter[str], name: str) -> Callable[..., Any]:
    """The call, counted where it concerns one Warehouse."""

    def counting(self: Api, path: str, *arguments: object, **others: object) -> Any:  # noqa: ANN401
        calls[name] += path.endswith("/warehouses") or "/warehouses/" in path
        return call(self, path, *arguments, **others)

    return counting


@pytest.mark.time_limit(120 + 15 * SECONDS)
async def test_every_push_is_found(azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "layout").mkdir()
    count = PUSHED + REPLICATED
    async with pushed_to(azurite, tmp_path, monkeypatch) as pushed:
        await pushed.until_told(count, Finding.FOUND)
        assert pushed.listed() == count
        assert await pushed.findings() == {Finding.FOUND: count}
    print(f"\n{count} of {count} pushes found; {pushed.calls['merge_patch']} patches, {pushed.calls['get']} reads")


@pytest.mark.time_limit(120 + 15 * SECONDS)
async def test_without_looking_again_those_that_came_late_are_not_found(
    azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "layout").mkdir()
    count = PUSHED + REPLICATED
    async with pushed_to(azurite, tmp_path, monkeypatch, held=True, VERIFY_DISCOVERY="false") as pushed:
        await pushed.until_told(count, None)
        await pushed.until_handled()
        pushed.sights.held = False
        await asyncio.sleep(max(0.0, max(pushed.sights.seen_from.values()) - asyncio.get_running_loop().time()))
        found = pushed.listed()
        assert await pushed.findings() == {None: count}
        assert pushed.calls["merge_patch"] == count
    assert found <= PUSHED  # some of the real registry's come too early, too
    print(f"\nwithout looking again: {found} of {count} pushes found; {pushed.calls['merge_patch']} patches")
