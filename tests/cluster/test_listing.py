"""A list is read whole, however large or odd the objects in it are."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from receivers import limits
from receivers.cluster import objects
from receivers.cluster.api import KARGO, Api, RefusedError, TimedOutError, UnreachableError
from receivers.cluster.listing import Lister
from receivers.cluster.records import Identity, Key
from receivers.cluster.stores import WarehouseStore
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Object, warehouse
from testbed.servers import ApiServer, RealServer
from tests.cluster.odd_objects import create, deep_warehouse, large_warehouse
from tests.cluster.stand_ins import Pages

WAREHOUSES = f"{KARGO}/warehouses"
DEPTH = 12_000  # deeper than any decoder goes here


def names(store: WarehouseStore) -> list[str]:
    return sorted(target.name for target in store._indexed)


def unreadable(store: WarehouseStore) -> list[str]:
    return [found.name for found in store.unreadable.named()]


def asked(proxy: FaultProxy) -> list[int]:
    """How many objects were asked for, list by list."""
    return [int(each.query["limit"]) for each in proxy.sent("GET", WAREHOUSES) if not each.is_watch]


def stored(name: str, **spec: object) -> bytes:
    made: Object = warehouse(name)
    made["metadata"] |= {"uid": name, "generation": 1, "resourceVersion": "5"}
    made["spec"] |= spec
    return json.dumps(made).encode()


def deep(name: str, depth: int = DEPTH) -> bytes:
    return stored(name, odd=0).replace(b'"odd": 0', b'"odd":' + b"[" * depth + b"]" * depth)


async def test_pages_that_are_large_are_asked_for_in_parts_and_followed_by_ones_that_fit(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAGE", 100)
    monkeypatch.setattr(limits, "PAGE_BYTES", 20_000)
    await api_server.apply(*(warehouse(f"app-{number}") for number in range(150)))
    store = WarehouseStore()
    listing = await Lister(api, WAREHOUSES, store).read()
    assert len(store) == len(listing.keys) == 150
    first, second, *others = asked(fault_proxy)
    assert (first, second) == (100, 25)
    assert all(5 <= each < 100 for each in others)


def test_after_a_large_object_pages_grow_slowly_since_there_may_be_more_of_them() -> None:
    nobody: Any = None  # it is not asked
    lister = Lister(nobody, WAREHOUSES, WarehouseStore())
    lister._limit, learned = 1, []
    for _ in range(4):
        lister._ask_for_as_much_as_fits(1, 100)
        learned.append(lister._limit)
    assert learned == [2, 4, 8, 16]


async def test_what_was_learned_of_the_objects_size_counts_for_the_next_list() -> None:
    pages = Pages(*(stored(f"app-{number:02}", note="x" * 100_000) for number in range(40)))
    lister = Lister(pages.api, WAREHOUSES, WarehouseStore())
    await lister.read()
    pages.asked.clear()
    await lister.read()
    assert max(pages.asked) * 100_000 < limits.PAGE_BYTES


async def test_the_next_page_is_on_its_way_while_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAGE", 2)
    pages, on_the_way = Pages(*(stored(f"app-{number}") for number in range(5))), []

    class Watched(WarehouseStore):
        def apply(self, encoded: msgspec.Raw) -> Identity:
            on_the_way.append(len(pages.asked))
            return super().apply(encoded)

    await Lister(pages.api, WAREHOUSES, Watched()).read()
    assert on_the_way == [2, 2, 3, 3, 3]


async def test_a_page_that_fails_fails_the_list_once_those_before_it_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PAGE", 2)
    pages, store = Pages(*(stored(f"app-{number}") for number in range(5))), WarehouseStore()
    ask = pages.get

    async def fail_later(path: str, **options: Any) -> bytes:  # noqa: ANN401
        if len(pages.asked) == 1:
            raise UnreachableError("no answer")
        return await ask(path, **options)

    monkeypatch.setattr(pages, "get", fail_later)
    with pytest.raises(UnreachableError):
        await Lister(pages.api, WAREHOUSES, store).read()
    assert names(store) == ["app-0", "app-1"]


async def test_whoever_stops_a_list_stops_its_next_page_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAGE", 2)
    monkeypatch.setattr(limits, "TURN", 0.0)
    pages = Pages(*(stored(f"app-{number}") for number in range(5)))
    ask, hanging = pages.get, asyncio.Event()

    async def hang_later(path: str, **options: Any) -> bytes:  # noqa: ANN401
        if pages.asked:
            hanging.set()
            await asyncio.Event().wait()
        return await ask(path, **options)

    monkeypatch.setattr(pages, "get", hang_later)
    before = asyncio.all_tasks()
    listing = asyncio.create_task(Lister(pages.api, WAREHOUSES, WarehouseStore()).read())
    await hanging.wait()
    listing.cancel()
    await asyncio.wait([listing])
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_others_go_on_while_what_a_list_no_longer_has_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN", 0.0)
    store = WarehouseStore()
    for number in range(5):
        store.apply(msgspec.Raw(stored(f"app-{number}")))
    kept: list[int] = []

    async def look() -> None:
        while True:
            kept.append(len(store))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await objects.retain(store, {Key(PROJECT, "app-3")})
    looking.cancel()
    assert kept == [4, 3, 2, 2, 1]
    assert names(store) == ["app-3"]


async def test_an_object_that_is_too_large_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [stored(f"app-{number:02}") for number in range(30)]
    objects[10] = stored("large", note="x" * (3 * limits.PAGE_BYTES))
    store = WarehouseStore()
    listing = await Lister(Pages(*objects).api, WAREHOUSES, store).read()
    assert len(store) == 29
    assert unreadable(store) == ["large"]
    assert Key(PROJECT, "large") in listing.keys
    assert listing.version == "7"


@pytest.mark.parametrize("metadata_first", [False, True])
@pytest.mark.parametrize("places", [[0], [29], [7, 8, 9, 20], list(range(30))])
async def test_objects_that_are_too_deep_are_left_out_and_named(places: list[int], *, metadata_first: bool) -> None:
    objects = [deep(f"app-{each:02}") if each in places else stored(f"app-{each:02}") for each in range(30)]
    store = WarehouseStore()
    pages = Pages(*objects, metadata_first=metadata_first)
    listing = await Lister(pages.api, WAREHOUSES, store).read()
    assert names(store) == [f"app-{each:02}" for each in range(30) if each not in places]
    assert unreadable(store) == [f"app-{each:02}" for each in places]
    assert len(listing.keys) == 30
    assert len(pages.asked) <= 6 + 12 * len(places)


async def test_a_deep_object_cannot_pretend_to_be_another_or_to_end_the_list() -> None:
    lie = '"metadata":{"name":"victim","namespace":"other","resourceVersion":"9","continue":""}}'
    liar = deep("liar").replace(b'"spec":', json.dumps({"annotations": lie})[1:-1].encode() + b',"spec":')
    liar = liar.replace(b'"interval"', b'"metadata":{"name":"victim"},"metadata":{"continue":""},"interval"')
    store = WarehouseStore()
    listing = await Lister(Pages(stored("a"), liar, stored("z")).api, WAREHOUSES, store).read()
    assert listing.keys == {Key(PROJECT, name) for name in ("a", "liar", "z")}
    assert listing.version == "7"


async def test_a_deep_warehouse_of_a_real_cluster_is_left_out_and_named(
    real_api_server: RealServer, real_api: Api
) -> None:
    await real_api_server.apply(warehouse("a"), warehouse("z"))
    await create(real_api_server, deep_warehouse("deep"))
    store = WarehouseStore()
    listing = await Lister(real_api, WAREHOUSES, store).read()
    assert names(store) == ["a", "z"]
    assert unreadable(store) == ["deep"]
    assert listing.keys == {Key(PROJECT, name) for name in ("a", "deep", "z")}


async def test_the_largest_warehouses_of_a_real_cluster_are_read(real_api_server: RealServer, real_api: Api) -> None:
    await real_api_server.apply(warehouse("a"), warehouse("z"))
    for number in range(4):
        await create(real_api_server, large_warehouse(f"large-{number}"))
    store = WarehouseStore()
    await Lister(real_api, WAREHOUSES, store).read()
    assert names(store) == ["a", "large-0", "large-1", "large-2", "large-3", "z"]
    assert len(store.unreadable) == 0


async def test_a_list_that_grew_too_old_is_begun_again_once() -> None:
    pages = Pages(*(stored(f"app-{number}") for number in range(3)))
    pages.faults = [RefusedError(410, "expired")]
    store = WarehouseStore()
    await Lister(pages.api, WAREHOUSES, store).read()
    assert len(store) == 3
    pages.faults = [RefusedError(410, "expired"), RefusedError(410, "expired")]
    with pytest.raises(RefusedError):
        await Lister(pages.api, WAREHOUSES, store).read()


async def test_a_page_that_takes_too_long_is_smaller_at_the_next_try() -> None:
    pages = Pages(stored("a"))
    pages.faults = [TimedOutError("no answer within 30 s")]
    lister = Lister(pages.api, WAREHOUSES, WarehouseStore())
    with pytest.raises(TimedOutError):
        await lister.read()
    await lister.read()
    assert pages.asked == [limits.PAGE, limits.PAGE // 4]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"[]", b'{"items":[]}', b'{"items":[{}],"metadata":{"continue":"']
)
async def test_what_is_no_list_is_given_up(body: bytes) -> None:
    class Nonsense(Pages):
        def _page(self, _params: dict[str, str], /) -> bytes:
            return body

    with pytest.raises(UnreachableError):
        await Lister(Nonsense().api, WAREHOUSES, WarehouseStore()).read()
