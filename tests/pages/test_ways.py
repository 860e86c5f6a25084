"""Ways through the pages: no question is half understood, no link leads nowhere, no sentence claims what is not so."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from receivers import limits
from receivers.deliveries.delivery import new_id
from receivers.journal.journal import State
from receivers.local.azurite import Azurite
from receivers.pages.checks import UNKNOWN_URLS
from receivers.retries.queue import RetryQueue
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.pages import journalling
from tests.service import Service, running_service

HOOK = Hook(provider="azure", name="acr")
SECTIONS = ("/overview", "/deliveries", "/warehouses", "/receivers", "/queue", "/refusals", "/explain", "/docs")


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


@pytest.fixture
async def service(api_server: ApiServer, fault_proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Service]:
    """A service with a journal and a retry queue."""
    await api_server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app", constraint="^1.0.0"))
    await api_server.allow_secrets(PROJECT)
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    async with running_service(kubeconfig, AzureWebJobsStorage=azurite.connection_string) as running:
        yield running


async def shown(service: Service, path: str, *, status: int = 200) -> str:
    """A page's text as HTML has it, without escapes."""
    page = await service.ask("GET", path)
    assert page.status == status
    return unescape(page.body.decode())


@pytest.mark.parametrize("path", [*SECTIONS, f"/warehouses/{PROJECT}/app", "/pages/banner"])
async def test_an_unknown_parameter_is_refused_by_its_name(service: Service, path: str) -> None:
    told = "There is no parameter rang<e. These are known:"
    assert told in await shown(service, f"{path}?rang%3Ce=7d", status=400)
    answer = await service.ask("GET", f"{path}?rang%3Ce=7d&format=json")
    assert answer.status == 400
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/overview?range=7d",
        "/warehouses?project=kargo-demo&only=untold&page=2",
        "/receivers?page=2",
        "/queue?revived=1&discarded=1",
        "/explain?push=quay.io/a:1&media_type=&ref=&files=&project=",
        "/overview?key=none",
    ],
)
async def test_what_forms_and_links_ask_for_is_known(service: Service, path: str) -> None:
    assert (await service.ask("GET", path)).status in {200, 303}


@pytest.mark.parametrize("path", [*SECTIONS, "/deliveries/nothing", "/overview?format=json"])
async def test_head_is_answered_as_get_without_a_body(service: Service, path: str) -> None:
    page, head = await service.ask("GET", path), await service.ask("HEAD", path)
    assert (head.status, head.body) == (page.status, b"")
    assert head.header("content-type") == page.header("content-type")
    assert head.header("content-security-policy") == page.header("content-security-policy")


async def test_beyond_the_newest_and_the_oldest_is_a_sentence(service: Service, azurite: Azurite) -> None:
    rows = [journalling.row("team/app", age=timedelta(minutes=n)) for n in range(2)]
    await journalling.write(azurite, rows)
    for direction, other, row in (("newer", "older", rows[0]), ("older", "newer", rows[1])):
        onward = await service.ask("GET", f"/deliveries/{row.id}/{direction}?project=kargo-demo")
        back = f"/deliveries/{row.id}?project=kargo-demo&end={direction}"
        assert (onward.status, onward.header("location")) == (303, back)
        page = await shown(service, back)
        assert f"No {direction} delivery that the filter lets pass was found." in page
        assert f"/{row.id}/{direction}" not in page
        assert f"/{row.id}/{other}?project=kargo-demo" in page
        answer = await service.ask("GET", f"/deliveries/{row.id}/{direction}?format=json")
        assert answer.status == 404
    made_up = await shown(service, f"/deliveries/{rows[0].id}?end=older")
    assert "was found." not in made_up
    assert "It is one of newer, older." in await shown(service, f"/deliveries/{rows[0].id}?end=up", status=400)


async def test_a_message_whose_delivery_is_not_kept_any_more_is_found(service: Service, azurite: Azurite) -> None:
    old = new_id(datetime.now(UTC) - timedelta(days=40))
    await journalling.give_up(azurite, "team/app", delivery=old)
    assert f'href="/deliveries/{old}"' in await shown(service, "/queue")
    page = await shown(service, f"/deliveries/{old}", status=404)
    assert "Its message was given up, and is kept in the queue: myregistry.azurecr.io/team/app:1.2.3, given up" in page
    assert "Deliveries are kept for 30 days." in page
    answer = await service.ask("GET", f"/deliveries/{old}?format=json")
    assert answer.status == 404
    assert "By its id it arrived" in answer.json()["error"]


async def test_what_is_no_id_says_so(service: Service) -> None:
    assert "This is not the id of a delivery" in await shown(service, "/deliveries/nothing", status=404)
    assert "a time to come" in await shown(service, f"/deliveries/{'f' * 24}", status=404)


async def test_the_overview_counts_every_outcome_under_its_own_name(service: Service, azurite: Azurite) -> None:
    states = [State.NOTHING, State.PING, State.PING, State.IGNORED, State.IGNORED, State.IGNORED]
    await journalling.write(azurite, [journalling.row("team/app", state=state) for state in states])
    figures = (await service.ask("GET", "/overview?format=json")).json()["figures"]
    for state, count in (("nothing", 1), ("ping", 2), ("ignored", 3)):
        assert figures["outcomes"][state] == count
        listed = (await service.ask("GET", f"/deliveries?state={state}&format=json")).json()["deliveries"]
        assert len(listed) == count
    page = await shown(service, "/overview")
    for title, count in (("Nothing to do", 1), ("Ping", 2), ("Ignored", 3)):
        assert f"{title} <strong>{count}</strong>" in page


async def test_a_count_in_the_address_is_not_said_to_have_happened(service: Service) -> None:
    assert "Asked for: another try of 5 deliveries." in await shown(service, "/queue?revived=5")
    assert "There was nothing left to try again." in await shown(service, "/queue?revived=0")
    assert "Asked for: 1 message to be discarded." in await shown(service, "/queue?discarded=1")
    assert "Asked for" not in await shown(service, "/queue?revived=many")


async def test_a_url_that_may_be_a_chart_s_or_git_s_is_listed_once(service: Service) -> None:
    url = "https://git.example.com/team/app"
    page = await shown(service, f"/explain?push={url}")
    result = page.partition("Nothing would be refreshed")[2].partition("</section>")[0]
    assert len(re.findall("<li>", result)) == 1


async def test_commands_in_a_remedy_are_shown_as_code(service: Service) -> None:
    for _ in range(UNKNOWN_URLS):
        await service.post("/azure/" + "0" * 64, {})
    page = await shown(service, "/overview")
    assert "<code>kargo-receivers urls --reveal</code>" in page
    assert "`" not in page


@pytest.mark.parametrize("path", ["/queue", "/overview", "/receivers"])
async def test_a_view_looks_into_the_queue_once(
    service: Service, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await journalling.give_up(azurite, "team/app")
    monkeypatch.setattr(limits, "QUEUE_LOOK_TIMEOUT", 60.0)
    monkeypatch.setattr("receivers.pages.queued.BADGE_PATIENCE", 60.0)
    looked = 0
    peek = RetryQueue.peek

    async def counted(queue: RetryQueue) -> object:
        nonlocal looked
        looked += 1
        return await peek(queue)

    monkeypatch.setattr(RetryQueue, "peek", counted)
    page = await shown(service, path)
    assert '<span class="count bad">1<span class="hidden"> given up' in page
    assert looked == 1
