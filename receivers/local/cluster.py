"""The cluster that the settings mean, looked at once: what the commands beside ``serve`` know of it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from receivers import runtime, settings
from receivers.cluster.credentials import CredentialsError
from receivers.cluster.mirror import Mirror
from receivers.local.errors import Unable
from receivers.local.host.configuration import local_settings
from receivers.local.host.errors import HostError
from receivers.runtime import Runtime
from receivers.settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]  # of the project: where function_app.py, host.json and local.settings.json are
WITHIN = 15.0  # seconds for the cluster to be read; a large one takes some
LOOK_EVERY = 0.02  # seconds


def environment() -> dict[str, str]:
    """The environment, and what ``local.settings.json`` has beside it. Raises :class:`Unable`."""
    try:
        return {**os.environ, **local_settings(ROOT, os.environ)}
    except HostError as error:
        raise Unable(str(error)) from None


def checked(variables: Mapping[str, str]) -> Settings:
    """The settings. Raises :class:`Unable`."""
    try:
        return settings.from_environment(variables)
    except SettingsError as error:
        raise Unable(str(error)) from None


@asynccontextmanager
async def opened(variables: Mapping[str, str]) -> AsyncIterator[Runtime]:
    """The service's parts, with what could be read of the cluster. Raises :class:`Unable`.

    What may not be read is left out, and ``mirror.health()`` tells.
    """
    with quiet():
        try:
            service = await runtime.start(checked(variables), variables)
        except (SettingsError, CredentialsError) as error:
            raise Unable(str(error)) from None
        try:
            await read(service.mirror)
            _refuse_unreachable(service)
            yield service
        finally:
            await service.close()


@contextmanager
def quiet() -> Iterator[None]:
    """The service's parts log nothing: the command itself tells what is wrong."""
    logger = logging.getLogger("receivers")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


async def read(mirror: Mirror) -> None:
    """Wait until everything was read, or could not be."""
    deadline = asyncio.get_running_loop().time() + WITHIN
    while not all(health.synced or health.fault for health in mirror.health()):
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(LOOK_EVERY)


def _refuse_unreachable(service: Runtime) -> None:
    faults = [
        health.fault or f"not read within {WITHIN:g} s"
        for health in service.mirror.health()
        if not health.synced and not health.denied
    ]
    if faults:
        check = blamed(service.settings, faults[0])
        raise Unable(f"the cluster at {service.api.server} cannot be read: {faults[0]}; check {check}")


def blamed(settings: Settings, fault: str) -> str:
    """The setting that a fault of the cluster comes from, if any setting is to blame."""
    if settings.cluster_authentication in {"", "kubeconfig"} and settings.kubeconfig:
        return f"KUBECONFIG ({settings.kubeconfig})"
    if not settings.cluster_server:
        return "the pod's ServiceAccount"
    if "certificate" in fault:
        return "CLUSTER_CA, which has to be the authority of the API server"
    if fault.startswith("401"):
        return "CLUSTER_TOKEN" if settings.cluster_token else "the managed identity, and AZURE_CLIENT_ID"
    return "CLUSTER_SERVER"
