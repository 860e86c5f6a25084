"""What outlives a process: processes of the local host are killed, and others take over what they left."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from subprocess import Popen

import pytest
from aiohttp import web
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from receivers.directory import known_receivers
from receivers.local.azurite import Azurite
from receivers.local.host.triggers.queue_options import LEASE_SETTING
from receivers.retries.queue import QUEUE
from testbed.fault_proxy import FaultProxy, Request
from testbed.host import running_process
from testbed.objects import refresh_of
from testbed.servers import ApiServer
from tests.drill import HOOK, furnish
from tests.local.host.wire import Response, ask
from tests.service import ROOT, UNCONFIGURED, acr_push, until

MESSAGES = "/refreshes/messages"
HOST = {
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.200",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
    LEASE_SETTING: "3",
}


@dataclass
class World:
    """What the processes share: a cluster and a Storage account, each behind a proxy."""

    server: ApiServer
    cluster: FaultProxy
    storage: FaultProxy
    azurite: Azurite

    @asynccontextmanager
    async def process(self) -> AsyncIterator[tuple[str, Popen[str]]]:
        """A local host with the service; ``kill`` ends it as a power cut would.

        It is waited for in a thread: what it still has to do goes through the proxies, which this event loop serves.
        """
        running = running_process(ROOT, {**UNCONFIGURED, **HOST, **self.settings})
        url, process = await asyncio.to_thread(running.__enter__)
        try:
            yield url, process
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)

    @property
    def settings(self) -> dict[str, str]:
        queue = queue_endpoint(self.azurite)
        account = queue.rpartition("/")[2]
        return {
            "KUBECONFIG": str(self.server.kubeconfig("kargo-receivers", url=self.cluster.url)),
            "AzureWebJobsStorage": self.azurite.connection_string.replace(queue, f"{self.storage.url}/{account}"),
        }

    async def receivers_known(self) -> bool:
        """Whether a receiver is noted in the table."""
        async with TableServiceClient.from_connection_string(self.azurite.connection_string) as tables:
            names = [table.name async for table in tables.list_tables()]
            if known_receivers.TABLE not in names:
                return False
            client = tables.get_table_client(known_receivers.TABLE)
            return bool([entity async for entity in client.list_entities()])

    async def refreshed(self, *, since: str = "") -> bool:
        """Whether the Warehouse was refreshed, again if need be."""
        return await refresh_of(self.server, "app") != since


def queue_endpoint(azurite: Azurite) -> str:
    parts = dict(part.split("=", 1) for part in azurite.connection_string.strip(";").split(";"))
    return parts["QueueEndpoint"]


@pytest.fixture
async def world(embedded_api_server: ApiServer, azurite: Azurite) -> AsyncIterator[World]:
    await furnish(embedded_api_server)
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as queues:
        await queues.create_queue(QUEUE)
    endpoint = queue_endpoint(azurite).rpartition("/")[0]
    async with FaultProxy(embedded_api_server.url) as cluster, FaultProxy(endpoint) as storage:
        yield World(embedded_api_server, cluster, storage, azurite)
        cluster.clear()
        storage.clear()


async def post(url: str, tag: str = "1.2.3", path: str = HOOK.path) -> Response:
    return await ask(url, "POST", path, body=json.dumps(acr_push(tag=tag)).encode())


async def done_unheard(proxy: FaultProxy, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
    """The server does the work; its answer never comes."""
    async with proxy.upstream(raw, request) as response:
        await response.read()
        request.status = response.status
    await asyncio.Event().wait()
    raise AssertionError("never reached")


async def killed(process: Popen[str]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)


async def test_a_process_that_starts_while_the_cluster_is_away_accepts_what_was_known_before(world: World) -> None:
    async with world.process() as (url, process):
        assert (await post(url, "1.0.0")).status == 200
        await until(world.receivers_known)
        await killed(process)
    before = await refresh_of(world.server, "app")
    for fault in (world.cluster.hang, world.cluster.reset):
        fault(times=None)
        async with world.process() as (url, process):
            accepted = await post(url)
            unknown = await post(url, path="/azure/" + "0" * 64)
            await killed(process)
        assert (accepted.status, accepted.body) == (202, b'{"msg":"queued until the cluster can be reached"}\n')
        assert unknown.status == 503
        assert dict(unknown.headers)["retry-after"] == "10"
        world.cluster.clear()
    async with world.process():
        await until(lambda: world.refreshed(since=before))


async def test_a_process_killed_after_it_queued_a_delivery_and_before_its_answer_loses_nothing(world: World) -> None:
    world.cluster.answer(422, times=None, method="PATCH")
    unheard = world.storage._add(done_unheard, 1, "POST", MESSAGES, None)
    async with world.process() as (url, process):
        posting = asyncio.create_task(post(url))
        await until(lambda: queued(world))
        await killed(process)
        with suppress(OSError, IndexError):  # there is no answer
            await posting
            pytest.fail("the sender was answered")
    assert unheard.used == 1
    world.cluster.clear()
    async with world.process():
        await until(world.refreshed)


async def queued(world: World) -> bool:
    return any(request.status == 201 for request in world.storage.sent("POST", MESSAGES))


async def test_a_process_killed_after_a_try_and_before_its_message_was_deleted_tries_again(world: World) -> None:
    world.cluster.answer(422, times=1, method="PATCH")
    async with world.process() as (url, process):
        assert (await post(url)).status == 202
        world.storage.hang(method="DELETE", path=MESSAGES)
        await until(world.refreshed)
        await world.storage.wait_for(1, "DELETE", MESSAGES)
        await killed(process)
    once = await refresh_of(world.server, "app")
    world.storage.clear()
    async with world.process():
        await until(lambda: world.refreshed(since=once))
        await until(lambda: deleted(world))


async def deleted(world: World) -> bool:
    return any(request.status == 204 for request in world.storage.sent("DELETE", MESSAGES))
