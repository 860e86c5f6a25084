"""The overview over HTTP: what goes wrong changes it soon, and each time it says what to do."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from receivers import limits
from receivers.journal.journal import Row, State
from receivers.local.azurite import Azurite
from receivers.local.commands import ping, status
from receivers.local.posting import Reply
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.pages import journalling
from tests.service import Service, acr_push, running_service, until

ACR = Hook(provider="azure", name="acr")
GITHUB = Hook(provider="github", name="code")
DAY = timedelta(days=1)


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read or asked a moment ago is read and asked again."""
    monkeypatch.setattr(limits, "HOURS_FRESH", 0.0)
    monkeypatch.setattr(limits, "HOURS_OLD_FRESH", 0.0)
    monkeypatch.setattr(limits, "PROBE_FRESH", 0.0)
    monkeypatch.setattr(limits, "PROBE_INTERVAL", 0.1)


@pytest.fixture
async def service(api_server: ApiServer, fault_proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Service]:
    """A service that is well."""
    hooks = [ACR, GITHUB]
    await api_server.apply(project_config(hooks), *map(secret_of, hooks), warehouse("app", constraint="^1.0.0"))
    await api_server.allow_secrets(PROJECT)
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    async with running_service(kubeconfig, AzureWebJobsStorage=azurite.connection_string) as running:
        await until(lambda: _is(running, "level", "ok"))
        yield running


async def overview(service: Service, query: str = "") -> dict[str, Any]:
    response = await service.ask("GET", f"/overview?format=json{query}")
    assert response.status == 200
    document: dict[str, Any] = response.json()
    return document


async def _is(service: Service, name: str, value: object) -> bool:
    return bool((await overview(service))[name] == value)


async def tells(service: Service, name: str) -> dict[str, Any]:
    """The check of this name, once it is not well; the page for people and the terminal tell it too."""

    def found(document: dict[str, Any]) -> dict[str, Any]:
        check: dict[str, Any] = next(each for each in document["checks"] if each["name"] == name)
        return check

    async def unwell() -> bool:
        return bool(found(await overview(service))["level"] != "ok")

    await until(unwell)
    document = await overview(service)
    check = found(document)
    assert check["remedy"]
    assert document["next"]["remedy"]
    assert not document["well"]
    page = (await service.ask("GET", "/overview")).body.decode()
    assert "All is well" not in page
    assert any(line.endswith(f"{name}: {check['says']}") for line in status.lines(document))
    return check


async def test_all_is_well(service: Service) -> None:
    document = await overview(service)
    assert (document["well"], document["next"], document["clusterAwaySeconds"]) == (True, None, None)
    assert {check["level"] for check in document["checks"]} == {"ok"}
    assert "All is well" in (await service.ask("GET", "/overview")).body.decode()
    assert list(status.lines(document))[-1] == "all is well"


async def test_an_outage_is_told_since_when_and_goes_away_again(service: Service, fault_proxy: FaultProxy) -> None:
    """Nothing is delivered meanwhile, and the watches hear nothing: somebody has to ask."""
    fault_proxy.answer(503, times=None)
    check = await tells(service, "Cluster")
    assert check["level"] == "failing"
    assert check["says"] == "The cluster is away since less than a minute; 0 deliveries queued, nothing lost."
    assert (await overview(service))["next"] == check
    for page in ("/overview", "/receivers", "/deliveries", "/pages/banner"):
        assert check["says"] in (await service.ask("GET", page)).body.decode()
    assert "clusterAwaySeconds" in (await service.ask("GET", "/deliveries?format=json")).json()
    ready = await service.ask("GET", "/readyz")
    assert (ready.status, ready.json()["ready"]) == (200, True)
    assert isinstance(ready.json()["clusterAwaySeconds"], int)
    assert not any(each["watching"] for each in ready.json()["resources"])
    told = ping.summary(Reply(status=200, body=ready.body.decode()))
    assert told == "200 ready; the cluster is away since less than a minute"
    fault_proxy.clear()
    await until(lambda: _is(service, "level", "ok"))
    assert "is away" not in (await service.ask("GET", "/pages/banner")).body.decode()
    assert (await service.ask("GET", "/readyz")).json()["clusterAwaySeconds"] is None


async def test_a_sender_with_an_old_secret_is_told(service: Service) -> None:
    headers = {"x-github-event": "push", "x-hub-signature-256": "sha256=" + "0" * 64}
    assert (await service.post(GITHUB.path, {"ref": "refs/heads/main"}, headers=headers)).status == 401
    check = await tells(service, "Refused senders")
    assert "kargo-demo/code (1 request)" in check["says"]
    assert "secret" in check["remedy"]


async def test_a_sender_with_an_old_url_is_told(service: Service, api_server: ApiServer) -> None:
    assert (await service.post(ACR.path, acr_push())).status == 200
    await api_server.apply(secret_of(Hook(provider="azure", name="acr", secret="another one, as of today")))

    async def revoked() -> bool:
        return (await service.post(ACR.path, acr_push())).status == 404

    await until(revoked)
    check = await tells(service, "Former URLs")
    assert "receiver acr of project kargo-demo (until 2" in check["says"]
    assert check["says"].endswith("UTC; its Secret was rotated).")
    assert "Register the new URL" in check["remedy"]

    async def recorded() -> list[dict[str, Any]]:
        listed = await service.ask("GET", "/deliveries?format=json&state=refused&project=kargo-demo&receiver=acr")
        rows: list[dict[str, Any]] = listed.json()["deliveries"]
        return rows

    await until(recorded)
    (row,) = await recorded()
    assert row["reason"].startswith("this was the URL of receiver acr of project kargo-demo until 2")
    assert row["reason"].endswith("its Secret was rotated: register the new URL with the sender")
    assert ACR.token not in str(row)
    names = [each["name"] for each in (await overview(service))["checks"] if each["level"] != "ok"]
    assert names == ["Former URLs"]


async def test_a_sender_to_an_unknown_url_is_told(service: Service) -> None:
    for _ in range(3):
        assert (await service.post(f"/azure/{'0' * 64}", acr_push())).status == 404
    check = await tells(service, "Unknown URLs")
    assert "the present one" in check["remedy"]


async def test_a_sender_that_has_fallen_silent_is_told(service: Service, azurite: Azurite) -> None:
    await journalling.write(azurite, [_row(timedelta(hours=hours)) for hours in range(30, 24 * 16, 3)])
    check = await tells(service, "Silent senders")
    assert "kargo-demo/acr (since" in check["says"]
    assert "webhook" in check["remedy"]


async def test_an_unreadable_warehouse_is_told(service: Service, api_server: ApiServer) -> None:
    await api_server.apply(warehouse("odd", constraint="not a constraint, but ["))
    check = await tells(service, "Subscriptions")
    assert "kargo-demo/odd" in check["says"]


async def test_what_failed_or_was_given_up_is_told(service: Service, azurite: Azurite) -> None:
    await journalling.write(azurite, [_row(timedelta(0), state=State.FAILED)])
    assert (await tells(service, "Failed deliveries"))["level"] == "failing"
    await journalling.give_up(azurite, "team/app")
    assert "1 delivery was given up" in (await tells(service, "Retry queue"))["says"]


@pytest.mark.parametrize(("range_", "columns"), [("24h", 24), ("7d", 28), ("30d", 30)])
async def test_figures_are_those_of_the_range(service: Service, azurite: Azurite, range_: str, columns: int) -> None:
    ages = [timedelta(minutes=1), 5 * DAY, 25 * DAY]
    await journalling.write(azurite, [_row(age) for age in ages])
    count = {"24h": 1, "7d": 2, "30d": 3}[range_]

    async def counted() -> bool:
        return bool((await overview(service, f"&range={range_}"))["figures"]["total"] == count)

    await until(counted)
    figures = (await overview(service, f"&range={range_}"))["figures"]
    assert len(figures["deliveries"]) == columns
    assert sum(each["refreshed"] for each in figures["deliveries"]) == figures["outcomes"]["refreshed"] == count
    assert figures["seconds"]["answered"]["deliveries"] == count
    assert [(each["receiver"], each["taken"]) for each in figures["busiest"]] == [("acr", count)]
    page = (await service.ask("GET", f"/overview?range={range_}")).body.decode()
    assert page.count('class="stack"') == columns
    assert page.count('class="piece refreshed"') == 1 + sum(1 for each in figures["deliveries"] if each["refreshed"])


async def test_an_unknown_range_is_refused(service: Service) -> None:
    assert (await service.ask("GET", "/overview?range=%3Cb%3E")).status == 400
    assert "24h, 7d, 30d" in (await service.ask("GET", "/overview?range=1y&format=json")).json()["error"]


async def test_without_storage_it_says_why_there_are_no_figures(api_server: ApiServer) -> None:
    async with running_service(api_server.kubeconfig("kargo-receivers")) as service:
        document = await overview(service)
        page = (await service.ask("GET", "/overview")).body.decode()
    assert document["figures"] is None
    assert document["withoutFigures"] == "There are no figures: this service has no journal."
    assert document["withoutFigures"] in page
    assert {"Retry queue", "Journal"} <= {each["name"] for each in document["checks"] if each["level"] == "warning"}


def _row(age: timedelta, *, state: State = State.REFRESHED) -> Row:
    return msgspec.structs.replace(journalling.row("team/app", state=state, age=age), duration=0.02)
