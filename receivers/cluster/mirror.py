"""What this process knows of the cluster: its receivers, and who subscribes to what. A delivery costs no list call."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import msgspec

from receivers import limits
from receivers.cluster import records
from receivers.cluster.api import KARGO, Api, ClusterError
from receivers.cluster.availability import Availability
from receivers.cluster.reflector import Reflector, read_list
from receivers.cluster.tasks import retrieve_exception
from receivers.events import Receiver, Target
from receivers.kargo import configs
from receivers.kargo.index import SubscriptionIndex

# The receivers of one ProjectConfig or ClusterConfig before and after a change: none before it was there, none once it
# is gone. Called at the moment of the change, so that nothing is seen in between.
type ReceiversChanged = Callable[[list[Receiver], list[Receiver]], None]

CLUSTER_CONFIG = "cluster"  # the only name that counts (Kargo's rule)


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
    unreadable: int
    fault: str


class WarehouseStore:
    """Warehouses, as an index of their subscriptions."""

    def __init__(self) -> None:
        self.index = SubscriptionIndex()
        self.on_handled: Callable[[Target, str], None] | None = None  # (Warehouse, the refresh that Kargo handled)
        self._specs: dict[Target, tuple[str, int]] = {}  # uid and generation of what is indexed
        self._handled: dict[Target, str] = {}

    def __len__(self) -> int:
        return len(self._specs)

    def apply(self, encoded: msgspec.Raw) -> Hashable:
        warehouse = msgspec.json.decode(encoded, type=records.Warehouse)
        target = Target(warehouse.metadata.namespace, warehouse.metadata.name)
        if self._is_newer(target, warehouse.metadata):
            self.index.put(target, warehouse.spec.subscriptions)
            self._specs[target] = (warehouse.metadata.uid, warehouse.metadata.generation or 0)
        self._note_handled(target, warehouse.status)
        return target

    def delete(self, encoded: msgspec.Raw) -> None:
        metadata = msgspec.json.decode(encoded, type=records.Warehouse).metadata
        self._forget(Target(metadata.namespace, metadata.name))

    def retain(self, keys: set[Hashable]) -> None:
        for target in [target for target in self._specs if target not in keys]:
            self._forget(target)

    def retain_in(self, namespace: str, keys: set[Hashable]) -> None:
        """As :meth:`retain`, of one namespace."""
        for target in [target for target in self._specs if target.namespace == namespace and target not in keys]:
            self._forget(target)

    def _forget(self, target: Target) -> None:
        self.index.remove(target)
        self._specs.pop(target, None)
        self._handled.pop(target, None)

    def _is_newer(self, target: Target, metadata: records.Metadata) -> bool:
        """Whether the spec is another than the indexed one, and not one before it: a list may lag behind the watch."""
        uid, generation = self._specs.get(target, ("", 0))
        return metadata.uid != uid or not metadata.generation or metadata.generation > generation

    def _note_handled(self, target: Target, status: records.WarehouseStatus | None) -> None:
        token = status.last_handled_refresh if status else None
        if isinstance(token, str) and token and self._handled.get(target) != token:
            self._handled[target] = token
            if self.on_handled is not None:
                self.on_handled(target, token)


class ConfigStore:
    """ProjectConfigs or the ClusterConfig, as the receivers they define."""

    def __init__(self, read: Callable[[records.Config], list[Receiver]]) -> None:
        self.version = 0  # grows with every change
        self.on_changed: ReceiversChanged | None = None
        self._read = read
        self._receivers: dict[Hashable, list[Receiver]] = {}

    def __len__(self) -> int:
        return len(self._receivers)

    def receivers(self) -> list[Receiver]:
        """Every receiver, in no particular order."""
        return [receiver for receivers in self._receivers.values() for receiver in receivers]

    def apply(self, encoded: msgspec.Raw) -> Hashable:
        config = msgspec.json.decode(encoded, type=records.Config)
        key = (config.metadata.namespace, config.metadata.name)
        self._put(key, self._read(config))
        return key

    def delete(self, encoded: msgspec.Raw) -> None:
        metadata = msgspec.json.decode(encoded, type=records.Config).metadata
        self._forget((metadata.namespace, metadata.name))

    def retain(self, keys: set[Hashable]) -> None:
        for key in [key for key in self._receivers if key not in keys]:
            self._forget(key)

    def _put(self, key: Hashable, found: list[Receiver]) -> None:
        before = self._receivers.get(key)
        if before != found:
            self._receivers[key] = found
            self._tell(before or [], found)

    def _forget(self, key: Hashable) -> None:
        before = self._receivers.pop(key, None)
        if before is not None:
            self._tell(before, [])

    def _tell(self, before: list[Receiver], after: list[Receiver]) -> None:
        self.version += 1
        if self.on_changed is not None and before != after:
            self.on_changed(before, after)


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
        self._projects = ConfigStore(_project_receivers)
        self._cluster = ConfigStore(lambda config: _cluster_receivers(config, system_resources_namespace))
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
        self._listings: dict[str, asyncio.Task[None]] = {}
        self._listed: dict[str, float] = {}  # when a project was listed by itself

    def start(self) -> None:
        """Begin to list and watch. Returns at once."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(reflector.run(), name=reflector.path) for reflector in self._reflectors]

    async def close(self) -> None:
        """Stop listing and watching."""
        tasks = [*self._tasks, *self._listings.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
                unreadable=reflector.unreadable,
                fault=reflector.fault,
            )
            for reflector, store in self._reflectors.items()
        ]

    async def _attempt(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read anew, if that can be done at once; what was known stays otherwise."""
        with contextlib.suppress(TimeoutError, ClusterError):
            async with asyncio.timeout(limits.STALE_WAIT):
                await self._availability.unless_gone(read)

    async def _list_project(self, project: str) -> None:
        """List one project's Warehouses, unless that was done a moment ago; callers at the same time share one list."""
        listed = self._listed.get(project)
        if listed is not None and self._clock() - listed < limits.PROJECT_FRESH:
            return
        listing = self._listings.get(project)
        if listing is None:
            listing = asyncio.get_running_loop().create_task(self._read_project(project))
            self._listings[project] = listing
            listing.add_done_callback(retrieve_exception)
            listing.add_done_callback(lambda _: self._listings.pop(project))
        await asyncio.shield(listing)

    async def _read_project(self, project: str) -> None:
        path = f"{KARGO}/namespaces/{quote(project, safe='')}/warehouses"
        listing = await read_list(self._api, path, self.warehouses)
        if not self._warehouses.trusted:  # the watch may have brought newer ones meanwhile
            self.warehouses.retain_in(project, listing.keys)
        self._listed[project] = self._clock()


def _project_receivers(config: records.Config) -> list[Receiver]:
    """Secrets and Warehouses of a project live in the namespace of its name."""
    project = config.metadata.namespace
    return _receivers(config, project=project, secrets_namespace=project, source=f"ProjectConfig {project}")


def _cluster_receivers(config: records.Config, secrets_namespace: str) -> list[Receiver]:
    if config.metadata.name != CLUSTER_CONFIG:
        return []
    return _receivers(config, project=None, secrets_namespace=secrets_namespace, source="ClusterConfig")


def _receivers(config: records.Config, *, project: str | None, secrets_namespace: str, source: str) -> list[Receiver]:
    return configs.receivers(
        config.spec.webhook_receivers if config.spec else None,
        config.status.webhook_receivers if config.status else None,
        project=project,
        secrets_namespace=secrets_namespace,
        source=source,
    )
