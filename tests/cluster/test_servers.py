"""The API servers of the tests do what their description says."""

import asyncio

import aiohttp
import pytest

from testbed.servers import ApiServer, Object, RealServer, path_of


def warehouse(name: str, namespace: str = "kargo-demo") -> Object:
    return {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"interval": "5m0s", "subscriptions": [{"image": {"repoURL": "quay.io/example/app"}}]},
    }


async def test_what_is_applied_can_be_read(api_server: ApiServer) -> None:
    await api_server.apply(warehouse("guestbook") | {"status": {"lastHandledRefresh": "then"}})
    found = await api_server.get("Warehouse", "guestbook", "kargo-demo")
    assert found is not None
    assert found["spec"]["subscriptions"] == [{"image": {"repoURL": "quay.io/example/app"}}]
    assert found["status"] == {"lastHandledRefresh": "then"}


async def test_applying_again_merges(api_server: ApiServer) -> None:
    await api_server.apply(warehouse("guestbook"))
    labelled = warehouse("guestbook")
    labelled["metadata"]["labels"] = {"team": "a"}
    (found,) = await api_server.apply(labelled)
    assert found["metadata"]["labels"] == {"team": "a"}


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_test_begins_with_an_empty_server(api_server: ApiServer, turn: int) -> None:
    assert await api_server.every("Warehouse") == []
    await api_server.apply(warehouse("guestbook"), warehouse("guestbook", "elsewhere"))


async def test_a_stopped_server_refuses_connections_and_comes_back_with_its_objects(api_server: ApiServer) -> None:
    await api_server.apply(warehouse("guestbook"))
    await api_server.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api_server.every("Warehouse")
    await api_server.start()
    assert [each["metadata"]["name"] for each in await api_server.every("Warehouse")] == ["guestbook"]


async def test_a_paused_server_does_not_answer_until_it_is_resumed(api_server: ApiServer) -> None:
    api_server.pause()
    reading = asyncio.ensure_future(api_server.every("Warehouse"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(reading), 0.1)
    api_server.resume()
    assert await reading == []


async def test_writes_wait_while_the_database_is_paused(real_api_server: RealServer) -> None:
    await real_api_server.apply(warehouse("guestbook"))
    real_api_server.pause_etcd()
    writing = asyncio.ensure_future(real_api_server.apply(warehouse("storefront", "default")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(writing), 0.2)
    real_api_server.resume_etcd()
    assert len(await writing) == 1


@pytest.mark.parametrize(
    ("user", "method", "path", "status"),
    [
        ("kargo-receivers", "GET", path_of("Warehouse"), 200),
        ("kargo-receivers", "GET", path_of("ProjectConfig"), 200),
        ("kargo-receivers", "GET", path_of("Secret", None, "kargo-demo"), 403),
        ("kargo-receivers", "GET", path_of("Secret", "missing", "kargo-demo"), 404),
        ("kargo-receivers", "GET", path_of("Secret", "missing", "elsewhere"), 403),
        ("kargo-receivers", "DELETE", path_of("Warehouse", "guestbook", "kargo-demo"), 403),
        ("nobody", "GET", path_of("Warehouse"), 403),
    ],
)
async def test_users_have_the_rights_they_are_described_with(
    real_api_server: RealServer, user: str, method: str, path: str, status: int
) -> None:
    await real_api_server.allow_secrets("kargo-demo")
    assert (await real_api_server.request(method, path, user=user)).status == status
