"""One kind of Kargo's objects, followed: in step with the whole cluster, and read project by project until then."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from urllib.parse import quote

from receivers import limits
from receivers.cluster.api import KARGO, Api, ClusterError
from receivers.cluster.availability import Availability
from receivers.cluster.listing import Lister
from receivers.cluster.objects import Store
from receivers.cluster.records import Key
from receivers.cluster.reflector import Reflector
from receivers.cluster.tasks import Shared


class NotReadyError(ClusterError):
    """Too little is known of the cluster to decide. The text says what is missing and why."""


class KindStore(Store, Protocol):
    """A store that tells how much it holds."""

    def __len__(self) -> int:
        """How many objects it holds."""


class ProjectStore(KindStore, Protocol):
    """A store of objects that are also listed project by project."""

    def retain_in(self, namespace: str, keys: set[Key]) -> None:
        """Forget every object of a namespace whose key is not among these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How well one resource of the cluster is known."""

    resource: str
    synced: bool
    watching: bool
    age: float | None  # seconds since the cluster last confirmed it
    denied: bool  # this identity may not list it, or the resource does not exist
    objects: int
    unreadable: int  # objects that cannot be read, or not whole
    fault: str
    on_demand: bool = False  # only some receivers need it


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind[Kept: KindStore]:
    """A kind of objects: its resource, and the store that knows its record, what of it counts, and what is newer."""

    resource: str  # "warehouses"
    title: str  # "Warehouses"
    store: Kept
    on_demand: bool = False  # followed only while somebody needs it


class Followed[Kept: KindStore]:
    """Keeps a kind's store in step from :meth:`start` to :meth:`stop`, any number of times."""

    def __init__(
        self,
        api: Api,
        availability: Availability,
        kind: Kind[Kept],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self.store = kind.store
        self._api = api
        self._availability = availability
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self.reflector = self._new_reflector()

    @property
    def started(self) -> bool:
        """Whether it is being followed."""
        return self._task is not None

    def start(self) -> None:
        """Begin to list and watch, unless that goes on already. Returns at once."""
        if self._task is None:
            self.reflector = self._new_reflector()
            self._task = asyncio.get_running_loop().create_task(self.reflector.run(), name=self.reflector.path)

    def stop(self) -> None:
        """Stop listing and watching, and forget everything. Returns at once."""
        if self._task is not None:
            self._task.cancel()
            self._ending.add(self._task)
            self._task.add_done_callback(self._stopped)
            self._task = None

    async def close(self) -> None:
        """Stop listing and watching; what is known stays."""
        tasks = [*self._ending, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def attempt(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read anew, if that can be done at once; what was known stays otherwise."""
        with contextlib.suppress(TimeoutError, ClusterError):
            async with asyncio.timeout(limits.STALE_WAIT):
                await self._availability.unless_gone(read)

    def health(self) -> Health:
        """How well it is known."""
        reflector = self.reflector
        return Health(
            resource=self.kind.resource,
            synced=reflector.synced,
            watching=reflector.watching,
            age=reflector.age,
            denied=bool(reflector.refused),
            objects=len(self.store),
            unreadable=len(self.store.unreadable),
            fault=reflector.fault,
            on_demand=self.kind.on_demand,
        )

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if self._task is None:
            for key in self.store.known():
                self.store.delete(key)
            self.store.unreadable.retain(set())

    def _new_reflector(self) -> Reflector:
        return Reflector(
            self._api,
            f"{KARGO}/{self.kind.resource}",
            self.store,
            clock=self._clock,
            on_failure=self._availability.failed,
        )


class FollowedByProject[Kept: ProjectStore](Followed[Kept]):
    """As :class:`Followed`; while a large cluster is still being listed, a project is listed by itself."""

    def __init__(
        self,
        api: Api,
        availability: Availability,
        kind: Kind[Kept],
        *,
        slots: asyncio.Semaphore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(api, availability, kind, clock=clock)
        self._slots = slots
        self._listings: dict[str, Shared[None]] = {}
        self._listed: dict[str, float] = {}  # when a project was listed by itself, within limits.PROJECT_FRESH

    async def close(self) -> None:
        """As :meth:`Followed.close`."""
        listings = list(self._listings.values())
        for listing in listings:
            listing.cancel()
        await super().close()
        for listing in listings:
            await listing.ended()

    async def ready(self, project: str | None) -> None:
        """Wait until the objects of a project (None: of all) are known and not stale.

        While a large cluster is still being listed, or its watch is broken, the one project is listed by itself.
        Raises :class:`ClusterError` when nothing is known of them.
        """
        reflector = self.reflector
        if self._in_step:
            return
        if self.started and reflector.synced:
            await self.attempt(reflector.list_now if project is None else partial(self._list_project, project))
        elif project is not None:
            await self._availability.unless_gone(partial(self._list_project, project))
        else:
            await self._availability.unless_gone(reflector.attempted if self.started else reflector.list_now)
            if not reflector.synced:
                raise NotReadyError(f"{self.kind.title} cannot be listed: {reflector.fault}")

    @property
    def _in_step(self) -> bool:
        """Whether a watch keeps the store as it is in the cluster. What was only listed grows old at once."""
        return self.started and self.reflector.trusted

    async def _list_project(self, project: str) -> None:
        """List one project's objects, unless that was done a moment ago; callers at the same time share one list."""
        now = self._clock()
        self._listed = {each: when for each, when in self._listed.items() if now - when < limits.PROJECT_FRESH}
        if project in self._listed:
            return
        listing = self._listings.get(project)
        if listing is None or listing.done:
            listing = self._listings[project] = Shared(self._read_project(project))
        await listing.result()

    async def _read_project(self, project: str) -> None:
        path = f"{KARGO}/namespaces/{quote(project, safe='')}/{self.kind.resource}"
        try:
            async with self._slots:
                listing = await Lister(self._api, path, self.store).read()
        finally:
            del self._listings[project]
        if not self._in_step:  # the watch may have brought newer ones meanwhile
            self.store.retain_in(project, listing.keys)
        self._listed[project] = self._clock()
