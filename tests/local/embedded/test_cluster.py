"""Starting, stopping, and the limits of the embedded cluster."""

import asyncio
import json
import re
import signal
import sys
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest

from receivers.local.embedded import DEMO, Denial, EmbeddedCluster, documents, store, watches
from receivers.local.embedded.__main__ import many_warehouses
from receivers.local.embedded.errors import ApiError
from receivers.local.embedded.resources import NAMESPACES, WAREHOUSES, Object
from testbed.waiting import eventually

KARGO = "/apis/kargo.akuity.io/v1alpha1"


def annotate(cluster: EmbeddedCluster, value: str) -> Object:
    def change(old: Object) -> Object:
        return old | {"metadata": old["metadata"] | {"annotations": {"a": value}}}

    return cluster.store.update(WAREHOUSES, "kargo-demo", "guestbook", change)


async def test_it_serves_from_start_to_stop() -> None:
    cluster = EmbeddedCluster(documents(DEMO))
    url = await cluster.start()
    async with aiohttp.ClientSession(url) as client:
        async with client.get("/readyz") as response:
            assert response.status == HTTPStatus.OK
        await cluster.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get("/readyz")


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.example", "192.168.0.1", "0.0.0.0", ""])  # noqa: S104
@pytest.mark.parametrize(
    "path", [f"{KARGO}/warehouses", "/api/v1/namespaces/kargo-demo/secrets", "/readyz", "/nothing"]
)
async def test_a_name_that_a_web_site_had_lead_here_gets_nothing(host: str, path: str) -> None:
    async with EmbeddedCluster(documents(DEMO)) as cluster, aiohttp.ClientSession(cluster.url) as client:
        for method in ("GET", "POST", "PATCH", "DELETE"):
            async with client.request(method, path, headers={"Host": host}) as response:
                assert response.status == HTTPStatus.MISDIRECTED_REQUEST
                assert (await response.json())["reason"] == "Misdirected"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:6443", "[::1]:80", "kargo.localhost"])
async def test_every_name_of_this_machine_is_answered(host: str) -> None:
    async with (
        EmbeddedCluster(documents(DEMO)) as cluster,
        aiohttp.ClientSession(cluster.url) as client,
        client.get(f"{KARGO}/warehouses", headers={"Host": host}) as response,
    ):
        assert response.status == HTTPStatus.OK


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://attacker.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_web_site_can_post_nothing_either(headers: dict[str, str]) -> None:
    """A browser asks nobody before it posts a body without a type."""
    path = f"{KARGO}/namespaces/kargo-demo/warehouses"
    body = {"metadata": {"name": "planted"}}
    async with EmbeddedCluster(documents(DEMO)) as cluster, aiohttp.ClientSession(cluster.url) as client:
        async with client.post(path, data=json.dumps(body).encode(), headers=headers) as response:
            assert response.status == HTTPStatus.FORBIDDEN
        async with client.get(f"{path}/planted") as response:
            assert response.status == HTTPStatus.NOT_FOUND


async def test_a_taken_port_is_an_error() -> None:
    async with EmbeddedCluster() as cluster:
        port = int(cluster.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await EmbeddedCluster().start(port=port)


async def test_stopping_ends_watches() -> None:
    cluster = EmbeddedCluster()
    await cluster.start()
    async with (
        aiohttp.ClientSession(cluster.url) as client,
        client.get(f"{KARGO}/warehouses?watch=1") as watch,
    ):
        await cluster.stop()
        assert await watch.content.read() == b""


async def test_a_watcher_that_goes_away_is_forgotten() -> None:
    async with EmbeddedCluster() as cluster, aiohttp.ClientSession(cluster.url) as client:
        async with client.get(f"{KARGO}/warehouses?watch=1"):
            watched = len(cluster.store._feeds)
        await eventually(lambda: len(cluster.store._feeds) < watched)


def test_what_it_does_not_serve_cannot_be_loaded() -> None:
    with pytest.raises(ValueError, match="has no v1 Pod"):
        EmbeddedCluster([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}])


def test_namespaces_that_objects_need_are_made() -> None:
    cluster = EmbeddedCluster(many_warehouses(21))
    assert [each["metadata"]["name"] for each in cluster.store.every(NAMESPACES)] == ["project-0", "project-1"]


async def test_what_is_denied_is_refused_and_reviewed_so() -> None:
    denied = [Denial("patch", "kargo.akuity.io", "warehouses", "kargo-demo"), Denial("*", "", "secrets")]
    async with (
        EmbeddedCluster(documents(DEMO), denied=denied) as cluster,
        aiohttp.ClientSession(cluster.url) as client,
    ):
        async with client.patch(f"{KARGO}/namespaces/kargo-demo/warehouses/guestbook", json={}) as response:
            assert (response.status, (await response.json())["reason"]) == (403, "Forbidden")
        async with client.get("/api/v1/secrets") as response:
            assert response.status == HTTPStatus.FORBIDDEN
        async with client.get(f"{KARGO}/warehouses") as response:
            assert response.status == HTTPStatus.OK
        answers = [
            await allowed(client, verb="patch", group="kargo.akuity.io", resource="warehouses", namespace=namespace)
            for namespace in ("kargo-demo", "elsewhere")
        ]
        assert answers == [False, True]


async def allowed(client: aiohttp.ClientSession, **attributes: str) -> bool:
    review = {"spec": {"resourceAttributes": attributes}}
    async with client.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review) as response:
        found: bool = (await response.json())["status"]["allowed"]
        return found


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{KARGO}/namespaces/kargo-demo/warehouses/guestbook", 405),
        ("PUT", f"{KARGO}/namespaces/kargo-demo/warehouses", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("GET", f"{KARGO}/warehouses?watch=1&resourceVersion=old", 400),
        ("GET", f"{KARGO}/namespaces/kargo-demo/projects/kargo-demo", 404),
        ("GET", f"{KARGO}/namespaces/kargo-demo/warehouses/guestbook/scale", 404),
        ("GET", f"{KARGO}/warehouses?continue=unknown:0&limit=1", 410),
        ("GET", "/nonsense", 404),
    ],
)
async def test_what_makes_no_sense_is_refused(method: str, path: str, status: int) -> None:
    async with (
        EmbeddedCluster(documents(DEMO)) as cluster,
        aiohttp.ClientSession(cluster.url) as client,
        client.request(method, path, json=None if method == "GET" else {}) as response,
    ):
        assert (response.status, (await response.json())["code"]) == (status, status)


async def test_only_json_is_understood() -> None:
    async with EmbeddedCluster(documents(DEMO)) as cluster, aiohttp.ClientSession(cluster.url) as client:
        headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
        async with client.post("/api/v1/namespaces", data=b"k8s\0", headers=headers) as response:
            assert response.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


async def test_a_quiet_watch_gets_bookmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_EVERY", 0.01)
    path = f"{KARGO}/warehouses?watch=1&allowWatchBookmarks=true&resourceVersion="
    async with EmbeddedCluster(documents(DEMO)) as cluster, aiohttp.ClientSession(cluster.url) as client:
        async with client.get(path + str(cluster.store.revision)) as response:
            event = json.loads(await response.content.readline())
        assert event["type"] == "BOOKMARK"
        assert event["object"]["metadata"] == {"resourceVersion": str(cluster.store.revision)}
        assert event["object"]["kind"] == "Warehouse"


async def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HISTORY", 3)
    cluster = EmbeddedCluster(documents(DEMO))
    revisions = [int(annotate(cluster, str(number))["metadata"]["resourceVersion"]) for number in range(4)]
    assert len(list(cluster.store.changes_since(revisions[0]))) == 3
    with pytest.raises(ApiError, match="too old"):
        cluster.store.changes_since(revisions[0] - 1)


async def test_lists_that_nobody_continues_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SNAPSHOTS", 1)
    kept = EmbeddedCluster().store
    first, second = kept.keep([{}]), kept.keep([{}])
    assert kept.page(second, 1)[1] == [{}]
    with pytest.raises(ApiError, match="too old"):
        kept.page(first, 1)


def test_a_new_run_knows_nothing_of_the_revisions_of_the_last() -> None:
    last = EmbeddedCluster(documents(DEMO)).store.revision
    with pytest.raises(ApiError, match="too old"):
        EmbeddedCluster(documents(DEMO)).store.changes_since(last - 1)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_alone_until_it_is_interrupted(tmp_path: Path, ending: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "receivers.local.embedded", "--count", "5", "--load", str(DEMO)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode()
    url = re.fullmatch(r"ready on (http://127\.0\.0\.1:\d+)\n", ready)
    assert url is not None
    async with aiohttp.ClientSession(url[1]) as client, client.get(f"{KARGO}/warehouses") as response:
        assert len((await response.json())["items"]) == 11
    process.send_signal(ending)
    assert await process.wait() == 0
