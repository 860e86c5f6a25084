"""The pages of Warehouses and of what a push would do, over HTTP."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from receivers.local.azurite import Azurite
from receivers.pages import warehouses
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, git_warehouse, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.service import Service, acr_push, running_service, until

HOOK = Hook(provider="azure", name="acr")
PROGRAM = (("X-Pages-Key", "none"), ("Content-Type", "application/x-www-form-urlencoded"))
MANY = warehouses.SHOWN + 3


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


@pytest.fixture
async def service(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Service]:
    broken = warehouse("broken")
    broken["spec"]["subscriptions"].append({"image": {"repoURL": "team/app", "allowTagsRegexes": ["("]}})
    refreshed = warehouse("app", constraint="^1.0.0")
    refreshed["metadata"]["annotations"] = {"kargo.akuity.io/refresh": "2026-11-21T08:56:47.404158Z-aaaa"}
    await api_server.apply(
        project_config([HOOK]),
        secret_of(HOOK),
        refreshed,
        broken,
        warehouse("hub", image="team/toolbox"),
        git_warehouse("git", repository="https://github.com/team/app", branch="main", includePaths=["charts"]),
    )
    await api_server.allow_secrets(PROJECT)
    async with running_service(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)) as running:
        service = await running.runtime()
        await until(lambda: known(service))
        yield running


async def known(service: Any) -> bool:  # noqa: ANN401 - a runtime
    return len(service.mirror.index) >= 4 and bool(service.directory.receivers())


async def document(service: Service, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON
    response = await service.ask("GET", f"{path}?{urlencode({**query, 'format': 'json'})}", headers=PROGRAM)
    assert response.status == 200, response.body
    return json.loads(response.body)


async def page(service: Service, path: str, **query: str) -> str:
    response = await service.ask("GET", f"{path}?{urlencode(query)}", headers=PROGRAM)
    assert response.status == 200, response.body
    return response.body.decode()


# Warehouses


async def test_what_lets_whoever_reads_it_in_is_not_told_of_a_repository(
    service: Service, api_server: ApiServer
) -> None:
    secret = warehouse("secret")
    secret["spec"]["subscriptions"] = [
        {"chart": {"repoURL": "https://u:s3cret@charts.example.com/x?token=s3cret", "name": "app"}},
        {"git": {"repoURL": "https://u:s3cret@git.example.com/team/app?token=s3cret"}},
        {"git": {"repoURL": "ssh://u:s3cret@git.example.com/team/app"}},
    ]
    await api_server.apply(secret)

    async def listed() -> bool:
        return "charts.example.com" in await page(service, "/warehouses")

    await until(listed)
    for path in ("/warehouses", f"/warehouses/{PROJECT}/secret"):
        assert "s3cret" not in await page(service, path)
        assert "s3cret" not in json.dumps(await document(service, path))
    close = await document(service, "/explain", push="https://charts.example.com/y:1")
    assert "s3cret" not in json.dumps(close)


@pytest.mark.parametrize("length", [1_000, 60_000])
async def test_a_request_as_long_as_the_page_says_is_explained(service: Service, length: int) -> None:
    body = json.dumps({"action": "ping", "filler": '"' * (length // 2 - 50)})
    form = {"receiver": "", "headers": "", "body": body}
    shown = await page(service, "/explain")
    form["token"] = (re.search(r'name="token" value="([^"]*)"', shown) or ["", ""])[1]
    form["receiver"] = (re.search(r'<option value="([^"]+)"', shown) or ["", ""])[1]
    headers = (*PROGRAM,)
    answer = await service.ask("POST", "/explain", headers=headers, body=urlencode(form).encode())
    assert answer.status == 200, answer.body


async def test_those_that_nobody_tells_of_come_first_with_what_would_change_it(service: Service) -> None:
    told = await document(service, "/warehouses")
    assert [each["name"] for each in told["warehouses"]] == ["broken", "git", "hub", "app"]
    assert (told["count"], told["subscriptions"], told["onlyPolled"], told["unreadable"]) == (4, 4, 2, 1)
    broken, git, hub, app = told["warehouses"]
    assert broken["unreadable"][0]["position"] == 1
    (wanted,) = git["subscriptions"]
    assert wanted["wants"] == "branch main, changes in charts/"
    assert "github:" in wanted["suggested"]
    assert hub["subscriptions"][0] | {"suggested": ""} == {
        "position": 0,
        "kind": "image",
        "repository": "team/toolbox",
        "wants": "any tag",
        "strategy": "NewestBuild",
        "toldBy": [],
        "onlyPolled": True,
        "suggested": "",
    }
    assert app["subscriptions"][0]["toldBy"] == ["azure kargo-demo/acr"]
    assert (app["interval"], app["lastRefresh"][:19], app["handled"]) == ("5 min", "2026-11-21T08:56:47", False)


async def test_the_page_says_it_in_words(service: Service) -> None:
    text = re.sub(r"<[^>]*>", "", await page(service, "/warehouses"))
    for said in ("2 subscriptions are only polled", "Only polled, every 5 min", "told by azure kargo-demo/acr"):
        assert said in text
    alone = await page(service, "/warehouses/kargo-demo/hub")
    assert "stringData" in alone


async def test_they_can_be_filtered(service: Service) -> None:
    untold = await document(service, "/warehouses", only="untold")
    assert [each["name"] for each in untold["warehouses"]] == ["broken", "git", "hub"]
    assert (await document(service, "/warehouses", project="other"))["count"] == 0
    assert "o project of that name is known: other" in await page(service, "/warehouses", project="other")
    assert "No Warehouse matches" in await page(service, "/warehouses", only="untold", page="7")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/warehouses?only=x", 400), ("/warehouses/kargo-demo/gone", 404), ("/warehouses?page=99", 200)],
)
async def test_what_there_is_not_is_told(service: Service, path: str, status: int) -> None:
    assert (await service.ask("GET", path, headers=PROGRAM)).status == status


async def test_a_page_has_some_of_very_many(service: Service, api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    await api_server.apply(*(warehouse(f"more-{number:02}", project="other") for number in range(MANY)))
    running = await service.runtime()

    async def all_known() -> bool:
        return running.mirror.index.count("other") == MANY

    await until(all_known)
    first = await document(service, "/warehouses", project="other")
    assert (first["count"], len(first["warehouses"])) == (MANY, warehouses.SHOWN)
    rest = await document(service, "/warehouses", project="other", page="2")
    assert [each["name"] for each in rest["warehouses"]] == [f"more-{number:02}" for number in range(25, MANY)]


async def test_what_cannot_be_read_now_is_left_out(service: Service, fault_proxy: FaultProxy) -> None:
    fault_proxy.reset(times=None, path="namespaces/kargo-demo/warehouses", watch=False)
    told = (await document(service, "/warehouses/kargo-demo/hub"))["warehouse"]
    assert (told["interval"], told["lastRefresh"]) == (None, None)
    assert told["subscriptions"][0]["onlyPolled"]


# What a push would do


async def test_a_push_is_explained_and_nothing_is_patched(service: Service, fault_proxy: FaultProxy) -> None:
    told = await document(service, "/explain", push="registry.azurecr.io/team/app:1.2.3")
    decisions = {each["name"]: each for each in told["explanation"]["decisions"]}
    assert decisions["app"]["refresh"]
    assert decisions["app"]["toldBy"] == ["azure kargo-demo/acr"]
    html = await page(service, "/explain", push="registry.azurecr.io/team/app:0.1.0")
    assert "does not satisfy ^1.0.0" in html
    assert fault_proxy.sent("PATCH") == []


async def test_a_push_of_git_is_explained_by_ref_and_files(service: Service) -> None:
    push = {"push": "https://github.com/team/app", "ref": "refs/heads/main"}
    for files, refreshes in (("README.md\ncharts/a.yaml", True), ("README.md", False), ("", True)):
        told = await document(service, "/explain", **push, files=files)
        assert told["explanation"]["refreshes"] is refreshes
    assert "No receiver can tell of it" in await page(service, "/explain", **push)


async def test_what_is_no_push_says_what_would_be(service: Service) -> None:
    response = await service.ask("GET", "/explain?push=two+words", headers=PROGRAM)
    assert response.status == 400
    assert b"This is no push" in response.body


async def post(service: Service, **form: str) -> Any:  # noqa: ANN401 - any JSON
    response = await service.ask("POST", "/explain?format=json", headers=PROGRAM, body=urlencode(form).encode())
    return response.status, json.loads(response.body)


async def test_a_sender_s_request_is_explained(service: Service, fault_proxy: FaultProxy) -> None:
    target = {"repository": "team/app", "tag": "1.2.3"}
    body = json.dumps({"action": "push", "target": target, "request": {"host": "registry.azurecr.io"}})
    status, told = await post(
        service, receiver="azure/kargo-demo/acr", headers="Content-Type: application/json\r\n", body=body
    )
    assert status == 200
    assert told["explanation"]["refreshes"]
    assert fault_proxy.sent("PATCH") == []


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"receiver": "azure/kargo-demo/acr", "body": "["}, 200, "It would be refused: 400"),
        ({"receiver": "azure/kargo-demo/gone", "body": "{}"}, 404, "not configured"),
        ({"receiver": "azure/kargo-demo/acr", "headers": "a: b\n" * 101}, 400, "100 headers"),
        ({"receiver": "azure/kargo-demo/acr", "body": "x" * 70_000}, 413, "bytes at most"),
    ],
)
async def test_what_cannot_be_explained_says_why(
    service: Service, form: dict[str, str], status: int, said: str
) -> None:
    answered, told = await post(service, **form)
    assert answered == status
    assert said in told["error"]


async def test_a_form_of_another_site_is_refused(service: Service) -> None:
    headers = (("Content-Type", "application/x-www-form-urlencoded"),)
    response = await service.ask("POST", "/explain", headers=headers, body=b"receiver=x")
    assert response.status == 403


async def test_a_delivery_that_nobody_kept_cannot_be_explained(service: Service) -> None:
    assert (await service.ask("GET", "/explain?delivery=" + "0" * 24, headers=PROGRAM)).status == 404


async def test_a_delivery_is_explained_and_is_its_warehouse_s_last_push(
    api_server: ApiServer, azurite: Azurite
) -> None:
    await api_server.apply(
        project_config([HOOK]),
        secret_of(HOOK),
        warehouse("app", constraint="^1.0.0"),
        warehouse("next", constraint="^2.0.0"),
    )
    await api_server.allow_secrets(PROJECT)
    kubeconfig = api_server.kubeconfig("kargo-receivers")
    async with running_service(kubeconfig, AzureWebJobsStorage=azurite.connection_string) as service:
        answered = await service.post(HOOK.path, acr_push())
        assert answered.status == 200, answered
        delivery = answered.header("x-delivery-id") or ""

        async def listed() -> bool:
            return delivery in json.dumps(await document(service, "/deliveries"))

        await until(listed)
        assert "/explain?delivery=" in await page(service, f"/deliveries/{delivery}")
        told = await document(service, "/explain", delivery=delivery)
        assert [each["name"] for each in told["explanation"]["decisions"] if each["refresh"]] == ["app"]
        assert delivery in await page(service, "/explain", delivery=delivery)
        app, following = (await document(service, "/warehouses"))["warehouses"]
        assert following["lastPush"] is None
        alone = (await document(service, "/warehouses/kargo-demo/app"))["warehouse"]
        assert (app["lastPush"]["id"], alone["lastPush"]["id"]) == (delivery, delivery)
        assert app["lastRefresh"]


async def test_a_project_that_nobody_knows_is_told(service: Service) -> None:
    note = "no project of that name is known: kargo-dmo; kargo-demo may be meant"
    assert (await document(service, "/warehouses", project="kargo-dmo"))["note"] == note
    assert note[1:] in await page(service, "/warehouses", project="kargo-dmo")
    assert (await document(service, "/warehouses", project=PROJECT))["note"] is None
