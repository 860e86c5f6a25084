"""A cluster whose Kargo discovers what a test lets it see, and the parts of the service that watch it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from receivers.cluster.api import Api
from receivers.cluster.availability import Availability
from receivers.cluster.credentials import Connection, FixedHeader
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Refresher
from receivers.events import Pushed, Target
from receivers.journal.journal import Finding
from receivers.local.embedded.cluster import EmbeddedCluster
from receivers.local.embedded.resources import WAREHOUSES
from receivers.searches.search import Search
from receivers.searches.searches import Searches
from testbed.objects import PROJECT, warehouse
from tests.examples import APP, delivery, push
from tests.service import until

DIGEST = push().digest

type Json = dict[str, Any]


class Registry:
    """What Kargo sees when it looks: the tags of an image, with their digests."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {"1.0.0": DIGEST}
        self.looks = 0
        self.silent = False  # the status tells nothing of discoveries

    async def discover(self, each: Json) -> Json | None:
        """As the embedded cluster has its Warehouses discover."""
        self.looks += 1
        await asyncio.sleep(0)
        if self.silent:
            return None
        references = [{"tag": tag, "digest": digest} for tag, digest in self.tags.items()]
        subscriptions = each["spec"]["subscriptions"]
        return {"images": [{"repoURL": one["image"]["repoURL"], "references": references} for one in subscriptions]}


@dataclass
class Told:
    """What the journal would be told of one Warehouse."""

    target: Target
    deliveries: Sequence[str]
    finding: Finding | None
    reason: str


@dataclass
class Shelf:
    """Where searches wait until the test has them looked for."""

    waiting: list[tuple[Search, float]] = field(default_factory=list)
    closed: bool = False
    full: Exception | None = None

    async def put(self, search: Search, *, delay: float) -> None:
        if self.full is not None:
            raise self.full
        self.waiting.append((search, delay))

    async def close(self) -> None:
        self.closed = True


@dataclass
class Watched:
    """All of it."""

    cluster: EmbeddedCluster
    registry: Registry
    searches: Searches
    refresher: Refresher
    availability: Availability
    shelf: Shelf
    told: list[Told]
    now: list[datetime]

    def sought(self, target: Target, deliveries: Sequence[str], finding: Finding | None, *, reason: str = "") -> None:
        """As a recorder is told."""
        self.told.append(Told(target, deliveries, finding, reason))

    async def push(self, *events: Pushed, target: Target = APP) -> str:
        """Refresh a Warehouse for a push, as a delivery does; its id."""
        made = delivery(*(events or (push(),)))
        made.refreshes.outcomes[target] = await self.refresher.refresh(target)
        self.searches.delivered(made)
        return made.id

    async def findings(self, count: int = 1) -> list[Finding | None]:
        """What was told, once so much was."""

        async def there() -> bool:
            return len(self.told) >= count

        await until(there)
        return [each.finding for each in self.told]

    async def waiting(self) -> list[tuple[Search, float]]:
        """What waits, once something does, and for how long."""

        async def waits() -> bool:
            return bool(self.shelf.waiting)

        await until(waits)
        return self.shelf.waiting

    async def look_again(self) -> None:
        """Have what waits longest looked for, as if its time had come."""
        search, _ = (await self.waiting()).pop(0)
        await self.searches.look(search)

    async def handled(self) -> None:
        """Kargo has acted on every refresh."""

        async def done() -> bool:
            every = self.cluster.store.every(WAREHOUSES)
            return all(
                (each["metadata"].get("annotations") or {}).get("kargo.akuity.io/refresh", "")
                == each.get("status", {}).get("lastHandledRefresh", "")
                for each in every
            )

        await until(done)


@asynccontextmanager
async def watched(*objects: Json, acts: bool = True) -> AsyncIterator[Watched]:
    """A project with one Warehouse, or these; Kargo ``acts`` on refreshes."""
    registry = Registry()
    discover = registry.discover if acts else None
    async with EmbeddedCluster(objects or [warehouse("app", constraint="^1.0.0")], discover=discover) as cluster:
        api = Api(Connection(server=cluster.url, tls=None, authorization=FixedHeader(None)))
        availability = Availability(api)
        mirror = Mirror(api, availability, system_resources_namespace="kargo-system-resources")
        refresher = Refresher(api, availability)
        shelf = Shelf()
        told: list[Told] = []
        now = [datetime.now(UTC)]
        searches = Searches(
            api=api,
            availability=availability,
            warehouses=mirror.warehouses,
            refresher=refresher,
            waiting=shelf,
            now=lambda: now[0],
            jitter=lambda: 0.5,
        )
        all_of_it = Watched(cluster, registry, searches, refresher, availability, shelf, told, now)
        searches._recorder = all_of_it
        mirror.warehouses.on_seen = searches.seen
        mirror.start()
        await mirror.warehouses_ready(PROJECT)
        try:
            yield all_of_it
        finally:
            await refresher.close(grace=0)
            await searches.close()
            await mirror.close()
            await availability.close()
            await api.close()
