"""Whatever one object holds, it alone is unreadable: everything else goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from receivers import limits
from receivers.cluster.api import KARGO, Api
from receivers.cluster.availability import Availability
from receivers.cluster.backoff import Backoff
from receivers.cluster.mirror import Mirror
from receivers.cluster.objects import UNDECODABLE
from receivers.cluster.reflector import WATCHES_BEFORE_LIST, Reflector
from receivers.cluster.stores import ConfigStore, WarehouseStore
from receivers.cluster.unreadable import UnreadableObject
from receivers.deliveries import readiness
from receivers.events import Pushed, Receiver
from testbed.objects import IMAGE, PROJECT, Hook, Object, project_config, warehouse
from testbed.servers import RealServer
from testbed.waiting import eventually
from tests.cluster.odd_objects import (
    create,
    deep_warehouse,
    large_warehouse,
    merge,
    odd_text_warehouse,
    replace,
    wide_warehouse,
)
from tests.cluster.stand_ins import Watch
from tests.loop_lag import HELD, loop_lag

OTHER = "registry.azurecr.io/team/other"
WAREHOUSES = f"{KARGO}/warehouses"
DEEP = b"[" * 12_000 + b"]" * 12_000  # deeper than any decoder goes here


def subscribers(store: WarehouseStore, image: str = IMAGE) -> list[str]:
    found = store.index.match(Pushed(repository_urls=(image,)), project=None)
    return [decision.target.name for decision in found]


def named(store: WarehouseStore | ConfigStore) -> list[str]:
    return [str(found) for found in store.unreadable.named()]


# In a real cluster


@asynccontextmanager
async def mirroring(api: Api) -> AsyncIterator[Mirror]:
    availability = Availability(api)
    mirror = Mirror(api, availability, system_resources_namespace="system")
    mirror.start()
    try:
        await eventually(lambda: all(health.watching for health in mirror.health()))
        yield mirror
    finally:
        await mirror.close()
        await availability.close()


async def test_a_deep_warehouse_breaks_nothing_and_a_restart_gets_ready(
    real_api_server: RealServer, real_api: Api
) -> None:
    await real_api_server.apply(warehouse("a"))
    deep = [UnreadableObject(PROJECT, "deep", UNDECODABLE)]
    async with mirroring(real_api) as mirror:
        await create(real_api_server, deep_warehouse("deep"))
        await eventually(lambda: mirror.unreadable()["warehouses"] == deep)
        await real_api_server.apply(warehouse("a", image=OTHER), warehouse("later"))
        await eventually(lambda: subscribers(mirror.warehouses) == ["later"])
        assert subscribers(mirror.warehouses, OTHER) == ["a"]
        assert all(health.watching and not health.fault for health in mirror.health())
    async with mirroring(real_api) as mirror:
        await mirror.warehouses_ready(PROJECT)
        assert subscribers(mirror.warehouses) == ["later"]
        assert mirror.unreadable()["warehouses"] == deep
        ready = readiness.of(mirror)
        assert ready.ready
        assert [each["unreadable"] for each in ready.document["resources"]] == [0, 0, 1]
        assert "deep" not in json.dumps(ready.document)  # anybody may ask


async def test_a_warehouse_that_becomes_unreadable_stays_as_it_was_until_it_is_deleted(
    real_api_server: RealServer, real_api: Api
) -> None:
    await real_api_server.apply(warehouse("a"), warehouse("b"))
    async with mirroring(real_api) as mirror:
        await replace(real_api_server, "a", deep_warehouse("a"))
        await eventually(lambda: named(mirror.warehouses) == [f"{PROJECT}/a"])
        assert subscribers(mirror.warehouses) == ["a", "b"]
        await real_api_server.patch("Warehouse", "b", PROJECT, {"metadata": {"labels": {"a": "b"}}})
        await real_api_server.delete("Warehouse", "a", PROJECT)
        await eventually(lambda: subscribers(mirror.warehouses) == ["b"])
        assert named(mirror.warehouses) == []
        assert all(health.watching and not health.fault for health in mirror.health())


async def test_halves_of_characters_are_whole_ones_by_the_time_they_are_read(
    real_api_server: RealServer, real_api: Api
) -> None:
    """Go puts U+FFFD in their place when it reads them, so that none is ever sent."""
    await real_api_server.apply(warehouse("a"))
    await create(real_api_server, odd_text_warehouse("odd"))
    async with mirroring(real_api) as mirror:
        assert subscribers(mirror.warehouses) == ["a", "odd"]
        assert mirror.unreadable()["warehouses"] == []


async def test_of_a_warehouse_with_very_many_subscriptions_the_first_count(
    real_api_server: RealServer, real_api: Api
) -> None:
    await real_api_server.apply(warehouse("a", image=OTHER))
    async with mirroring(real_api) as mirror:
        await create(real_api_server, wide_warehouse("wide"))
        await eventually(lambda: len(mirror.index) == 2)
        assert len(mirror.index.subscriptions(None)) == 1 + limits.SUBSCRIPTIONS
        (fault,) = mirror.index.faults()
        assert (fault.target.name, fault.position) == ("wide", limits.SUBSCRIPTIONS)
        assert str(limits.SUBSCRIPTIONS) in fault.reason


async def test_a_flood_of_edits_of_large_objects_leaves_the_loop_to_others(
    real_api_server: RealServer, real_api: Api
) -> None:
    await real_api_server.apply(warehouse("a"))
    await create(real_api_server, large_warehouse("large"))
    await create(real_api_server, wide_warehouse("wide"))
    async with mirroring(real_api) as mirror, loop_lag() as lag:
        for number in range(10):
            for name in ("large", "wide"):
                await merge(real_api_server, name, {"spec": {"interval": f"{number + 1}m"}})
        await real_api_server.apply(warehouse("last"))
        await eventually(lambda: "last" in subscribers(mirror.warehouses))
    assert lag.longest_computing < HELD


# In a watch


@asynccontextmanager
async def following(watch: Watch, store: WarehouseStore | ConfigStore) -> AsyncIterator[Reflector]:
    at_once = Backoff(jitter=lambda: 0.0)
    reflector = Reflector(watch.api, WAREHOUSES, store, backoff=at_once, relist_backoff=Backoff(jitter=lambda: 0.0))
    task = asyncio.create_task(reflector.run())
    try:
        await eventually(lambda: reflector.watching)
        yield reflector
    finally:
        task.cancel()
        await asyncio.wait([task])


def stored(made: Object, version: int, *, generation: int = 1) -> bytes:
    """As kube-apiserver writes it: members are sorted."""
    metadata = made["metadata"] | {"uid": "u", "generation": generation, "resourceVersion": str(version)}
    return json.dumps(made | {"metadata": metadata}, sort_keys=True).encode()


def odd(version: int, part: bytes, *, name: str = "odd", where: str = "spec") -> bytes:
    made = warehouse(name) | {where: "HERE"}
    return stored(made, version, generation=version).replace(b'"HERE"', part)


ODD = {
    "deep": b'{"subscriptions":' + DEEP + b"}",
    "deep beside its subscriptions": b'{"interval":' + DEEP + b',"subscriptions":[]}',
    "no object": b"7",
    "a list": b"[1.5]",
    "cut off": b'{"subscriptions":["',
    "no JSON": b"\xff\xfe",
    "not a number": b"NaN",
    "an end too many": b"{}}",
    "half a surrogate pair": b'{"interval":"\\ud800"}',
}


@pytest.mark.parametrize("part", ODD.values(), ids=ODD)
async def test_an_event_of_an_odd_object_concerns_no_other(part: bytes) -> None:
    watch, store = Watch(), WarehouseStore()
    async with following(watch, store):
        watch.send("ADDED", stored(warehouse("a"), 2))
        watch.send("ADDED", odd(3, part))
        watch.send("ADDED", stored(warehouse("z"), 4))
        await eventually(lambda: subscribers(store) == ["a", "z"])
    assert named(store) == [f"{PROJECT}/odd"]
    assert (watch.lists, watch.watched) == (1, ["7"])


@pytest.mark.parametrize("part", ODD.values(), ids=ODD)
async def test_a_watch_goes_on_behind_an_odd_object(part: bytes) -> None:
    watch, store = Watch(), WarehouseStore()
    async with following(watch, store) as reflector:
        watch.send("ADDED", odd(30, part))
        await eventually(lambda: len(store.unreadable) == 1)
        await eventually(lambda: reflector._version == "30")


@pytest.mark.parametrize("part", ODD.values(), ids=ODD)
async def test_an_odd_object_that_is_deleted_or_mended_is_not_odd_any_more(part: bytes) -> None:
    watch, store = Watch(), WarehouseStore()
    async with following(watch, store):
        for name in ("odd", "mended"):
            watch.send("ADDED", stored(warehouse(name), 2))
            watch.send("MODIFIED", odd(3, part, name=name))
        await eventually(lambda: len(store.unreadable) == 2)
        assert subscribers(store) == ["mended", "odd"]
        watch.send("DELETED", odd(4, part))
        watch.send("MODIFIED", stored(warehouse("mended", image=OTHER), 5, generation=5))
        await eventually(lambda: subscribers(store, OTHER) == ["mended"])
        assert subscribers(store) == []
        assert len(store.unreadable) == 0


@pytest.mark.parametrize("part", [b"7", b"[]", b'{"lastHandledRefresh":[1.5]}', DEEP[7_000:-7_000]])
async def test_an_odd_status_is_no_reason_to_lose_a_warehouse(part: bytes) -> None:
    watch, store = Watch(), WarehouseStore()
    async with following(watch, store):
        watch.send("ADDED", odd(3, part, where="status"))
        await eventually(lambda: subscribers(store) == ["odd"])
    assert named(store) == []


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"{}",
        b'{"type":"ADDED"}',
        b'{"type":7,"object":{}}',
        b'{"type":"DELETED","object":{"metadata":{"resourceVersion":"9"}}}',
        b'{"type":"DELETED","object":{"metadata":{"name":"../a","resourceVersion":"9"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}',
        b'{"type":"BOOKMARK","object":{}}',
    ],
)
async def test_an_event_that_cannot_be_followed_makes_a_list_with_growing_pauses(line: bytes) -> None:
    class Pauses(Backoff):
        asked = 0

        def next(self, retry_after: float | None = None, *, spread: float = 0.0) -> float:
            self.asked += 1
            return super().next(retry_after, spread=spread)

    watch, store = Watch(), WarehouseStore()
    watches, lists = Pauses(jitter=lambda: 0.0), Pauses(jitter=lambda: 0.0)
    reflector = Reflector(watch.api, WAREHOUSES, store, backoff=watches, relist_backoff=lists)
    for _ in range(2 * WATCHES_BEFORE_LIST):
        watch.lines.put_nowait(line)
    task = asyncio.create_task(reflector.run())
    await eventually(lambda: watch.lists == 3 and reflector.watching)
    watch.send("ADDED", stored(warehouse("a"), 9))
    await eventually(lambda: subscribers(store) == ["a"])
    assert lists._failures == lists.asked == 2  # an event that comes well does not make the next list come sooner
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("odd_error", [b"7", DEEP])
async def test_an_error_event_that_cannot_be_read_is_an_error_all_the_same(odd_error: bytes) -> None:
    watch = Watch()
    async with following(watch, WarehouseStore()) as reflector:
        watch.send("ERROR", odd_error)
        await eventually(lambda: len(watch.watched) == 2 and reflector.watching)


# Configs


def names(receivers: list[Receiver]) -> list[str]:
    return sorted(receiver.name for receiver in receivers)


async def test_a_config_that_becomes_unreadable_keeps_its_receivers_until_it_is_deleted() -> None:
    watch, store = Watch(), ConfigStore()
    told: list[tuple[list[str], list[str]]] = []
    store.on_changed = lambda before, after: told.append((names(before), names(after)))
    deep = stored(project_config([Hook()]) | {"spec": "HERE"}, 3).replace(b'"HERE"', DEEP)
    async with following(watch, store):
        watch.send("ADDED", stored(project_config([Hook()]), 2))
        watch.send("MODIFIED", deep)
        watch.send("ADDED", stored(project_config([Hook(name="other")], project="other"), 4))
        await eventually(lambda: names(store.receivers()) == ["builds", "other"])
        assert named(store) == [f"{PROJECT}/{PROJECT}"]
        watch.send("DELETED", deep)
        await eventually(lambda: names(store.receivers()) == ["other"])
    assert told == [([], ["builds"]), ([], ["other"]), (["builds"], [])]
    assert (len(store.unreadable), watch.lists) == (0, 1)


async def test_of_a_config_with_very_many_receivers_the_first_count_and_it_is_named() -> None:
    watch, store = Watch(), ConfigStore()
    hooks = [Hook(name=f"hook-{number:05}") for number in range(10_000)]
    encoded = stored(project_config(hooks), 2)
    async with following(watch, store), loop_lag() as lag:
        watch.send("ADDED", encoded)
        await eventually(lambda: len(store.unreadable) == 1)
    assert lag.longest_computing < HELD
    assert names(store.receivers()) == [hook.name for hook in hooks[: limits.RECEIVERS]]
    (found,) = store.unreadable.named()
    assert found.reason == f"only its first {limits.RECEIVERS} receivers count, and it has more"


async def test_a_list_forgets_the_unreadable_objects_that_are_gone() -> None:
    watch, store = Watch(odd(1, b"7", name="stays")), WarehouseStore()
    async with following(watch, store) as reflector:
        watch.send("ADDED", odd(2, DEEP, name="gone"))
        await eventually(lambda: len(store.unreadable) == 2)
        watch.send("ADDED", b'{"metadata":{"name":"../odd","resourceVersion":"3"}}')
        await eventually(lambda: len(store.unreadable) == 3)
        await reflector.list_now()
    assert len(store.unreadable) == 1
    assert named(store) == [f"{PROJECT}/stays"]
