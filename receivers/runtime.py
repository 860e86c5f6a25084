"""Composition root: settings in, a running service out."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from receivers import settings as settings_module
from receivers.cluster import credentials
from receivers.cluster.api import Api
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Refresher
from receivers.cluster.secrets import SecretReader
from receivers.deliveries import report
from receivers.deliveries.directory import Directory
from receivers.deliveries.pipeline import Observer, Pipeline
from receivers.deliveries.retries import Retries
from receivers.deliveries.retry_queue import RetryQueue
from receivers.deliveries.storage import Storage
from receivers.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything a delivery needs, connected. Make one with :func:`start`, end it with :meth:`close`."""

    settings: Settings
    api: Api
    mirror: Mirror
    secrets: SecretReader
    directory: Directory
    availability: Availability
    refresher: Refresher
    pipeline: Pipeline
    storage: Storage | None  # None: no Storage account, so neither retry queue nor journal
    retries: Retries | None

    async def close(self) -> None:
        """Let refreshes under way end, then let go of the cluster."""
        await self.refresher.close()
        await self.availability.close()
        await self.mirror.close()
        await self.secrets.close()
        await self.api.close()
        if self.storage is not None:
            await self.storage.close()


async def start(settings: Settings, environment: Mapping[str, str], *, observers: Iterable[Observer] = ()) -> Runtime:
    """Connect, and begin to follow the cluster. Returns before anything was listed.

    Raises CredentialsError when no cluster is configured; an unreachable one is no error, it may come back.
    """
    api = Api(await credentials.connect(settings, environment))
    mirror = Mirror(api, system_resources_namespace=settings.system_resources_namespace)
    secrets = SecretReader(api)
    directory = Directory(
        mirror,
        secrets,
        static=(*settings.receivers, *settings.receivers_from_file),
        read_secrets=settings.read_secrets,
    )
    availability = Availability(api)
    refresher = Refresher(api, availability)
    storage = Storage(settings) if settings_module.storage_configured(environment) else None
    queue = RetryQueue(storage) if storage else None
    pipeline = Pipeline(
        directory=directory,
        mirror=mirror,
        refresher=refresher,
        availability=availability,
        queue=queue,
        answer_budget=settings.answer_budget,
        observers=(report.log, *observers),
    )
    mirror.start()
    return Runtime(
        settings=settings,
        api=api,
        mirror=mirror,
        secrets=secrets,
        directory=directory,
        availability=availability,
        refresher=refresher,
        pipeline=pipeline,
        storage=storage,
        retries=(
            Retries(mirror=mirror, refresher=refresher, availability=availability, queue=queue) if queue else None
        ),
    )


_started: asyncio.Task[Runtime] | None = None


async def current() -> Runtime:
    """This process's runtime, started from the environment by whoever asks first. A failed start is tried again.

    Raises SettingsError and CredentialsError; the latter also when a start takes longer than the answer budget. It goes
    on then.
    """
    global _started  # noqa: PLW0603 - a Function App has no other place for what outlives a request
    if _started is not None and _has_succeeded(_started):
        return _started.result()
    settings = settings_module.from_environment(os.environ)
    if _started is None or _started.done():
        _started = asyncio.get_running_loop().create_task(start(settings, os.environ))
    try:
        async with asyncio.timeout(settings.answer_budget):
            return await asyncio.shield(_started)
    except TimeoutError:
        raise credentials.CredentialsError("no credential for the cluster yet: its source takes long") from None


def _has_succeeded(task: asyncio.Task[Runtime]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
