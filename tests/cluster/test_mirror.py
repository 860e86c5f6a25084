"""What this process knows of the cluster: soon after it started, in step, and when the cluster is away."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest

from receivers import limits
from receivers.cluster.api import KARGO, Api, ClusterError, RefusedError, UnreachableError
from receivers.cluster.availability import Availability, AwayError
from receivers.cluster.mirror import Mirror, NotReadyError
from receivers.events import Pushed, Receiver, SecretReference, Target
from testbed.fault_proxy import FaultProxy
from testbed.objects import IMAGE, PROJECT, Hook, cluster_config, project_config, warehouse
from testbed.servers import ApiServer, RealServer
from testbed.waiting import eventually, found_away, ours, turns
from tests.cluster.conftest import connect
from tests.cluster.kubectl import Kubectl

SYSTEM = "kargo-system-resources"
WAREHOUSES = f"{KARGO}/warehouses"
IN_PROJECT = f"{KARGO}/namespaces/{PROJECT}/warehouses"
OTHER = "registry.azurecr.io/team/other"


class Clock:
    """A clock that stands unless a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def mirroring(
    api: Api, clock: Clock | None = None, *, availability: Availability | None = None
) -> AsyncIterator[Mirror]:
    """A mirror that runs."""
    own = Availability(api)
    mirror = Mirror(api, availability or own, system_resources_namespace=SYSTEM, clock=clock or Clock())
    mirror.start()
    try:
        yield mirror
    finally:
        await mirror.close()
        await own.close()


@pytest.fixture
async def mirror(api: Api, availability: Availability, clock: Clock) -> AsyncIterator[Mirror]:
    async with mirroring(api, clock, availability=availability) as mirror:
        yield mirror


async def in_step(mirror: Mirror) -> None:
    """Until everything is watched."""
    await eventually(lambda: all(health.watching for health in mirror.health()))


def subscribers(mirror: Mirror, image: str = IMAGE, project: str | None = None) -> list[str]:
    """Who would be refreshed by a push of this image."""
    pushed = Pushed(repository_urls=(image,))
    return [str(decision.target) for decision in mirror.index.match(pushed, project=project)]


def names(receivers: list[Receiver]) -> list[str]:
    return sorted(receiver.name for receiver in receivers)


# In step


async def test_receivers_of_projects_and_of_the_cluster_are_known(api_server: ApiServer, mirror: Mirror) -> None:
    mine, everybodys = Hook(), Hook(provider="quay", name="all", project=None)
    await api_server.apply(project_config([mine]), cluster_config([everybodys]))
    await eventually(lambda: [bool(each.status_path) for each in mirror.receivers()] == [True, True])
    receivers = {receiver.name: receiver for receiver in mirror.receivers()}
    assert receivers["builds"] == Receiver(
        provider="azure",
        name="builds",
        project=PROJECT,
        source=f"ProjectConfig {PROJECT}",
        secret=SecretReference(namespace=PROJECT, name="builds-secret"),
        status_path=mine.path,
        configuration=b'{"secretRef":{"name":"builds-secret"}}',
    )
    assert receivers["all"] == Receiver(
        provider="quay",
        name="all",
        project=None,
        source="ClusterConfig",
        secret=SecretReference(namespace=SYSTEM, name="all-secret"),
        status_path=everybodys.path,
        configuration=b'{"secretRef":{"name":"all-secret"}}',
    )


async def test_receivers_that_change_are_known_as_they_are_then(api_server: ApiServer, mirror: Mirror) -> None:
    await api_server.apply(project_config([Hook()], published=[]))
    await eventually(lambda: names(mirror.receivers()) == ["builds"])
    versions = [mirror.version]
    await api_server.apply(project_config([Hook(), Hook(name="second")], published=[]))
    await eventually(lambda: names(mirror.receivers()) == ["builds", "second"])
    versions.append(mirror.version)
    await api_server.apply(project_config([Hook()]))
    await eventually(lambda: [each.status_path for each in mirror.receivers()] == [Hook().path])
    versions.append(mirror.version)
    await api_server.delete("ProjectConfig", PROJECT, PROJECT)
    await eventually(lambda: mirror.receivers() == [])
    versions.append(mirror.version)
    assert versions == sorted(set(versions))


async def test_a_change_of_receivers_is_told_wherever_they_are_configured(
    api_server: ApiServer, mirror: Mirror
) -> None:
    told: list[tuple[list[str], list[str]]] = []
    mirror.on_receivers_changed = lambda before, after: told.append((names(before), names(after)))
    await in_step(mirror)
    await api_server.apply(cluster_config([Hook(name="all", project=None)], published=[]))
    await eventually(lambda: told == [([], ["all"])])
    await api_server.apply(project_config([Hook()], published=[]))
    await eventually(lambda: told[1:] == [([], ["builds"])])
    await api_server.delete("ProjectConfig", PROJECT, PROJECT)
    await eventually(lambda: told[2:] == [(["builds"], [])])


async def test_a_change_that_concerns_no_receiver_is_none(api_server: ApiServer, mirror: Mirror) -> None:
    await api_server.apply(project_config([Hook()]))
    await eventually(lambda: [each.status_path for each in mirror.receivers()] == [Hook().path])
    version = mirror.version
    labels = {"metadata": {"labels": {"team": "platform"}}}
    await api_server.patch("ProjectConfig", PROJECT, PROJECT, labels)
    await api_server.apply(cluster_config([Hook(name="later", project=None)], published=[]))
    await eventually(lambda: names(mirror.receivers()) == ["builds", "later"])
    assert mirror.version == version + 1


async def test_kubectl_changes_a_warehouse_and_the_mirror_knows(
    api_server: ApiServer, mirror: Mirror, kubectl: Kubectl
) -> None:
    await api_server.apply(warehouse("guestbook"))
    await eventually(lambda: subscribers(mirror) == [f"{PROJECT}/guestbook"])
    subscription = {"image": {"repoURL": OTHER, "imageSelectionStrategy": "NewestBuild"}}
    patch = json.dumps({"spec": {"subscriptions": [subscription]}})
    await kubectl("patch", "warehouse", "guestbook", "-n", PROJECT, "--type", "merge", "-p", patch)
    await eventually(lambda: subscribers(mirror, OTHER) == [f"{PROJECT}/guestbook"])
    assert subscribers(mirror) == []
    await kubectl("delete", "warehouse", "guestbook", "-n", PROJECT)
    await eventually(lambda: subscribers(mirror, OTHER) == [])


async def test_a_handled_refresh_is_told(api_server: ApiServer, mirror: Mirror) -> None:
    handled: list[tuple[Target, str]] = []
    mirror.warehouses.on_handled = lambda target, token: handled.append((target, token))
    await api_server.apply(warehouse("guestbook"))
    await in_step(mirror)
    status = {"status": {"lastHandledRefresh": "token-1"}}
    await api_server.patch("Warehouse", "guestbook", PROJECT, status, subresource="/status")
    await eventually(lambda: handled)
    await api_server.patch("Warehouse", "guestbook", PROJECT, {"metadata": {"labels": {"a": "b"}}})
    await api_server.apply(warehouse("last"))
    await eventually(lambda: len(mirror.index) == 2)
    assert handled == [(Target(PROJECT, "guestbook"), "token-1")]


async def test_the_whole_service_follows_a_server_that_is_killed_and_started_again(
    api_server: ApiServer, mirror: Mirror
) -> None:
    await api_server.apply(warehouse("guestbook"), project_config([Hook()]))
    await in_step(mirror)
    await api_server.stop()
    await eventually(lambda: not any(health.watching for health in mirror.health()))
    assert subscribers(mirror) == [f"{PROJECT}/guestbook"]
    assert names(mirror.receivers()) == ["builds"]
    await api_server.start()
    await in_step(mirror)
    await api_server.apply(warehouse("later"), project_config([Hook(), Hook(name="later")]))
    await eventually(lambda: subscribers(mirror) == [f"{PROJECT}/guestbook", f"{PROJECT}/later"])
    await eventually(lambda: names(mirror.receivers()) == ["builds", "later"])


# Soon after the start


async def test_nothing_waits_once_everything_is_known(mirror: Mirror, fault_proxy: FaultProxy) -> None:
    await in_step(mirror)
    before = len(fault_proxy.requests)
    await mirror.receivers_ready()
    await mirror.warehouses_ready(PROJECT)
    await mirror.warehouses_ready(None)
    assert len(fault_proxy.requests) == before


async def test_receivers_are_waited_for(api_server: ApiServer, fault_proxy: FaultProxy, api: Api) -> None:
    await api_server.apply(project_config([Hook()]))
    fault_proxy.hold(path="projectconfigs")
    async with mirroring(api) as mirror:
        waiting = asyncio.create_task(mirror.receivers_ready())
        await eventually(lambda: [each.synced for each in mirror.health()] == [False, True, True])
        assert not waiting.done()
        fault_proxy.release()
        await waiting
        assert names(mirror.receivers()) == ["builds"]


async def test_a_project_is_listed_by_itself_while_the_whole_list_is_under_way(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api
) -> None:
    await api_server.apply(warehouse("guestbook"), warehouse("elsewhere", project="other"))
    fault_proxy.hold(path=WAREHOUSES)
    async with mirroring(api) as mirror:
        await asyncio.gather(*(mirror.warehouses_ready(PROJECT) for _ in range(20)))
        assert subscribers(mirror) == [f"{PROJECT}/guestbook"]
        await mirror.warehouses_ready(PROJECT)
        assert len(fault_proxy.sent("GET", IN_PROJECT)) == 1
        fault_proxy.release()
        await mirror.warehouses_ready(None)
        assert subscribers(mirror) == [f"{PROJECT}/guestbook", "other/elsewhere"]


async def test_a_project_that_was_listed_by_itself_is_listed_again_before_it_is_old(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, clock: Clock
) -> None:
    await api_server.apply(warehouse("guestbook"), warehouse("gone"))
    fault_proxy.hold(path=WAREHOUSES)
    async with mirroring(api, clock) as mirror:
        await mirror.warehouses_ready(PROJECT)
        await api_server.delete("Warehouse", "gone", PROJECT)
        clock.now += limits.PROJECT_FRESH
        await mirror.warehouses_ready(PROJECT)
        assert subscribers(mirror) == [f"{PROJECT}/guestbook"]


class LateAnswers:
    """An API that answers the list of the project when the test says so, with what was true when it was asked."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.watch = api.watch
        self.read = asyncio.Event()
        self.released = asyncio.Event()

    async def get(self, path: str, **options: Any) -> bytes:  # noqa: ANN401 - as the Api's
        body = await self._api.get(path, **options)
        if path == IN_PROJECT:
            self.read.set()
            await self.released.wait()
        return body


async def test_a_project_whose_list_comes_late_does_not_hide_what_was_watched_meanwhile(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api
) -> None:
    late = LateAnswers(api)
    fault_proxy.hold(path=WAREHOUSES)
    async with mirroring(cast("Api", late)) as mirror:
        listing = asyncio.create_task(mirror.warehouses_ready(PROJECT))
        await late.read.wait()
        fault_proxy.release()
        await in_step(mirror)
        await api_server.apply(warehouse("newer"))
        await eventually(lambda: subscribers(mirror) == [f"{PROJECT}/newer"])
        late.released.set()
        await listing
        assert subscribers(mirror) == [f"{PROJECT}/newer"]


async def test_a_project_that_cannot_be_listed_before_anything_is_known_is_an_error(
    fault_proxy: FaultProxy, api: Api
) -> None:
    fault_proxy.reset(times=None)
    async with mirroring(api) as mirror:
        with pytest.raises(UnreachableError):
            await mirror.warehouses_ready(PROJECT)


async def test_who_leaves_does_not_take_the_list_of_a_project_from_others(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api
) -> None:
    await api_server.apply(warehouse("guestbook"))
    fault_proxy.hold(path="/warehouses")
    async with mirroring(api) as mirror:
        leaves, stays = (asyncio.create_task(mirror.warehouses_ready(PROJECT)) for _ in range(2))
        await fault_proxy.wait_for(1, "GET", IN_PROJECT)
        leaves.cancel()
        await asyncio.wait([leaves])
        fault_proxy.release()
        await stays
        assert subscribers(mirror, project=PROJECT) == [f"{PROJECT}/guestbook"]


async def test_closing_while_lists_are_under_way_leaves_nothing_behind(fault_proxy: FaultProxy, api: Api) -> None:
    fault_proxy.hang()
    async with mirroring(api) as mirror:
        waiting = asyncio.create_task(mirror.warehouses_ready(PROJECT))
        await fault_proxy.wait_for(4)
    await asyncio.wait([waiting])
    await turns()
    assert ours() == []


# Old knowledge


async def grow_stale(mirror: Mirror, proxy: FaultProxy, clock: Clock) -> None:
    """The watches are broken for too long."""
    await in_step(mirror)
    proxy.reset(watch=True, times=None)
    proxy.drop_watches()
    await eventually(lambda: not any(health.watching for health in mirror.health()))
    clock.now += limits.STALE_AFTER + 60


async def test_a_watch_that_is_broken_for_a_moment_is_trusted(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock
) -> None:
    await grow_stale(mirror, fault_proxy, clock)
    clock.now -= 60 + limits.STALE_AFTER / 2
    before = len(fault_proxy.sent("GET", IN_PROJECT))
    await mirror.warehouses_ready(PROJECT)
    assert len(fault_proxy.sent("GET", IN_PROJECT)) == before == 0


async def test_a_project_that_is_known_from_long_ago_is_read_anew(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock
) -> None:
    await api_server.apply(warehouse("guestbook"))
    await grow_stale(mirror, fault_proxy, clock)
    await api_server.delete("Warehouse", "guestbook", PROJECT)
    await api_server.apply(warehouse("newer"))
    await mirror.warehouses_ready(PROJECT)
    assert subscribers(mirror) == [f"{PROJECT}/newer"]
    assert len(fault_proxy.sent("GET", IN_PROJECT)) == 1


async def test_all_projects_that_are_known_from_long_ago_are_read_anew(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock
) -> None:
    await grow_stale(mirror, fault_proxy, clock)
    await api_server.apply(warehouse("guestbook"), warehouse("elsewhere", project="other"))
    await mirror.warehouses_ready(None)
    assert subscribers(mirror) == [f"{PROJECT}/guestbook", "other/elsewhere"]


async def test_receivers_that_are_known_from_long_ago_are_read_anew(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock
) -> None:
    await grow_stale(mirror, fault_proxy, clock)
    await api_server.apply(project_config([Hook()]), cluster_config([Hook(name="all", project=None)]))
    await mirror.receivers_ready()
    assert names(mirror.receivers()) == ["all", "builds"]


async def test_when_nothing_can_be_read_anew_what_is_known_counts(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock
) -> None:
    await api_server.apply(warehouse("guestbook"), project_config([Hook()]))
    await grow_stale(mirror, fault_proxy, clock)
    fault_proxy.reset(times=None)
    await mirror.receivers_ready()
    await mirror.warehouses_ready(PROJECT)
    await mirror.warehouses_ready(None)
    assert subscribers(mirror) == [f"{PROJECT}/guestbook"]
    assert names(mirror.receivers()) == ["builds"]


async def test_reading_anew_is_not_waited_for_when_it_hangs(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STALE_WAIT", 0.05)
    await api_server.apply(warehouse("guestbook"))
    await grow_stale(mirror, fault_proxy, clock)
    fault_proxy.hang()
    await mirror.receivers_ready()
    await mirror.warehouses_ready(PROJECT)
    assert subscribers(mirror) == [f"{PROJECT}/guestbook"]


async def test_nothing_is_read_anew_while_the_cluster_is_known_to_be_away(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock, availability: Availability
) -> None:
    await api_server.apply(warehouse("guestbook"), project_config([Hook()]))
    await grow_stale(mirror, fault_proxy, clock)
    fault_proxy.reset(times=None)
    await found_away(availability)
    before = len(fault_proxy.sent("GET", IN_PROJECT))
    await mirror.receivers_ready()
    await mirror.warehouses_ready(PROJECT)
    assert len(fault_proxy.sent("GET", IN_PROJECT)) == before
    assert subscribers(mirror) == [f"{PROJECT}/guestbook"]
    assert names(mirror.receivers()) == ["builds"]


async def test_what_was_never_known_is_not_waited_for_while_the_cluster_is_away(
    fault_proxy: FaultProxy, api: Api, availability: Availability
) -> None:
    fault_proxy.reset(times=None)
    async with mirroring(api, availability=availability) as mirror:
        for ready in (mirror.receivers_ready(), mirror.warehouses_ready(PROJECT), mirror.warehouses_ready(None)):
            with pytest.raises(AwayError):
                await ready


# Rights


RESOURCES = ["projectconfigs", "clusterconfigs", "warehouses"]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("denied", RESOURCES)
async def test_what_may_not_be_listed_or_is_not_installed_does_not_hide_the_rest(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, denied: str, status: int
) -> None:
    await api_server.apply(
        warehouse("guestbook"), project_config([Hook()]), cluster_config([Hook(name="all", project=None)])
    )
    fault_proxy.answer(status, times=None, path=f"{KARGO}/{denied}")
    async with mirroring(api) as mirror:
        await mirror.receivers_ready()
        await eventually(lambda: sum(health.watching for health in mirror.health()) == 2)
        health = {each.resource: each for each in mirror.health()}
        assert [health[resource].denied for resource in RESOURCES] == [resource == denied for resource in RESOURCES]
        assert health[denied].fault == f"{status} told by the test"
        assert mirror.receivers_denied is (denied == "projectconfigs")
        wanted = {"projectconfigs": ["all"], "clusterconfigs": ["builds"], "warehouses": ["all", "builds"]}
        assert names(mirror.receivers()) == wanted[denied]
        await mirror.warehouses_ready(PROJECT)
        assert subscribers(mirror) == [f"{PROJECT}/guestbook"]


async def test_all_warehouses_are_not_ready_where_they_may_not_be_listed(fault_proxy: FaultProxy, api: Api) -> None:
    fault_proxy.answer(403, times=None, path=WAREHOUSES)
    async with mirroring(api) as mirror:
        with pytest.raises(NotReadyError, match=r"Warehouses cannot be listed: 403 told by the test"):
            await mirror.warehouses_ready(None)


async def test_promotions_that_may_not_be_listed_are_named(fault_proxy: FaultProxy, api: Api) -> None:
    fault_proxy.answer(403, times=None, path="/promotions")
    async with mirroring(api) as mirror:
        with pytest.raises(NotReadyError, match=r"Promotions cannot be listed: 403 told by the test"):
            await mirror.promotions_ready(None)


async def test_somebody_without_rights_knows_nothing_and_says_so(real_api_server: RealServer) -> None:
    await real_api_server.apply(project_config([Hook()]))
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        api = connect(real_api_server, proxy.url, user="nobody")
        async with mirroring(api) as mirror:
            await mirror.receivers_ready()
            assert mirror.receivers_denied
            assert mirror.receivers() == []
            with pytest.raises(RefusedError):
                await mirror.warehouses_ready(PROJECT)
            await eventually(lambda: all(health.denied for health in mirror.health()))
        await api.close()


# Health


async def test_health_tells_how_well_each_resource_is_known(
    api_server: ApiServer, fault_proxy: FaultProxy, mirror: Mirror, clock: Clock
) -> None:
    assert [health.age for health in mirror.health()] == [None, None, None]
    await api_server.apply(warehouse("a"), warehouse("b"), project_config([Hook()]))
    await grow_stale(mirror, fault_proxy, clock)
    found = {health.resource: health for health in mirror.health()}
    assert {resource: health.objects for resource, health in found.items()} == {
        "projectconfigs": 1,
        "clusterconfigs": 0,
        "warehouses": 2,
    }
    assert {health.age for health in found.values()} == {limits.STALE_AFTER + 60}
    assert all(health.synced and not health.watching and health.fault for health in found.values())


def test_only_the_cluster_config_of_the_right_name_counts() -> None:
    nobody: Any = None  # it is not started
    mirror_of_nothing = Mirror(nobody, Availability(nobody), system_resources_namespace=SYSTEM)
    odd = cluster_config([Hook(project=None)])
    odd["metadata"]["name"] = "other"
    mirror_of_nothing._cluster.apply(msgspec.Raw(json.dumps(odd).encode()))
    assert mirror_of_nothing.receivers() == []


def test_only_the_project_config_of_its_namespace_s_name_counts() -> None:
    nobody: Any = None  # it is not started
    mirror_of_nothing = Mirror(nobody, Availability(nobody), system_resources_namespace=SYSTEM)
    odd = project_config([Hook()])
    odd["metadata"]["name"] = "other"
    mirror_of_nothing._projects.apply(msgspec.Raw(json.dumps(odd).encode()))
    assert mirror_of_nothing.receivers() == []


def test_not_being_ready_is_a_fault_of_the_cluster() -> None:
    assert issubclass(NotReadyError, ClusterError)


async def test_only_so_many_projects_are_listed_by_themselves_at_a_time(
    api: Api, api_server: ApiServer, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROJECT_LISTS_IN_FLIGHT", 3)
    projects = [f"project-{number}" for number in range(9)]
    await api_server.apply(*(warehouse("app", project=project) for project in projects))
    fault_proxy.hang(path=WAREHOUSES)  # all of them together
    fault_proxy.delay(0.1, path="/namespaces/project-")
    async with mirroring(api) as mirror:
        await asyncio.gather(*(mirror.warehouses_ready(project) for project in projects))
        assert fault_proxy.most_at_once("GET", "/namespaces/project-") == 3
        assert len(mirror.index) == len(projects)
