"""What the cluster itself shows of refreshes: each value of the annotation, and when it was to be seen.

Read by a client of its own from the API server, past the proxy and the service. A value begins with the time at which
the service began its patch.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bench.drill.traffic import Post
from receivers.cluster.api import KARGO, METADATA_ONLY
from receivers.cluster.refresher import ANNOTATION
from receivers.events import Target
from testbed.servers import ApiServer

WAREHOUSES = f"{KARGO}/warehouses"
METADATA_OF_LIST = METADATA_ONLY.replace("PartialObjectMetadata", "PartialObjectMetadataList")
PAUSE = 0.1  # seconds between two tries
LOOK_EVERY = 0.5  # seconds
LIST_TIMEOUT = aiohttp.ClientTimeout(total=5)
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None)


@dataclass(frozen=True, slots=True)
class Refresh:
    """One value of a Warehouse's annotation."""

    began: datetime  # its patch, as the value says
    seen: datetime


class Annotations:
    """Follows every Warehouse. A value that the next one overtook while the API server was away is never seen."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._refreshes: defaultdict[Target, list[Refresh]] = defaultdict(list)
        self._last: dict[Target, str] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow them while the block runs."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        async with self._server.session() as session:
            while True:
                try:
                    await self._watch(session, await self._list(session))
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(PAUSE)

    def covering(self, target: Target, arrival: datetime) -> Refresh | None:
        """The first refresh whose patch began after a delivery's arrival."""
        covering = [refresh for refresh in self._refreshes[target] if refresh.began >= arrival]
        return min(covering, key=lambda refresh: refresh.seen, default=None)

    def missing(self, post: Post) -> list[Target]:
        """The Warehouses that a delivery is for, and that were not refreshed after its arrival."""
        return [target for target in post.image.targets if self.covering(target, post.arrival) is None]

    def within(self, post: Post) -> float | None:
        """Seconds from a delivery's arrival until the last of its Warehouses was seen refreshed; None: one was not."""
        covering = [self.covering(target, post.arrival) for target in post.image.targets]
        seen = [refresh.seen for refresh in covering if refresh is not None]
        return (max(seen) - post.arrival).total_seconds() if len(seen) == len(covering) else None

    async def settled(self, posts: Sequence[Post], *, patience: float) -> None:
        """Wait until every refresh that is owed was seen, for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while any(self.missing(post) for post in posts if post.accepted):  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(LOOK_EVERY)

    def of(self, target: Target) -> list[Refresh]:
        """Every refresh that was seen, in that order."""
        return self._refreshes[target]

    async def _list(self, session: aiohttp.ClientSession) -> str:
        async with session.get(WAREHOUSES, headers={"Accept": METADATA_OF_LIST}, timeout=LIST_TIMEOUT) as answer:
            answer.raise_for_status()
            listed = await answer.json(content_type=None)
        for item in listed["items"]:
            self._note(item["metadata"])
        version: str = listed["metadata"]["resourceVersion"]
        return version

    async def _watch(self, session: aiohttp.ClientSession, version: str) -> None:
        params = {"watch": "1", "resourceVersion": version}
        headers = {"Accept": METADATA_ONLY}
        async with session.get(WAREHOUSES, params=params, headers=headers, timeout=WATCH_TIMEOUT) as events:
            events.raise_for_status()
            async for line in events.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._note(event["object"]["metadata"])

    def _note(self, metadata: dict[str, Any]) -> None:
        target = Target(metadata["namespace"], metadata["name"])
        value = (metadata.get("annotations") or {}).get(ANNOTATION, "")
        if value and value != self._last.get(target):
            self._last[target] = value
            began = datetime.fromisoformat(value.rpartition("-")[0])
            self._refreshes[target].append(Refresh(began, datetime.now(UTC)))
