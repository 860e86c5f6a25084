"""What the journal shows of whatever a sender sends, through the worker library that Azure loads."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from receivers import limits
from receivers.journal.journal import Filter, Row, State
from receivers.local.azurite import Azurite
from receivers.local.embedded.cluster import EmbeddedCluster
from receivers.local.host import worker
from receivers.local.host.triggers.timer import TIMER_INFO
from receivers.local.host.worker import TypedData
from receivers.runtime import Runtime
from testbed.fault_proxy import FaultProxy
from testbed.objects import IMAGE, PROJECT, SECRET, Hook, Object, project_config, secret_of, warehouse
from tests.examples import row
from tests.journal.stored import everything
from tests.service import ROOT, Service, acr_push, running_service, until

AZURE, HUB = Hook(provider="azure", name="acr"), Hook(provider="dockerhub", name="hub")
SAMPLES = ROOT / "tests" / "samples"
HUB_IMAGE = "docker.io/team/app"
EAGER = {
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.100",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:00",
}
CANARIES = ("canary-authorization", "canary-header", "canary-query")


@dataclass
class Scene:
    """A service with a journal, its cluster, and a proxy between them."""

    service: Service
    proxy: FaultProxy
    azurite: Azurite

    async def rows(self, only: Filter | None = None) -> list[Row]:
        """Every row that was written, newest first."""
        journal = (await self.runtime()).journal
        assert journal is not None
        return [row async for row in journal.rows(only or Filter())]

    async def row_of(self, delivery: str, *, state: State) -> Row:
        """The row of a delivery, once it is in the table and has this state."""
        found: list[Row] = []

        async def there() -> bool:
            found[:] = [each for each in await self.rows() if each.id == delivery and each.state == state]
            return bool(found)

        await until(there)
        return found[0]

    async def runtime(self) -> Runtime:
        return await self.service.runtime()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRY_DELAYS", (0.0,))
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.05)
    monkeypatch.setattr(limits, "STORAGE_WARM_UP", 0.0)


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedCluster]:
    """Two receivers and two Warehouses; refreshes are handled after a tenth of a second."""
    objects = [
        project_config([AZURE, HUB]),
        stored_secret(AZURE),
        stored_secret(HUB),
        warehouse("app", constraint="^1.0.0"),
        warehouse("hub", image=HUB_IMAGE, constraint="^1.0.0"),
    ]
    async with EmbeddedCluster(objects, echo_after=0.1) as cluster:
        yield cluster


def stored_secret(hook: Hook) -> Object:
    """As an API server stores what a person wrote."""
    written = secret_of(hook)
    data = {key: base64.b64encode(value.encode()).decode() for key, value in written.pop("stringData").items()}
    return {**written, "data": data}


@pytest.fixture
async def scene(cluster: EmbeddedCluster, azurite: Azurite) -> AsyncIterator[Scene]:
    async with FaultProxy(cluster.url) as proxy:
        settings = {
            "CLUSTER_AUTHENTICATION": "token",
            "CLUSTER_SERVER": proxy.url,
            "CLUSTER_TOKEN": "token-of-the-cluster",
            "AzureWebJobsStorage": azurite.connection_string,
        }
        async with running_service(None, **settings, **EAGER) as service:
            yield Scene(service, proxy, azurite)
            proxy.clear()


def sample(name: str) -> object:
    body: object = json.loads((SAMPLES / name / "body.json").read_bytes())
    return body


@pytest.mark.parametrize(
    ("sent", "status", "shown"),
    [
        ((AZURE.path, acr_push()), 200, ("push", State.REFRESHED)),
        ((AZURE.path, acr_push(tag="2.0.0")), 200, ("push", State.NOTHING)),
        ((AZURE.path, acr_push("registry.azurecr.io/of-nobody")), 200, ("push", State.NOTHING)),
        ((AZURE.path, sample("azure/acr-ping")), 200, ("ping", State.PING)),
        ((AZURE.path, sample("azure/acr-delete")), 200, ("ignored", State.IGNORED)),
        ((AZURE.path, sample("azure/eventgrid-subscription-validation")), 200, ("handshake", State.PING)),
        ((AZURE.path, b"{"), 400, ("", State.REFUSED)),
        ((AZURE.path, b" " * (limits.BODY + 1)), 413, ("", State.REFUSED)),
    ],
)
async def test_every_answer_of_a_receiver_has_a_row(
    scene: Scene, sent: tuple[str, object], status: int, shown: tuple[str, State]
) -> None:
    response = await scene.service.post(*sent)
    assert response.status == status
    event, state = shown
    row = await scene.row_of(dict(response.headers)["x-delivery-id"], state=state)
    assert (row.provider, row.event, row.status) == ("azure", event, status)
    assert row.duration > 0


@pytest.mark.parametrize("path", ["/azure/" + "0" * 64, "/azure/nonsense", "/quay/" + "1" * 64])
async def test_a_request_to_an_unknown_url_has_no_row_and_is_counted(scene: Scene, path: str) -> None:
    """Real rows were evicted by a flood of these once."""
    for _ in range(3):
        assert (await scene.service.post(path, acr_push())).status == 404
    known = await scene.service.post(AZURE.path, sample("azure/acr-ping"))
    await scene.row_of(dict(known.headers)["x-delivery-id"], state=State.PING)
    assert len(await scene.rows()) == 1
    assert (await (await scene.runtime()).refusals.summary()).day() == 3


async def test_a_row_tells_what_matched_and_why_the_rest_did_not(scene: Scene, cluster: EmbeddedCluster) -> None:
    response = await scene.service.post(AZURE.path, acr_push())
    row = await scene.row_of(dict(response.headers)["x-delivery-id"], state=State.REFRESHED)
    assert (row.receiver, row.project, f"{row.registry}/{row.repository}", row.tag) == ("acr", PROJECT, IMAGE, "1.2.3")
    assert row.sender_event_id == acr_push()["id"]
    assert row.answer == "refreshed 1 warehouse(s)"
    (app,) = row.warehouses
    assert (app.name, app.reason, row.others) == ("app", "tag 1.2.3 satisfies ^1.0.0", 1)


async def test_a_row_tells_when_kargo_had_acted(scene: Scene) -> None:
    response = await scene.service.post(AZURE.path, acr_push())
    delivery = dict(response.headers)["x-delivery-id"]

    async def handled() -> bool:
        return any(row.id == delivery and row.handled_at is not None for row in await scene.rows())

    await until(handled)
    row = await scene.row_of(delivery, state=State.REFRESHED)
    assert row.handled_at is not None
    assert (row.handled_at - row.received_at).total_seconds() >= 0.1
    assert row.warehouses[0].handled_at == row.handled_at


async def test_a_queued_delivery_is_refreshed_by_the_function_of_the_queue(scene: Scene) -> None:
    scene.proxy.answer(422, times=1, method="PATCH")
    response = await scene.service.post(AZURE.path, acr_push())
    assert response.status == 202
    row = await scene.row_of(dict(response.headers)["x-delivery-id"], state=State.REFRESHED)
    assert (row.status, row.answer) == (202, "queued 1 of 1 refresh(es)")
    assert [(attempt.refreshed, attempt.error) for attempt in row.attempts] == [(1, "")]


async def test_the_six_posts_for_one_image_of_docker_hub_cost_few_patches_and_each_is_covered(scene: Scene) -> None:
    held = scene.proxy.hold(method="PATCH", times=1)
    posts = [asyncio.create_task(scene.service.post(HUB.path, sample("dockerhub/push"))) for _ in range(6)]
    await until(lambda: asked(held.used == 1))
    runtime = await scene.runtime()
    await until(lambda: asked(runtime.recorder is not None and runtime.refresher.pending == 1))
    scene.proxy.release()
    responses = await asyncio.gather(*posts)
    assert {response.status for response in responses} == {200}
    assert 1 <= len(scene.proxy.sent("PATCH")) <= 6

    async def written() -> bool:
        return len(await scene.rows()) == 6

    await until(written)
    rows = sorted(await scene.rows(), key=lambda each: each.id)
    originals = [each for each in rows if not each.duplicate_of]
    assert [each.duplicate_of for each in rows if each.duplicate_of] == [originals[0].id] * 5
    for each in rows:
        (hub,) = [warehouse for warehouse in each.warehouses if warehouse.refresh]
        assert datetime.fromisoformat(hub.value[: len("2026-11-21T12:00:00.000000Z")]) >= each.received_at


async def asked(answer: bool) -> bool:
    return answer


async def test_a_journal_that_is_away_delays_nothing_and_is_reported(scene: Scene) -> None:
    """The Storage account hangs for as long as deliveries are answered."""
    scene.azurite.pause()
    try:
        for number in range(5):
            assert (await scene.service.post(AZURE.path, acr_push(tag=f"1.0.{number}"))).status == 200
        runtime = await scene.runtime()
        await until(lambda: asked("no answer within" in runtime.readiness().document["journal"]))
        answer = await scene.service.ask("GET", "/readyz")
    finally:
        scene.azurite.resume()
    assert answer.status == 200
    assert json.loads(answer.body)["journal"].endswith("journal rows wait")

    async def written() -> bool:
        return len(await scene.rows()) == 5

    await until(written)
    assert json.loads((await scene.service.ask("GET", "/readyz")).body)["journal"] == "ok"


async def test_nothing_that_is_stored_or_logged_is_a_secret(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="receivers")
    headers = {"Authorization": f"Bearer {CANARIES[0]}", "X-Canary": CANARIES[1]}
    for path, body in [
        (AZURE.path, acr_push()),
        (AZURE.path, sample("azure/acr-ping")),
        (AZURE.path, b"{"),
        (HUB.path, sample("dockerhub/push")),
        ("/azure/" + "a" * 64, acr_push()),
    ]:
        await scene.service.post(f"{path}?canary={CANARIES[2]}", body, headers=headers)
    scene.proxy.answer(422, times=None, method="PATCH")
    scene.proxy.reset(times=None, path="secrets")
    assert (await scene.service.post(AZURE.path, acr_push(tag="1.9.9"), headers=headers)).status == 202
    runtime = await scene.runtime()
    assert runtime.retries is not None
    await runtime.retries.handle(b"not a message")

    async def written() -> bool:
        return len(await scene.rows()) == 5

    await until(written)
    stored = await everything(scene.azurite.connection_string)
    assert "1.9.9" in stored
    assert "not a message of this service" in stored
    for secret in (SECRET, AZURE.token, HUB.token, "a" * 64, "token-of-the-cluster", *CANARIES):
        assert secret not in stored
        assert secret not in caplog.text


async def test_old_rows_are_deleted_by_the_function_of_the_timer(scene: Scene) -> None:
    runtime = await scene.runtime()
    assert runtime.journal is not None
    runtime.journal.write(row(datetime(2020, 1, 1, tzinfo=UTC)))
    fresh = row(datetime.now(UTC))
    runtime.journal.write(fresh)

    async def written() -> bool:
        return len(await scene.rows()) == 2

    await until(written)
    clean = next(function for function in scene.service.host.functions if function.name == "clean")
    await worker.invoke(clean, TypedData(json=json.dumps(TIMER_INFO)), metadata={})
    assert [each.id for each in await scene.rows()] == [fresh.id]
