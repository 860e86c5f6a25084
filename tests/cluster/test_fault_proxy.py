"""The proxy does as it is told, in front of either server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from testbed.fault_proxy import FaultProxy
from testbed.servers import ApiServer, Object, path_of

WAREHOUSES = path_of("Warehouse")
GUESTBOOK = path_of("Warehouse", "guestbook", "kargo-demo")


@pytest.fixture
async def client(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {api_server.token('admin')}"}
    async with aiohttp.ClientSession(fault_proxy.url, headers=headers) as session:
        yield session


@pytest.fixture
async def guestbook(api_server: ApiServer) -> Object:
    (warehouse,) = await api_server.apply(
        {
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Warehouse",
            "metadata": {"name": "guestbook", "namespace": "kargo-demo"},
            "spec": {"interval": "5m0s", "subscriptions": [{"image": {"repoURL": "quay.io/example/app"}}]},
        }
    )
    return warehouse


async def status_of(client: aiohttp.ClientSession, path: str = WAREHOUSES) -> int:
    async with client.get(path) as response:
        await response.read()
        return response.status


async def annotate(client: aiohttp.ClientSession, value: str) -> int:
    patch = {"metadata": {"annotations": {"note": value}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    async with client.patch(GUESTBOOK, json=patch, headers=headers) as response:
        return response.status


async def test_without_faults_it_only_passes_on(client: aiohttp.ClientSession, fault_proxy: FaultProxy) -> None:
    async with client.get(WAREHOUSES, params={"limit": "5"}) as response:
        assert (await response.json())["kind"] == "WarehouseList"
    (sent,) = await fault_proxy.wait_for(1)
    assert (sent.method, sent.path, sent.query, sent.user) == ("GET", WAREHOUSES, {"limit": "5"}, "token-of-admin")
    assert sent.status == 200


async def test_it_answers_what_it_is_told_as_often_as_it_is_told(
    client: aiohttp.ClientSession, fault_proxy: FaultProxy
) -> None:
    fault = fault_proxy.answer(429, times=2, retry_after=1)
    async with client.get(WAREHOUSES) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await response.json())["reason"] == "TooManyRequests"
    assert [await status_of(client), await status_of(client)] == [429, 200]
    assert fault.used == 2


async def test_a_fault_concerns_only_the_requests_it_names(
    client: aiohttp.ClientSession, fault_proxy: FaultProxy
) -> None:
    fault_proxy.answer(503, times=None, method="GET", path="/warehouses")
    assert await status_of(client, "/version") == 200
    assert await status_of(client, WAREHOUSES) == 503
    fault_proxy.clear()
    assert await status_of(client, WAREHOUSES) == 200


@pytest.mark.usefixtures("guestbook")
async def test_an_answer_can_be_lost_after_the_work_was_done(
    client: aiohttp.ClientSession, fault_proxy: FaultProxy, api_server: ApiServer
) -> None:
    fault_proxy.answer(504, forward=True)
    assert await annotate(client, "done") == 504
    found = await api_server.get("Warehouse", "guestbook", "kargo-demo")
    assert found is not None
    assert found["metadata"]["annotations"] == {"note": "done"}


@pytest.mark.parametrize("fault", ["reset", "truncate"])
async def test_a_connection_can_break_before_and_within_an_answer(
    client: aiohttp.ClientSession, fault_proxy: FaultProxy, fault: str
) -> None:
    if fault == "reset":
        fault_proxy.reset(times=None)
    else:
        fault_proxy.truncate(10)
    with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)):
        await status_of(client)
    fault_proxy.clear()
    assert await status_of(client) == 200


async def test_an_answer_can_be_garbage(client: aiohttp.ClientSession, fault_proxy: FaultProxy) -> None:
    fault_proxy.garble()
    async with client.get(WAREHOUSES) as response:
        assert response.status == 200
        with pytest.raises(json.JSONDecodeError):
            await response.json()


@pytest.mark.parametrize("fault", ["hang", "hold", "delay"])
async def test_an_answer_can_stay_away(client: aiohttp.ClientSession, fault_proxy: FaultProxy, fault: str) -> None:
    match fault:
        case "hang":
            fault_proxy.hang()
        case "hold":
            fault_proxy.hold()
        case "delay":
            fault_proxy.delay(60.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(status_of(client), 0.1)
    fault_proxy.clear()
    assert await status_of(client) == 200


@pytest.mark.usefixtures("guestbook")
async def test_held_requests_go_on_when_released(client: aiohttp.ClientSession, fault_proxy: FaultProxy) -> None:
    fault_proxy.hold(method="PATCH")
    patches = [asyncio.create_task(annotate(client, str(number))) for number in range(3)]
    sent = await fault_proxy.wait_for(3, "PATCH", "/guestbook")
    assert [each.ended for each in sent] == [None] * 3
    fault_proxy.release()
    assert await asyncio.gather(*patches) == [200] * 3
    assert fault_proxy.most_at_once("PATCH") == 3
    assert all(each.ended and each.ended > each.began for each in sent)


def watch(client: aiohttp.ClientSession, warehouse: Object) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    since = warehouse["metadata"]["resourceVersion"]
    return client.get(WAREHOUSES, params={"watch": "1", "resourceVersion": since})


async def test_watches_pass_events_on_until_they_are_dropped(
    client: aiohttp.ClientSession, fault_proxy: FaultProxy, guestbook: Object
) -> None:
    async with watch(client, guestbook) as events:
        await fault_proxy.wait_for_watches(1)
        await annotate(client, "seen")
        event = json.loads(await events.content.readline())
        assert (event["type"], event["object"]["metadata"]["annotations"]) == ("MODIFIED", {"note": "seen"})
        assert fault_proxy.drop_watches() == 1
        with pytest.raises(aiohttp.ClientPayloadError):
            await events.content.readline()
    assert fault_proxy.watches == []


async def test_a_watch_can_be_told_that_it_is_too_old(
    client: aiohttp.ClientSession, fault_proxy: FaultProxy, guestbook: Object
) -> None:
    fault_proxy.answer(410, watch=True)
    fault_proxy.expire()
    async with watch(client, guestbook) as refused:
        assert refused.status == 410
    async with watch(client, guestbook) as expired:
        event = json.loads(await expired.content.readline())
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert await status_of(client) == 200


async def test_a_server_that_is_away_looks_like_a_broken_connection(
    client: aiohttp.ClientSession, api_server: ApiServer
) -> None:
    await api_server.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await status_of(client)
    await api_server.start()
    assert await status_of(client) == 200
