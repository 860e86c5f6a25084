"""What a real CNCF Distribution posts is understood, refreshes its Warehouse, and never stops its queue."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from receivers.events import Authenticated, Event, Ignored, Pushed, Receiver, WebhookRequest
from receivers.providers.distribution import DISTRIBUTION
from testbed.objects import PROJECT, Hook, Object, refresh_of, warehouse
from testbed.servers import ApiServer
from tests.registry import layouts, server
from tests.registry.relay import Posted, Relay, relaying
from tests.registry.server import Registry
from tests.service import running_service, until

HOOK = Hook(provider="distribution", secret="a secret of tests")
IN_THE_SETTINGS = {"provider": HOOK.provider, "name": HOOK.name, "project": PROJECT, "secret": HOOK.secret}
RECEIVER = Receiver(provider="distribution", name=HOOK.name, project=PROJECT, source="")
REFRESHED, NOT_REFRESHED = "refreshed 1 warehouse(s)", "refreshed 0 warehouse(s)"


@dataclass(frozen=True)
class Told:
    """What the registry posted, what it means, and what the service answered."""

    event: Event
    sent: Any
    status: int
    message: str


@dataclass(frozen=True)
class Host:
    """A registry that tells the service, through a relay, of what is pushed."""

    registry: Registry
    relay: Relay
    cluster: ApiServer

    async def subscribe(self, name: str, repository: str, constraint: str = "") -> None:
        """A Warehouse that subscribes to a repository of the registry."""
        await self._apply(warehouse(name, image=f"{self.registry.host}/{repository}", constraint=constraint))

    async def subscribe_to_chart(self, name: str, repository: str) -> None:
        """A Warehouse that subscribes to an OCI chart of the registry."""
        subscription = {"repoURL": f"oci://{self.registry.host}/{repository}", "semverConstraint": "^1.0.0"}
        spec = {"interval": "5m0s", "subscriptions": [{"chart": subscription}]}
        await self._apply(warehouse(name) | {"spec": spec})

    async def _apply(self, its_warehouse: Object) -> None:
        """Returns once the service knows it, as the only one."""
        runtime = await self.relay.service.runtime()
        await self.cluster.apply(its_warehouse)

        async def known() -> bool:
            return len(runtime.mirror.index) == 1

        await until(known)

    async def told_of(self, wanted: Callable[[Told], bool]) -> list[Told]:
        """All that was posted once such an event was, and once nothing waits in the registry's queue any more."""

        async def settled() -> bool:
            return any(map(wanted, self.told)) and (await self.registry.queue()).pending == 0

        await until(settled)
        return self.told

    @property
    def told(self) -> list[Told]:
        """All that was posted until now."""
        return [_told(each) for each in self.relay.posted]

    async def refreshed(self, name: str) -> str:
        """The mark of a Warehouse's refresh, "" for none."""
        return await refresh_of(self.cluster, name)


def _told(posted: Posted) -> Told:
    request = WebhookRequest(
        method="POST", path=HOOK.path, headers={}, query={}, body=posted.body, received_at=datetime.now(UTC)
    )
    (event,) = DISTRIBUTION.parse(Authenticated(request=request, receiver=RECEIVER))
    (sent,) = json.loads(posted.body)["events"]
    return Told(event, sent, posted.status, json.loads(posted.answer).get("msg", ""))


@asynccontextmanager
async def hosted(
    cluster: ApiServer, folder: Path, *, authentication: str | None = None, **endpoint: object
) -> AsyncIterator[Host]:
    """A registry that is configured as its page says, but for what is given here."""
    if not server.is_there():
        pytest.skip(server.HOW_TO_GET_IT)
    receivers = json.dumps([IN_THE_SETTINGS | {"authentication": authentication}])
    async with (
        running_service(cluster.kubeconfig("admin"), RECEIVERS=receivers) as service,
        relaying(service) as relay,
        server.running(folder, server.page_s_endpoint() | {"url": f"{relay.url}{HOOK.path}"} | endpoint) as registry,
    ):
        yield Host(registry, relay, cluster)


@pytest.fixture
async def host(embedded_api_server: ApiServer, tmp_path: Path) -> AsyncIterator[Host]:
    """A registry that posts whatever happens."""
    async with hosted(embedded_api_server, tmp_path, ignore={}) as host:
        yield host


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A folder for an OCI layout."""
    folder = tmp_path / "layout"
    folder.mkdir()
    return folder


def is_push_of(tag: str) -> Callable[[Told], bool]:
    return lambda told: isinstance(told.event, Pushed) and told.event.qualifiers == (tag,)


def pushes(told: list[Told]) -> list[tuple[Pushed, str]]:
    """Those of tags, each with its answer."""
    return [(each.event, each.message) for each in told if isinstance(each.event, Pushed)]


async def test_an_image_that_is_pushed_refreshes_its_warehouse(host: Host, layout: Path) -> None:
    await host.subscribe("app", "team/app")
    await host.registry.push(layouts.image(layout), "team/app:1.2.3")
    ((event, answer),) = pushes(await host.told_of(is_push_of("1.2.3")))
    assert event.repository_urls == (f"{host.registry.host}/team/app",)
    assert (event.registry, event.repository) == (host.registry.host, "team/app")
    assert event.media_type == layouts.MANIFEST
    assert event.digest.startswith("sha256:")
    assert event.sender_event_id
    assert answer == REFRESHED
    assert await host.refreshed("app")


async def test_the_layers_of_an_image_are_ignored(host: Host, layout: Path) -> None:
    await host.registry.push(layouts.image(layout), "team/app:1.2.3")
    config, layer, _ = await host.told_of(is_push_of("1.2.3"))
    assert config.event == layer.event == Ignored("a layer was pushed: its image follows", "team/app")


async def test_another_tag_of_the_same_image_is_a_push(host: Host, layout: Path) -> None:
    await host.subscribe("app", "team/app", "^2.0.0")
    await host.registry.push(layouts.image(layout), "team/app:1.2.3")
    await host.told_of(is_push_of("1.2.3"))
    assert not await host.refreshed("app")
    await host.registry.tag("team/app:1.2.3", "team/app:2.0.0")
    (first, answer), (second, another_answer) = pushes(await host.told_of(is_push_of("2.0.0")))
    assert first.digest == second.digest
    assert (answer, another_answer) == (NOT_REFRESHED, REFRESHED)
    assert await host.refreshed("app")


async def test_an_index_refreshes_once_by_its_tag(host: Host, layout: Path) -> None:
    await host.subscribe("app", "team/app")
    await host.registry.push(layouts.index(layout), "team/app:1.2.3")
    told = await host.told_of(is_push_of("1.2.3"))
    ((event, answer),) = pushes(told)
    assert (event.media_type, answer) == (layouts.INDEX, REFRESHED)
    children = [each for each in told if each.sent["target"]["mediaType"] == layouts.MANIFEST]
    assert len(children) == 2
    assert all("pushed by digest alone" in each.message for each in children)


async def test_a_chart_refreshes_its_warehouse(host: Host, layout: Path) -> None:
    await host.subscribe_to_chart("app", "charts/app")
    await host.registry.push(layouts.chart(layout), "charts/app:1.2.3")
    ((_, answer),) = pushes(await host.told_of(is_push_of("1.2.3")))
    assert answer == REFRESHED
    assert await host.refreshed("app")


async def test_what_is_deleted_refreshes_nothing(host: Host, layout: Path) -> None:
    await host.subscribe("app", "team/app")
    await host.registry.push(layouts.image(layout), "team/app:1.2.3")
    await host.told_of(is_push_of("1.2.3"))
    before = await host.refreshed("app")
    await host.registry.delete("team/app:1.2.3")

    def is_deletion_of_the_tag(told: Told) -> bool:
        return (told.sent["action"], told.sent["target"].get("tag")) == ("delete", "1.2.3")

    told = [each for each in await host.told_of(is_deletion_of_the_tag) if each.sent["action"] == "delete"]
    assert [(each.status, each.message) for each in told] == [(200, "ignored: action delete is not a push")] * 2
    assert await host.refreshed("app") == before


async def test_after_all_that_nothing_waits_and_nothing_has_failed(host: Host, layout: Path) -> None:
    await host.registry.push(layouts.index(layout), "team/app:1.2.3")
    await host.registry.tag("team/app:1.2.3", "team/app:1.2.4")
    await host.registry.push(layout, "team/another:1.2.3")
    await host.registry.delete("team/app:1.2.4")
    await host.registry.push(layouts.chart(layout), "charts/app:1.0.0")
    told = await host.told_of(is_push_of("1.0.0"))
    assert {each.sent["action"] for each in told} >= {"push", "pull", "delete"}
    queue = await host.registry.queue()
    assert (queue.pending, queue.failures, queue.errors) == (0, 0, 0)
    assert queue.statuses == {"200 OK": len(told)}


async def test_what_cannot_be_read_at_all_holds_nothing_back(host: Host, layout: Path) -> None:
    await host.subscribe("app", "team/app")
    host.relay.to_spoil = 2
    await host.registry.push(layouts.image(layout), "team/app:1.2.3")
    first, second, third = await host.told_of(is_push_of("1.2.3"))
    for each in (first, second):
        assert each.status == 200
        assert each.message.startswith("ignored: it cannot be read")
    assert third.message == REFRESHED
    queue = await host.registry.queue()
    assert (queue.pending, queue.failures) == (0, 0)


async def test_a_refusal_would_be_posted_again_before_anything_else(host: Host, layout: Path) -> None:
    host.relay.to_refuse = 2
    await host.registry.push(layouts.image(layout), "team/app:1.2.3")
    told = await host.told_of(is_push_of("1.2.3"))
    assert [each.status for each in told] == [400, 400, 200, 200, 200]
    assert len({each.sent["id"] for each in told[:3]}) == 1
    assert (await host.registry.queue()).failures == 2


async def test_as_its_page_says_only_manifests_are_posted(
    embedded_api_server: ApiServer, tmp_path: Path, layout: Path
) -> None:
    async with hosted(embedded_api_server, tmp_path) as host:
        await host.registry.push(layouts.image(layout), "team/app:1.2.3")
        await host.registry.tag("team/app:1.2.3", "team/app:1.2.4")
        await host.registry.delete("team/app:1.2.3")
        await host.registry.push(layout, "team/last:1.0.0")
        told = await host.told_of(is_push_of("1.0.0"))
        assert [each.sent["target"]["tag"] for each in told] == ["1.2.3", "1.2.4", "1.0.0"]


async def test_it_proves_itself_by_a_header_where_one_is_demanded(
    embedded_api_server: ApiServer, tmp_path: Path, layout: Path
) -> None:
    proof = {"Authorization": [HOOK.secret]}
    async with hosted(embedded_api_server, tmp_path, authentication="header", headers=proof) as host:
        await host.subscribe("app", "team/app")
        assert (await host.relay.service.post(HOOK.path)).status == 401
        await host.registry.push(layouts.image(layout), "team/app:1.2.3")
        ((_, answer),) = pushes(await host.told_of(is_push_of("1.2.3")))
        assert answer == REFRESHED
