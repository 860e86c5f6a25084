"""A stand-in for those of Kargo's controllers that webhook receivers live with.

The management controller writes the receivers' paths into the status of ProjectConfigs and the ClusterConfig; those of
Warehouses and Promotions say in the status which refresh they have worked on.
"""

import asyncio
import base64
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


class Controllers:
    """Follows a store as Kargo's controllers follow a cluster, from ``async with`` until its end.

    With ``base_url``, receivers get their status; with ``echo_after``, in seconds, refreshes count as handled so long
    after they were asked for.
    """

    def __init__(self, store: Store, *, base_url: str | None = None, echo_after: float | None = None) -> None:
        self._store = store
        self._base_url = base_url
        self._echo_after = echo_after

    async def __aenter__(self) -> Self:
        self._feed = self._store.follow()
        for resource in (PROJECT_CONFIGS, CLUSTER_CONFIGS):
            self._publish(resource)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._store.unfollow(self._feed)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while change := await self._feed.get():
            if change.type == "DELETED":
                continue
            if change.resource in (PROJECT_CONFIGS, CLUSTER_CONFIGS, SECRETS):
                self._publish(PROJECT_CONFIGS)
                self._publish(CLUSTER_CONFIGS)
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

    def _echo(self, change: Change) -> None:
        asked = (change.after["metadata"].get("annotations") or {}).get(REFRESH)
        if asked and asked != change.after.get("status", {}).get("lastHandledRefresh"):
            self._set_status(change.resource, change.after, {"lastHandledRefresh": asked})

    def _set_status(self, resource: Resource, each: Object, status: Object) -> None:
        def change(old: Object) -> Object:
            return {**old, "status": old.get("status", {}) | status}

        metadata = each["metadata"]
        with suppress(ApiError):  # it may be gone by now
            self._store.update(resource, metadata.get("namespace", ""), metadata["name"], change, status=True)


def _receivers(config: Object) -> list[Object]:
    found: list[Object] = config.get("spec", {}).get("webhookReceivers") or []
    return found
