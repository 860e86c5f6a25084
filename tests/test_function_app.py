"""Every answer that a sender can get, through the worker library that Azure loads, from a cluster that is there."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from receivers import limits, version
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, project_config, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer
from tests.local.host.wire import Response, exchange
from tests.service import Service, acr_push, running_service, until

AZURE = Hook(provider="azure", name="acr")
QUAY = Hook(provider="quay", name="quay")
DOCKERHUB = Hook(provider="dockerhub", name="hub")
STALE = Hook(provider="azure", name="stale")
WITHOUT_SECRET = Hook(provider="azure", name="without-secret")
WITHOUT_KEY = Hook(provider="azure", name="without-key")
HOOKS = (AZURE, QUAY, DOCKERHUB, STALE, WITHOUT_SECRET, WITHOUT_KEY)
UNKNOWN = f"/azure/{'0' * 64}"
BUDGET = "0.5"  # seconds; short, where the cluster hangs
VARYING = ("date", "x-delivery-id")


async def prepare(api_server: ApiServer) -> None:
    """A project with receivers, sound and broken, and two Warehouses that subscribe to one image."""
    await api_server.apply(
        project_config(HOOKS),
        *map(secret_of, (AZURE, QUAY, DOCKERHUB)),
        secret_of(replace(STALE, secret="another than the path was made from")),
        secret_of(WITHOUT_KEY, key="password"),
        warehouse("app", constraint="^1.0.0"),
        warehouse("app-again", constraint=">=1.2.0"),
    )
    await api_server.allow_secrets(PROJECT)


@pytest.fixture
async def service(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Service]:
    """A service that has all the time it needs."""
    await prepare(api_server)
    async with running_service(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)) as running:
        yield running


@pytest.fixture
async def hasty_service(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Service]:
    """A service with a short answer budget."""
    await prepare(api_server)
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    async with running_service(kubeconfig, ANSWER_BUDGET_SECONDS=BUDGET) as running:
        yield running


def same_but_for_id(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    return response.status, [pair for pair in response.headers if pair[0] not in VARYING], response.body


def error(message: str) -> bytes:
    return f'{{"error":"{message}"}}\n'.encode()


def msg(message: str) -> bytes:
    return f'{{"msg":"{message}"}}\n'.encode()


@pytest.mark.parametrize(("tag", "count"), [("1.2.3", 2), ("1.1.0", 1), ("0.9.0", 0), ("latest", 0)])
async def test_a_push_refreshes_the_warehouses_that_accept_its_tag(
    service: Service, fault_proxy: FaultProxy, tag: str, count: int
) -> None:
    response = await service.post(AZURE.path, acr_push(tag=tag))
    assert (response.status, response.body) == (200, msg(f"refreshed {count} warehouse(s)"))
    assert len(fault_proxy.sent("PATCH")) == count


@pytest.mark.parametrize(
    ("hook", "document"),
    [
        (AZURE, acr_push()),
        (replace(AZURE, provider="acr"), acr_push()),
        (QUAY, {"docker_url": "registry.azurecr.io/team/app", "updated_tags": ["1.2.3"]}),
    ],
    ids=["azure", "acr", "quay"],
)
async def test_the_annotation_is_in_the_cluster_when_the_answer_comes(
    service: Service, api_server: ApiServer, hook: Hook, document: object
) -> None:
    assert (await service.post(hook.path, document)).status == 200
    assert await refresh_of(api_server, "app")


async def test_a_push_to_docker_hub_refreshes(service: Service, api_server: ApiServer) -> None:
    await api_server.apply(warehouse("from-hub", image="team/app"))
    document = {"repository": {"repo_name": "team/app"}, "push_data": {"tag": "1.2.3"}}

    async def refreshed() -> bool:
        return (await service.post(DOCKERHUB.path, document)).body == msg("refreshed 1 warehouse(s)")

    await until(refreshed)
    assert await refresh_of(api_server, "from-hub")


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"action": "ping"}, msg("ping event received, webhook is configured correctly")),
        ({"action": "delete", "target": {}}, msg("ignored: action delete is not supported")),
        ({"action": "<b>&\u2028"}, msg("ignored: action \\u003cb\\u003e\\u0026\ufffd is not supported")),
        ({"action": "größer"}, msg("ignored: action größer is not supported")),
        (
            [
                {
                    "id": "1",
                    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
                    "data": {"validationCode": "512d38b6"},
                }
            ],
            b'{"validationResponse":"512d38b6"}\n',
        ),
    ],
    ids=["ping", "another action", "escaped as Go does", "unicode", "Event Grid validation"],
)
async def test_what_needs_no_refresh_is_a_success_and_asks_nothing_of_warehouses(
    service: Service, fault_proxy: FaultProxy, document: object, answer: bytes
) -> None:
    response = await service.post(AZURE.path, document)
    assert (response.status, response.body) == (200, answer)
    assert fault_proxy.sent("PATCH") == []


async def test_a_cloudevents_sender_may_ask_first(service: Service) -> None:
    response = await service.ask(
        "OPTIONS", AZURE.path, headers=[("WebHook-Request-Origin", "eventgrid.azure.net"), ("Content-Length", "0")]
    )
    assert (response.status, response.body) == (200, b"{}\n")
    assert response.header("webhook-allowed-origin") == "eventgrid.azure.net"
    assert response.header("webhook-allowed-rate") == "*"


@pytest.mark.parametrize("body", [b"not JSON", b"\xff\xfe", b"null", b"[1]"])
async def test_what_the_sender_does_not_send_is_malformed(service: Service, body: bytes) -> None:
    response = await service.post(AZURE.path, body)
    assert response.status == 400
    assert json.loads(response.body)["error"].startswith(("invalid request body", "request does not appear"))


@pytest.mark.parametrize(
    ("headers", "content"),
    [("Content-Length: 0\r\n", ""), ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n")],
    ids=["empty", "chunked"],
)
async def test_a_body_that_azure_does_not_hand_over_is_malformed_and_the_answer_says_why(
    service: Service, headers: str, content: str
) -> None:
    head = f"POST {AZURE.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
    response = await exchange(service.url, f"{head}{content}".encode())
    assert response.status == 400
    assert "must declare a Content-Length" in json.loads(response.body)["error"]


@pytest.mark.parametrize(
    "path",
    [
        UNKNOWN,
        AZURE.path.replace("azure", "quay"),
        QUAY.path.replace("quay", "azure"),
        AZURE.path.replace("azure", "AZURE"),
        f"/azure/{AZURE.token.upper()}",
        f"{AZURE.path}/",
        f"{AZURE.path}/x",
        f"{AZURE.path}%2Fx",
        f"{AZURE.path}%00",
        f"/azure/x/{AZURE.token}",
        f"/azure//{AZURE.token}",
        f"/azure/{AZURE.token[:-1]}",
        f"/azure/{AZURE.token}0",
        "/azure/",
        "/azure",
        "/azure/%F0%9F%92%A9",
        STALE.path,
        WITHOUT_SECRET.path,
        WITHOUT_KEY.path,
    ],
)
async def test_every_unknown_url_gets_the_same_answer_whatever_is_sent(service: Service, path: str) -> None:
    for body in (json.dumps(acr_push()).encode(), b"not JSON", b"", b" " * (limits.BODY + 1)):
        response = await service.post(path, body)
        assert (response.status, response.body) == (404, b"{}\n")
        assert same_but_for_id(response) == same_but_for_id(await service.post(UNKNOWN, acr_push()))


async def test_a_percent_encoded_url_is_the_same_url(service: Service) -> None:
    encoded = "".join(f"%{ord(character):02X}" for character in AZURE.token)
    assert (await service.post(f"/%61zure/{encoded}", {"action": "ping"})).status == 200


@pytest.mark.parametrize("query", ["?code=x", "?a=b&a=c", "?%ff=%ff", "?"])
async def test_a_query_plays_no_part(service: Service, query: str) -> None:
    assert (await service.post(AZURE.path + query, {"action": "ping"})).status == 200


@pytest.mark.parametrize("host", ["[", "[::1", "", "a b", "user:secret@x:99999"])
async def test_an_odd_host_header_plays_no_part(service: Service, host: str) -> None:
    body = b'{"action":"ping"}'
    head = f"POST {AZURE.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    assert (await exchange(service.url, head.encode() + body)).status == 200


async def test_the_largest_body_is_taken(service: Service) -> None:
    body = json.dumps(acr_push()).encode()
    assert (await service.post(AZURE.path, body.ljust(limits.BODY))).body == msg("refreshed 2 warehouse(s)")


async def test_a_larger_body_is_refused_before_it_is_parsed(service: Service) -> None:
    response = await service.post(AZURE.path, b"[" * (limits.BODY + 1))
    assert (response.status, response.body) == (413, error("content exceeds limit of 2097152 bytes"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_a_wrong_method_is_an_unknown_url(service: Service, method: str) -> None:
    response = await service.ask(method, AZURE.path)
    assert (response.status, response.body) == (404, b"")


@pytest.mark.parametrize("path", [AZURE.path, UNKNOWN])
@pytest.mark.parametrize("body", [b'{"action":"ping"}', b"", b" " * (limits.BODY + 1)])
async def test_every_answer_is_json_and_has_an_id(service: Service, path: str, body: bytes) -> None:
    first, second = [await service.post(path, body) for _ in range(2)]
    assert first.header("content-type") == "application/json"
    assert first.body.endswith(b"}\n")
    assert first.header("x-delivery-id")
    assert first.header("x-delivery-id") != second.header("x-delivery-id")


# A cluster that is slow, failing or away


async def test_a_cluster_that_hangs_is_not_waited_for_and_the_patches_go_on(
    hasty_service: Service, fault_proxy: FaultProxy, api_server: ApiServer
) -> None:
    await hasty_service.post(AZURE.path, {"action": "ping"})
    fault_proxy.hold(method="PATCH")
    response = await hasty_service.post(AZURE.path, acr_push())
    assert (response.status, response.body) == (503, error("failed to refresh 2 of 2 warehouses"))
    assert [patch.ended for patch in await fault_proxy.wait_for(2, "PATCH")] == [None, None]
    assert not await refresh_of(api_server, "app")
    fault_proxy.release()
    await until(lambda: refresh_of(api_server, "app"))
    await until(lambda: refresh_of(api_server, "app-again"))


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503, 504])
async def test_patches_that_keep_failing_within_the_budget_are_to_be_tried_again(
    hasty_service: Service, fault_proxy: FaultProxy, status: int
) -> None:
    fault_proxy.answer(status, times=None, method="PATCH", path="warehouses/app-again")
    response = await hasty_service.post(AZURE.path, acr_push())
    assert (response.status, response.body) == (503, error("failed to refresh 1 of 2 warehouses"))
    assert int(response.header("retry-after") or 0) > 0
    fault_proxy.clear()  # else closing would wait for it


async def test_patches_that_fail_for_a_moment_are_tried_again_within_the_budget(
    service: Service, fault_proxy: FaultProxy
) -> None:
    fault_proxy.answer(503, times=2, method="PATCH")
    response = await service.post(AZURE.path, acr_push())
    assert (response.status, response.body) == (200, msg("refreshed 2 warehouse(s)"))


@pytest.mark.parametrize("unanswered", ["projectconfigs", "secrets", "warehouses"])
async def test_a_cluster_of_which_nothing_is_known_is_said_to_be_away(
    api_server: ApiServer, fault_proxy: FaultProxy, unanswered: str
) -> None:
    await prepare(api_server)
    fault_proxy.hold(path=unanswered)
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    async with running_service(kubeconfig, ANSWER_BUDGET_SECONDS=BUDGET) as service:
        response = await service.post(AZURE.path, acr_push())
        assert response.status == 503
        assert response.header("retry-after") == str(limits.RETRY_AFTER)
        assert response.header("x-delivery-id")
        assert json.loads(response.body)["error"]
        fault_proxy.release()

        async def resumed() -> bool:
            return (await service.post(AZURE.path, acr_push())).status == 200

        await until(resumed)


async def test_an_unknown_url_is_not_told_from_a_known_one_while_the_cluster_is_away(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await prepare(api_server)
    fault_proxy.hang()
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    async with running_service(kubeconfig, ANSWER_BUDGET_SECONDS=BUDGET) as service:
        known, unknown = [await service.post(path, acr_push()) for path in (AZURE.path, UNKNOWN)]
        assert known.status == 503
        assert same_but_for_id(known) == same_but_for_id(unknown)


# Settings that are missing or wrong


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"CLUSTER_AUTHENTICATION": "guessing"},
        {"KUBECONFIG": "/no/such/file"},
        {"CLUSTER_SERVER": "https://127.0.0.1:1", "CLUSTER_TOKEN": "t", "CLUSTER_CA": "no certificate"},
    ],
    ids=["nothing", "wrong setting", "no kubeconfig", "wrong certificate"],
)
async def test_a_service_that_is_not_configured_says_so_to_its_operator_alone(settings: dict[str, str]) -> None:
    async with running_service(None, **settings) as service:
        response = await service.post(AZURE.path, acr_push())
        assert response.status == 503
        assert response.header("retry-after") == str(limits.RETRY_AFTER)
        assert response.header("x-delivery-id")
        assert response.header("content-type") == "application/json"
        readiness = await service.ask("GET", "/readyz")
        assert readiness.status == 503
        assert readiness.json()["missing"] == ["configuration"]
        assert readiness.json()["error"]
        assert readiness.json()["version"] == version.VERSION
        assert (await service.ask("GET", "/healthz")).status == 200


async def test_a_kubeconfig_that_cannot_be_used_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "authority").write_text("no certificate")
    kubeconfig = write_kubeconfig(
        tmp_path,
        {"server": "https://127.0.0.1:1", "certificate-authority": str(tmp_path / "authority")},
        {"token": "any"},
    )
    async with running_service(kubeconfig) as service:
        assert (await service.ask("GET", "/readyz")).json()["missing"] == ["configuration"]
        assert (await service.post(AZURE.path, acr_push())).status == 503


async def test_a_credential_that_takes_long_is_not_waited_for(
    api_server: ApiServer, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    """An exec plugin may even ask a person to sign in."""
    await prepare(api_server)
    there = tmp_path / "there"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": api_server.token("kargo-receivers")},
    }
    plugin = f"while [ ! -e {there} ]; do sleep 0.05; done; echo '{json.dumps(credential)}'"
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "sh",
        "args": ["-c", plugin],
    }
    kubeconfig = write_kubeconfig(tmp_path, {"server": fault_proxy.url}, {"exec": command})
    async with running_service(kubeconfig, ANSWER_BUDGET_SECONDS=BUDGET) as service:
        assert (await service.post(AZURE.path, acr_push())).status == 503
        assert (await service.ask("GET", "/readyz")).status == 503
        there.touch()

        async def resumed() -> bool:
            return (await service.post(AZURE.path, acr_push())).status == 200

        await until(resumed)


def write_kubeconfig(folder: Path, cluster: dict[str, str], user: dict[str, object]) -> Path:
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": user}],
    }
    path.write_text(json.dumps(document))  # which is YAML
    return path


# Health


async def test_a_process_that_lives_is_healthy(service: Service) -> None:
    for method in ("GET", "HEAD"):
        response = await service.ask(method, "/healthz")
        assert (response.status, response.body) == (200, b"")


async def test_a_service_that_knows_the_cluster_is_ready(service: Service) -> None:
    async def ready() -> bool:
        return (await service.ask("GET", "/readyz")).status == 200

    await until(ready)
    document = (await service.ask("GET", "/readyz")).json()
    assert (document["ready"], document["missing"], document["version"]) == (True, [], version.VERSION)
    assert {each["resource"]: each["objects"] for each in document["resources"]} == {
        "projectconfigs": 1,
        "clusterconfigs": 0,
        "warehouses": 2,
    }


async def test_a_service_that_has_not_listed_the_cluster_is_not_ready_and_says_what_is_missing(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.hang(path="warehouses")
    async with running_service(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)) as service:

        async def missing() -> bool:
            response = await service.ask("GET", "/readyz")
            assert response.status == 503
            return bool(response.json()["missing"] == ["warehouses"])

        await until(missing)
