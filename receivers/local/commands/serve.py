"""``serve``: the function app on the local host, against an embedded cluster or a real one."""

import argparse
import asyncio
import logging
import math
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path

import uvloop
import yaml

from receivers import runtime
from receivers.cluster.credentials import CredentialsError
from receivers.deliveries import readiness, report
from receivers.local import addresses, announcement, azurite, cluster, terminal
from receivers.local.announcement import Sample
from receivers.local.embedded import DEMO, EmbeddedCluster, documents
from receivers.local.errors import Unable
from receivers.local.host import FunctionHost, HostError
from receivers.local.host import run as run_host
from receivers.local.host.serving import listen
from receivers.pages import openness
from receivers.retries import retries
from receivers.runtime import Runtime
from receivers.settings import SettingsError, storage_configured

PROJECT = "kargo-demo"  # in the sample
HANDLED_AFTER = 0.5  # seconds until the embedded cluster's Kargo says that it has handled a refresh
PATIENCE = 1.0  # seconds until the terminal is told what is waited for
LOOK_EVERY = 0.05  # seconds

say = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    _log(verbose=options.verbose)
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))
    return 0


def _log(*, verbose: bool) -> None:
    """Deliveries and what this command says go to stdout, everything else to stderr."""
    complaints = logging.StreamHandler(sys.stderr)
    complaints.setFormatter(terminal.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[complaints])
    for logger, layout in (
        (logging.getLogger(report.__name__), terminal.Formatter("%(asctime)s %(message)s", "%H:%M:%S")),
        (logging.getLogger(retries.__name__), terminal.Formatter("%(asctime)s %(message)s", "%H:%M:%S")),
        (say, terminal.LinesFormatter()),
    ):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(layout)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


async def _serve(options: argparse.Namespace) -> None:
    os.environ.update(cluster.environment())
    _refuse_taken(options)
    async with AsyncExitStack() as stack:
        base_path = cluster.checked(os.environ).base_path
        sample = await stack.enter_async_context(_embedded(options, base_path)) if options.embedded else None
        cluster.checked(os.environ)
        await stack.enter_async_context(_storage())
        service = await _started()
        stack.push_async_callback(service.close)
        await _host(options, service, sample)


def _refuse_taken(options: argparse.Namespace) -> None:
    """Say that the port is taken before anything else is started, which would say things too."""
    try:
        listen(options.host, options.port).close()
    except HostError as error:
        raise Unable(str(error)) from None


@asynccontextmanager
async def _embedded(options: argparse.Namespace, base_path: str) -> AsyncIterator[Sample]:
    """The embedded cluster, and settings that mean it."""
    name = f"[{options.host}]" if ":" in options.host else options.host
    base_url = f"http://{name}:{options.port}{base_path}"
    embedded = EmbeddedCluster(documents(DEMO), base_url=base_url, echo_after=HANDLED_AFTER)
    try:
        url = await embedded.start(port=options.kubernetes_port)
    except OSError as error:
        port = f"port {options.kubernetes_port} for the Kubernetes API"
        raise Unable(f"cannot take {port}: {error.strerror}. Try another --kubernetes-port") from None
    try:
        os.environ.update(CLUSTER_AUTHENTICATION="token", CLUSTER_SERVER=url, CLUSTER_TOKEN="none")  # noqa: S106
        with tempfile.TemporaryDirectory(prefix="kargo-receivers-") as folder:
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.write_text(_kubeconfig(url), encoding="utf-8")
            yield Sample(url=url, kubeconfig=kubeconfig)
    finally:
        await embedded.stop()


@asynccontextmanager
async def _storage() -> AsyncIterator[None]:
    """An emulated Storage account, unless the settings name one. Without Node there is none, and the service does."""
    if storage_configured(os.environ):
        yield
        return
    async with azurite.storage() as found:
        if found.connection_string:
            os.environ.update(AzureWebJobsStorage=found.connection_string)
        else:
            say.info("no retry queue and no journal: %s", terminal.printable(found.reason))
        yield


def _kubeconfig(url: str) -> str:
    name = "kargo-receivers"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": PROJECT}}],
        "users": [{"name": name, "user": {}}],
        "current-context": name,
    }
    return yaml.safe_dump(document)


async def _started() -> Runtime:
    """The very runtime that the function app asks for."""
    try:
        return await runtime.current()
    except SettingsError as error:
        raise Unable(str(error)) from None
    except CredentialsError as error:
        raise Unable(f"{error}; without a cluster: kargo-receivers serve --embedded") from None


async def _host(options: argparse.Namespace, service: Runtime, sample: Sample | None) -> None:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    host = FunctionHost(cluster.ROOT)
    try:
        with ExitStack() as listening:

            def ready(where: str) -> None:
                listening.enter_context(openness.listening_on(where))
                url.set_result(where)

            async with asyncio.TaskGroup() as tasks:
                announcing = tasks.create_task(_announce(url, service, sample))
                await run_host(host, address=options.host, port=options.port, on_ready=ready)
                announcing.cancel()
    except* HostError as errors:
        raise Unable(str(errors.exceptions[0])) from None


async def _announce(served: asyncio.Future[str], service: Runtime, sample: Sample | None) -> None:
    url = await served + service.settings.base_path
    await _until_ready(service, url)
    found = await addresses.addresses(service.directory)
    for line in announcement.lines(found, url=url, index=service.mirror.index, program=sys.argv[0], sample=sample):
        say.info("%s", line)
    if not service.settings.pages_key and not openness.on_loopback_alone():
        say.info("the pages are closed, since others can reach them here: set PAGES_KEY to open them")
    elif service.journal is not None:
        say.info("what becomes of each delivery: %s/deliveries", url)
    say.info("ready on %s", url)


async def _until_ready(service: Runtime, url: str) -> None:
    """Wait for the cluster, however long it takes; say so once, when it takes long."""
    loop = asyncio.get_running_loop()
    patient_until = loop.time() + PATIENCE
    while not readiness.of(service.mirror).ready:
        if loop.time() > patient_until:
            faults = {health.fault for health in service.mirror.health() if health.fault}
            reason = terminal.printable("; ".join(sorted(faults))) or "it is still being read"
            say.info("listening on %s, not ready: waiting for the cluster %s: %s", url, service.api.server, reason)
            patient_until = math.inf
        await asyncio.sleep(LOOK_EVERY)
