"""The API server goes away under load and comes back: every request is answered, and service resumes by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receivers import limits
from receivers.cluster.refresher import ANNOTATION
from receivers.local.azurite import Azurite
from receivers.pages import timeline
from testbed.fault_proxy import FaultProxy, Request
from testbed.objects import PROJECT, Hook, project_config, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer
from tests.local.host.wire import Response
from tests.service import Service, acr_push, running_service, until

HOOK = Hook()
CLIENTS = 8  # that post one delivery after the other
BUDGET = "1"  # seconds
REFRESHED = (200, b'{"msg":"refreshed 1 warehouse(s)"}\n')
NOT_REFRESHED = (503, b'{"error":"failed to refresh 1 of 1 warehouses"}\n')
UNVERIFIED = (
    503,
    b'{"error":"the cluster cannot be reached, try again later"}\n',
)  # away for as long as Secrets are fresh


@dataclass
class Load:
    """Clients at work, and what they were answered."""

    service: Service
    answers: list[Response] = field(default_factory=list)

    async def until(self, answer: tuple[int, bytes], *, times: int) -> None:
        """Wait until this was the answer, from now on, so many times."""
        before = len(self.answers)

        async def often() -> bool:
            return [(each.status, each.body) for each in self.answers[before:]].count(answer) >= times

        await until(often)

    async def post(self) -> None:
        while True:
            self.answers.append(await self.service.post(HOOK.path, acr_push()))


@asynccontextmanager
async def load(service: Service) -> AsyncIterator[Load]:
    generated = Load(service)
    async with asyncio.TaskGroup() as tasks:
        clients = [tasks.create_task(generated.post()) for _ in range(CLIENTS)]
        yield generated
        for client in clients:
            client.cancel()


@pytest.fixture
async def service(api_server: ApiServer) -> AsyncIterator[Service]:
    await api_server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app"))
    await api_server.allow_secrets(PROJECT)
    async with running_service(api_server.kubeconfig("kargo-receivers"), ANSWER_BUDGET_SECONDS=BUDGET) as running:

        async def works() -> bool:
            response = await running.post(HOOK.path, acr_push())
            return (response.status, response.body) == REFRESHED

        await until(works)  # a cold start may take longer than the budget
        yield running


async def test_service_resumes_when_a_killed_api_server_is_started_again(
    api_server: ApiServer, service: Service
) -> None:
    async with load(service) as clients:
        await clients.until(REFRESHED, times=2 * CLIENTS)
        await api_server.stop()
        await clients.until(NOT_REFRESHED, times=2 * CLIENTS)
        await api_server.start()
        await clients.until(REFRESHED, times=2 * CLIENTS)
    assert {(each.status, each.body) for each in clients.answers} <= {REFRESHED, NOT_REFRESHED, UNVERIFIED}


async def test_service_resumes_when_an_api_server_that_hung_goes_on(api_server: ApiServer, service: Service) -> None:
    async with load(service) as clients:
        await clients.until(REFRESHED, times=2 * CLIENTS)
        api_server.pause()
        await clients.until(NOT_REFRESHED, times=2 * CLIENTS)
        api_server.resume()
        await clients.until(REFRESHED, times=2 * CLIENTS)
    assert {(each.status, each.body) for each in clients.answers} <= {REFRESHED, NOT_REFRESHED, UNVERIFIED}


async def test_what_was_asked_for_while_the_api_server_was_away_is_done_when_it_is_back(
    api_server: ApiServer, service: Service
) -> None:
    before = await refresh_of(api_server, "app")
    await api_server.stop()
    response = await service.post(HOOK.path, acr_push())
    assert (response.status, response.body) == NOT_REFRESHED
    await api_server.start()

    async def refreshed() -> bool:
        return await refresh_of(api_server, "app") != before

    await until(refreshed)


# What was queued meanwhile


@pytest.fixture
async def proxy(embedded_api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(embedded_api_server.url) as proxy:
        yield proxy


@pytest.fixture
async def queueing(embedded_api_server: ApiServer, proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Service]:
    """A service with a retry queue and a journal, that has refreshed by the URL before."""
    server = embedded_api_server
    await server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app"))
    await server.allow_secrets(PROJECT)
    kubeconfig = server.kubeconfig("kargo-receivers", url=proxy.url)
    storage = azurite.connection_string
    async with running_service(kubeconfig, ANSWER_BUDGET_SECONDS="2", AzureWebJobsStorage=storage) as running:

        async def works() -> bool:
            return (await running.post(HOOK.path, acr_push(tag="1.0.0"))).status == 200

        await until(works)
        yield running


@pytest.mark.parametrize("is_known", [False, True], ids=["not yet noticed", "known"])
async def test_a_queued_delivery_shows_its_success_within_a_second_or_so_and_when_it_was(
    queueing: Service, proxy: FaultProxy, is_known: bool
) -> None:
    """However long its next try is away: what outlives the answer is written when it happens."""
    runtime = await queueing.runtime()
    proxy.reset(times=None)
    if is_known:

        async def is_away() -> bool:
            return await runtime.availability.is_away()

        runtime.availability.suspect()
        await until(is_away)
    response = await queueing.post(HOOK.path, acr_push(tag="1.2.3"))
    assert response.status == 202
    delivery = dict(response.headers)["x-delivery-id"]
    page = f"/deliveries/{delivery}?format=json"

    async def row() -> dict[str, Any]:
        shown: dict[str, Any] = (await queueing.ask("GET", page)).json()
        return dict(shown.get("delivery", {}))

    async def has(state: str) -> bool:
        return (await row()).get("state") == state

    def patched() -> list[Request]:
        return [each for each in proxy.sent("PATCH") if each.status == 200 and each.began > began]

    async def is_patched() -> bool:
        return bool(patched())

    await until(lambda: has("queued"))
    began = time.monotonic()
    proxy.clear()
    await until(is_patched)
    await until(lambda: has("refreshed"))
    seen, seen_at = time.monotonic(), datetime.now(UTC)
    (patch, *_) = patched()
    assert patch.ended is not None
    assert seen - patch.ended < limits.JOURNAL_INTERVAL + 2  # and what a busy machine takes
    (refreshed,) = (await row())["warehouses"]
    assert refreshed["value"] == patch.json["metadata"]["annotations"][ANNOTATION]
    stored = await runtime.journal.read(delivery) if runtime.journal else None
    assert stored is not None
    (moment,) = [each for each in timeline.of(stored) if each.what == "Refreshed"]
    happened = seen_at - timedelta(seconds=seen - patch.began)
    assert abs(moment.at - happened) < timedelta(seconds=1)
