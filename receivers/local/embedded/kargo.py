"""A stand-in for those of Kargo's controllers that webhook receivers live with.

The management controller writes the receivers' paths into the status of ProjectConfigs and the ClusterConfig; those of
Warehouses and Promotions say in the status which refresh they have worked on.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from receivers.kargo import paths
from receivers.local.embedded.errors import ApiError
from receivers.local.embedded.resources import (
    CLUSTER_CONFIGS,
    PROJECT_CONFIGS,
    PROMOTIONS,
    SECRETS,
    WAREHOUSES,
    Object,
    Resource,
)
from receivers.local.embedded.store import Change, Store
from receivers.providers import PROVIDERS

REFRESH = "kargo.akuity.io/refresh"
SYSTEM_RESOURCES_NAMESPACE = "kargo-system-resources"
DISCOVERING = {"type": "Reconciling", "status": "True", "reason": "ScheduledDiscovery"}

type Discover = Callable[[Object], Awaitable[Object | None]]  # a Warehouse, and what its subscriptions discover now


class Controllers:
    """Follows a store as Kargo's controllers follow a cluster, from ``async with`` until its end.

    With ``base_url``, receivers get their status; with ``echo_after``, in seconds, refreshes count as handled so long
    after they were asked for. With ``discover``, Warehouses discover first, one pass of each at a time, as Kargo does:
    what is asked for meanwhile makes one more pass.
    """

    def __init__(
        self,
        store: Store,
        *,
        base_url: str | None = None,
        echo_after: float | None = None,
        discover: Discover | None = None,
    ) -> None:
        self._store = store
        self._base_url = base_url
        self._echo_after = echo_after
        self._discover = discover
        self._passes: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        self._feed = self._store.follow()
        for resource in (PROJECT_CONFIGS, CLUSTER_CONFIGS):
            self._publish(resource)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._store.unfollow(self._feed)
        tasks = [self._task, *self._passes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while change := await self._feed.get():
            if change.type == "DELETED":
                continue
            if change.resource in (PROJECT_CONFIGS, CLUSTER_CONFIGS, SECRETS):
                self._publish(PROJECT_CONFIGS)
                self._publish(CLUSTER_CONFIGS)
            elif change.resource == WAREHOUSES and self._discover is not None:
                self._begin_pass(change.after, self._discover)
            elif change.resource in (WAREHOUSES, PROMOTIONS) and self._echo_after is not None:
                asyncio.get_running_loop().call_later(self._echo_after, self._echo, change)

    def _publish(self, resource: Resource) -> None:
        """Writes every configuration's status. A receiver without its secret is left out, as Kargo leaves it out."""
        if self._base_url is not None:
            for config in self._store.every(resource):
                found = [self._receiver_status(self._base_url, config, entry) for entry in _receivers(config)]
                self._set_status(resource, config, {"webhookReceivers": [status for status in found if status]})

    def _receiver_status(self, base_url: str, config: Object, entry: Object) -> Object | None:
        project = config["metadata"]["name"] if config["kind"] == PROJECT_CONFIGS.kind else ""
        namespace = project or SYSTEM_RESOURCES_NAMESPACE
        for provider in entry.keys() & PROVIDERS.keys():
            secret = self._secret(namespace, entry[provider]["secretRef"]["name"], PROVIDERS[provider].secret_keys)
            if secret is not None:
                token = paths.token(project=project, name=entry["name"], secrets=(secret,))
                return {
                    "name": entry["name"],
                    "path": paths.path(urlsplit(base_url).path, provider, token),
                    "url": paths.url(base_url, provider, token),
                }
        return None

    def _secret(self, namespace: str, name: str, keys: tuple[str, ...]) -> bytes | None:
        with suppress(ApiError):
            data = self._store.get(SECRETS, namespace, name)["data"]
            return next((base64.b64decode(data[key]) for key in keys if key in data), None)
        return None

    def _begin_pass(self, warehouse: Object, discover: Discover) -> None:
        key = (warehouse["metadata"]["namespace"], warehouse["metadata"]["name"])
        if key not in self._passes:
            self._passes[key] = asyncio.create_task(self._pass(key, discover))

    async def _pass(self, key: tuple[str, str], discover: Discover) -> None:
        """Discover until no other refresh has been asked for meanwhile."""
        try:
            while (asked := _asked(warehouse := self._store.get(WAREHOUSES, *key))) is not None:
                self._set_status(WAREHOUSES, warehouse, {"conditions": [DISCOVERING]})
                await asyncio.sleep(self._echo_after or 0)
                found = await discover(warehouse)
                done: Object = {"lastHandledRefresh": asked, "discoveredArtifacts": found, "conditions": []}
                self._set_status(WAREHOUSES, warehouse, done)
        except ApiError:
            pass  # it is gone
        finally:
            del self._passes[key]

    def _echo(self, change: Change) -> None:
        asked = _asked(change.after)
        if asked is not None:
            self._set_status(change.resource, change.after, {"lastHandledRefresh": asked})

    def _set_status(self, resource: Resource, each: Object, status: Object) -> None:
        def change(old: Object) -> Object:
            return {**old, "status": old.get("status", {}) | status}

        metadata = each["metadata"]
        with suppress(ApiError):  # it may be gone by now
            self._store.update(resource, metadata.get("namespace", ""), metadata["name"], change, status=True)


def _asked(each: Object) -> str | None:
    """The refresh that is to be handled."""
    asked: str = (each["metadata"].get("annotations") or {}).get(REFRESH, "")
    return asked if asked and asked != each.get("status", {}).get("lastHandledRefresh") else None


def _receivers(config: Object) -> list[Object]:
    found: list[Object] = config.get("spec", {}).get("webhookReceivers") or []
    return found
