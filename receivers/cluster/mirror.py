"""What this process knows of the cluster: its receivers, and who subscribes to what. A delivery costs no list call."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from receivers import limits
from receivers.cluster.api import KARGO, Api, ClusterError
from receivers.cluster.availability import Availability
from receivers.cluster.listing import Lister
from receivers.cluster.reflector import Reflector
from receivers.cluster.stores import ConfigStore, ReceiversChanged, WarehouseStore
from receivers.cluster.tasks import Shared
from receivers.cluster.unreadable import UnreadableObject
from receivers.events import Receiver
from receivers.kargo.index import SubscriptionIndex


class NotReadyError(ClusterError):
    """Too little is known of the cluster to decide. The text says what is missing and why."""


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


class Mirror:
    """Keeps in step with one cluster, from :meth:`start` to :meth:`close`."""

    def __init__(
        self,
        api: Api,
        availability: Availability,
        *,
        system_resources_namespace: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._availability = availability
        self._clock = clock
        self.warehouses = WarehouseStore()
        self._projects = ConfigStore()
        self._cluster = ConfigStore(system_resources_namespace)
        reflector = partial(Reflector, api, clock=clock, on_failure=availability.failed)
        self._project_configs = reflector(f"{KARGO}/projectconfigs", self._projects)
        self._cluster_configs = reflector(f"{KARGO}/clusterconfigs", self._cluster)
        self._warehouses = reflector(f"{KARGO}/warehouses", self.warehouses)
        self._reflectors: dict[Reflector, ConfigStore | WarehouseStore] = {
            self._project_configs: self._projects,
            self._cluster_configs: self._cluster,
            self._warehouses: self.warehouses,
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._listings: dict[str, Shared[None]] = {}
        self._listed: dict[str, float] = {}  # when a project was listed by itself, within limits.PROJECT_FRESH
        self._slots = asyncio.Semaphore(limits.PROJECT_LISTS_IN_FLIGHT)

    def start(self) -> None:
        """Begin to list and watch. Returns at once."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(reflector.run(), name=reflector.path) for reflector in self._reflectors]

    async def close(self) -> None:
        """Stop listing and watching."""
        listings = list(self._listings.values())
        for task in self._tasks:
            task.cancel()
        for listing in listings:
            listing.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listing in listings:
            await listing.ended()

    @property
    def index(self) -> SubscriptionIndex:
        """Who subscribes to what."""
        return self.warehouses.index

    @property
    def on_receivers_changed(self) -> ReceiversChanged | None:
        """Who is told of every change of :meth:`receivers`, config by config."""
        return self._projects.on_changed

    @on_receivers_changed.setter
    def on_receivers_changed(self, told: ReceiversChanged | None) -> None:
        self._projects.on_changed = self._cluster.on_changed = told

    @property
    def version(self) -> int:
        """Grows whenever :meth:`receivers` changes."""
        return self._projects.version + self._cluster.version

    def receivers(self) -> list[Receiver]:
        """Every receiver that the cluster defines."""
        return self._projects.receivers() + self._cluster.receivers()

    @property
    def receivers_trusted(self) -> bool:
        """Whether the receivers are as the cluster has them now, as far as this identity may read them."""
        return all(each.trusted or each.refused for each in (self._project_configs, self._cluster_configs))

    @property
    def receivers_denied(self) -> bool:
        """Whether the API server does not let this identity read ProjectConfigs."""
        return bool(self._project_configs.refused)

    async def receivers_ready(self) -> None:
        """Wait until the receivers are known, and read them anew when they have grown stale.

        What was known before stays when the cluster cannot be reached: a delivery is better accepted than lost.
        Raises :class:`ClusterError` when nothing was and the cluster is away.
        """
        for reflector in (self._project_configs, self._cluster_configs):
            if reflector.trusted:
                continue
            if reflector.synced:
                await self._attempt(reflector.list_now)
            else:
                await self._availability.unless_gone(reflector.attempted)

    async def warehouses_ready(self, project: str | None) -> None:
        """Wait until the subscriptions of a project (None: of all) are known and not stale.

        While a large cluster is still being listed, or its watch is broken, the one project is listed by itself.
        Raises :class:`ClusterError` when nothing is known of them.
        """
        if self._warehouses.trusted:
            return
        if self._warehouses.synced:
            await self._attempt(self._warehouses.list_now if project is None else partial(self._list_project, project))
        elif project is not None:
            await self._availability.unless_gone(partial(self._list_project, project))
        else:
            await self._availability.unless_gone(self._warehouses.attempted)
            if not self._warehouses.synced:
                raise NotReadyError(f"Warehouses cannot be listed: {self._warehouses.fault}")

    def health(self) -> list[Health]:
        """How well each resource is known."""
        return [
            Health(
                resource=reflector.path.rsplit("/", 1)[-1],
                synced=reflector.synced,
                watching=reflector.watching,
                age=reflector.age,
                denied=bool(reflector.refused),
                objects=len(store),
                unreadable=len(store.unreadable),
                fault=reflector.fault,
            )
            for reflector, store in self._reflectors.items()
        ]

    def unreadable(self) -> dict[str, list[UnreadableObject]]:
        """By resource, the objects that cannot be read, or not whole: those that have names, and not too many."""
        return {
            reflector.path.rsplit("/", 1)[-1]: store.unreadable.named() for reflector, store in self._reflectors.items()
        }

    async def _attempt(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read anew, if that can be done at once; what was known stays otherwise."""
        with contextlib.suppress(TimeoutError, ClusterError):
            async with asyncio.timeout(limits.STALE_WAIT):
                await self._availability.unless_gone(read)

    async def _list_project(self, project: str) -> None:
        """List one project's Warehouses, unless that was done a moment ago; callers at the same time share one list."""
        now = self._clock()
        self._listed = {each: when for each, when in self._listed.items() if now - when < limits.PROJECT_FRESH}
        if project in self._listed:
            return
        listing = self._listings.get(project)
        if listing is None or listing.done:
            listing = self._listings[project] = Shared(self._read_project(project))
        await listing.result()

    async def _read_project(self, project: str) -> None:
        path = f"{KARGO}/namespaces/{quote(project, safe='')}/warehouses"
        try:
            async with self._slots:
                listing = await Lister(self._api, path, self.warehouses).read()
        finally:
            del self._listings[project]
        if not self._warehouses.trusted:  # the watch may have brought newer ones meanwhile
            self.warehouses.retain_in(project, listing.keys)
        self._listed[project] = self._clock()
