"""What this process knows of the cluster: its receivers, who subscribes to what, and what waits for pull requests.

A delivery costs no list call.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from receivers import limits
from receivers.cluster.api import Api
from receivers.cluster.availability import Availability
from receivers.cluster.following import Followed, FollowedByProject, Health, Kind, NotReadyError
from receivers.cluster.records import Key
from receivers.cluster.stores import CLUSTER_CONFIG, ConfigStore, PromotionStore, ReceiversChanged, WarehouseStore
from receivers.cluster.unreadable import UnreadableObject
from receivers.events import Receiver
from receivers.kargo.index import SubscriptionIndex
from receivers.kargo.promotions import PullRequestIndex

__all__ = ["Health", "Mirror", "NotReadyError"]


class Mirror:
    """Keeps in step with one cluster, from :meth:`start` to :meth:`close`.

    Promotions are followed only while there is a receiver that ``tells_of_pull_requests``, beside ``pull_requests``:
    whether a receiver outside the cluster does; or once somebody asked for them.
    """

    def __init__(
        self,
        api: Api,
        availability: Availability,
        *,
        system_resources_namespace: str,
        tells_of_pull_requests: Callable[[Receiver], bool] = lambda _: False,
        pull_requests: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._availability = availability
        self._tells_of_pull_requests = tells_of_pull_requests
        self._telling = int(pull_requests)  # receivers that tell of pull requests
        self._told: ReceiversChanged | None = None
        self.warehouses = WarehouseStore()
        self.promotions = PromotionStore()
        self._projects = ConfigStore()
        self._cluster = ConfigStore(system_resources_namespace)
        self._projects.on_changed = self._cluster.on_changed = self._receivers_changed
        slots = asyncio.Semaphore(limits.PROJECT_LISTS_IN_FLIGHT)
        whole = partial(Followed, api, availability, clock=clock)
        by_project = partial(FollowedByProject, api, availability, clock=clock, slots=slots)
        self._project_configs = whole(Kind(resource="projectconfigs", title="ProjectConfigs", store=self._projects))
        self._cluster_configs = whole(Kind(resource="clusterconfigs", title="ClusterConfigs", store=self._cluster))
        self._warehouses = by_project(Kind(resource="warehouses", title="Warehouses", store=self.warehouses))
        self._promotions = by_project(
            Kind(resource="promotions", title="Promotions", store=self.promotions, on_demand=True)
        )
        self._kinds = (self._project_configs, self._cluster_configs, self._warehouses, self._promotions)

    def start(self) -> None:
        """Begin to list and watch. Returns at once."""
        for kind in self._kinds:
            if not kind.kind.on_demand:
                kind.start()
        self._follow_promotions()

    async def close(self) -> None:
        """Stop listing and watching."""
        for kind in self._kinds:
            await kind.close()

    @property
    def index(self) -> SubscriptionIndex:
        """Who subscribes to what."""
        return self.warehouses.index

    @property
    def pull_requests(self) -> PullRequestIndex:
        """What waits for which pull request."""
        return self.promotions.index

    @property
    def on_receivers_changed(self) -> ReceiversChanged | None:
        """Who is told of every change of :meth:`receivers`, config by config."""
        return self._told

    @on_receivers_changed.setter
    def on_receivers_changed(self, told: ReceiversChanged | None) -> None:
        self._told = told

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
        reflectors = [each.reflector for each in (self._project_configs, self._cluster_configs)]
        return all(each.trusted or each.refused for each in reflectors)

    @property
    def receivers_denied(self) -> bool:
        """Whether the API server does not let this identity read ProjectConfigs."""
        return bool(self._project_configs.reflector.refused)

    def misreads(self, project: str | None, name: str) -> bool:
        """Whether a receiver may be defined in a project (None: in the cluster) in a way that cannot be read."""
        if project is None:
            return self._cluster.misreads(Key("", CLUSTER_CONFIG), name)
        return self._projects.misreads(Key(project, project), name)

    async def receivers_ready(self) -> None:
        """Wait until the receivers are known, and read them anew when they have grown stale.

        What was known before stays when the cluster cannot be reached: a delivery is better accepted than lost.
        Raises :class:`ClusterError` when nothing was and the cluster is away.
        """
        for kind in (self._project_configs, self._cluster_configs):
            if kind.reflector.trusted:
                continue
            if kind.reflector.synced:
                await kind.attempt(kind.reflector.list_now)
            else:
                await self._availability.unless_gone(kind.reflector.attempted)

    async def warehouses_ready(self, project: str | None) -> None:
        """Wait until the subscriptions of a project (None: of all) are known and not stale.

        While a large cluster is still being listed, or its watch is broken, the one project is listed by itself.
        Raises :class:`ClusterError` when nothing is known of them.
        """
        await self._warehouses.ready(project)

    async def promotions_ready(self, project: str | None) -> None:
        """As :meth:`warehouses_ready`, of the Promotions that wait for pull requests."""
        if not self._promotions.started:
            self._telling += 1  # a receiver that is not known to tell of pull requests did, and may do so again
            self._follow_promotions()
        await self._promotions.ready(project)

    def health(self) -> list[Health]:
        """How well each resource that is needed is known."""
        return [kind.health() for kind in self._kinds if kind.started or not kind.kind.on_demand]

    def unreadable(self) -> dict[str, list[UnreadableObject]]:
        """By resource, the objects that cannot be read, or not whole: those that have names, and not too many."""
        needed = [kind for kind in self._kinds if kind.started or not kind.kind.on_demand]
        return {kind.kind.resource: kind.store.unreadable.named() for kind in needed}

    def _receivers_changed(self, before: list[Receiver], after: list[Receiver]) -> None:
        telling = self._tells_of_pull_requests
        self._telling += sum(map(telling, after)) - sum(map(telling, before))
        self._follow_promotions()
        if self._told is not None:
            self._told(before, after)

    def _follow_promotions(self) -> None:
        if self._telling:
            self._promotions.start()
        else:
            self._promotions.stop()
