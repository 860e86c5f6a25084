"""The pages over HTTP, through the worker library that Azure loads: as JSON, for whom, and what is never in them."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from receivers.cluster.api import ClusterError
from receivers.deliveries import explaining
from receivers.journal.journal import State
from receivers.journal.table_journal import TableJournal
from receivers.local.azurite import Azurite
from receivers.runtime import Runtime
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, SECRET, Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.identity_tokens import OPTIONS
from tests.local.host.wire import Response
from tests.pages import journalling
from tests.service import Service, acr_push, running_service, until

HOOK = Hook(provider="azure", name="acr")
KEY = "canary-key-of-the-pages"
TOKEN = re.compile(r"[0-9a-f]{64}")
SECTIONS = ("/overview", "/deliveries", "/warehouses", "/receivers", "/queue", "/refusals", "/explain", "/docs")


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


async def prepare(api_server: ApiServer) -> None:
    await api_server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app", constraint="^1.0.0"))
    await api_server.allow_secrets(PROJECT)


@pytest.fixture
async def service(api_server: ApiServer, fault_proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Service]:
    """A service with a journal and a retry queue."""
    await prepare(api_server)
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    async with running_service(kubeconfig, AzureWebJobsStorage=azurite.connection_string) as running:
        yield running


@pytest.fixture
async def hasty_service(api_server: ApiServer, fault_proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Service]:
    """The same, with a short answer budget."""
    await prepare(api_server)
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    settings = {"AzureWebJobsStorage": azurite.connection_string, "ANSWER_BUDGET_SECONDS": "1.5"}
    async with running_service(kubeconfig, **settings) as running:
        yield running


@pytest.fixture
async def locked_service(api_server: ApiServer, azurite: Azurite) -> AsyncIterator[Service]:
    """The same, with a key, as on Azure."""
    await prepare(api_server)
    kubeconfig = api_server.kubeconfig("kargo-receivers")
    settings = {"AzureWebJobsStorage": azurite.connection_string, "PAGES_KEY": KEY, "WEBSITE_SITE_NAME": "app"}
    async with running_service(kubeconfig, **settings) as running:
        yield running


@pytest.fixture
async def service_without_storage(api_server: ApiServer) -> AsyncIterator[Service]:
    await prepare(api_server)
    async with running_service(api_server.kubeconfig("kargo-receivers")) as running:
        yield running


async def get(service: Service, path: str, **headers: str) -> Response:
    return await service.ask("GET", path, headers=[(name.replace("_", "-"), value) for name, value in headers.items()])


async def post(service: Service, path: str, form: Mapping[str, str], **headers: str) -> Response:
    body = urlencode(form).encode()
    given = {"content_type": "application/x-www-form-urlencoded", **headers}
    return await service.ask(
        "POST", path, headers=[(name.replace("_", "-"), value) for name, value in given.items()], body=body
    )


async def document(service: Service, path: str) -> dict[str, Any]:
    response = await get(service, f"{path}{'&' if '?' in path else '?'}format=json")
    assert response.status == 200
    assert response.header("content-type") == "application/json"
    return response.json()


async def delivered(service: Service, tag: str = "1.2.3") -> str:
    """A push; its id, once it is listed."""
    response = await service.post(HOOK.path, acr_push(tag=tag))
    delivery = response.header("x-delivery-id") or ""

    async def listed() -> bool:
        return delivery in json.dumps(await document(service, "/deliveries"))

    await until(listed)
    return delivery


async def test_deliveries_are_a_document_too(service: Service) -> None:
    delivery = await delivered(service)
    listed = await document(service, "/deliveries?provider=azure&project=kargo-demo&state=refreshed&repository=APP")
    [row] = listed["deliveries"]
    assert (listed["older"], listed["newer"]) == (None, None)
    assert (row["id"], row["state"], row["status"]) == (delivery, "refreshed", 200)
    assert (row["artifact"], row["summary"]) == ("registry.azurecr.io/team/app:1.2.3", "Warehouse app")
    shown = (await document(service, f"/deliveries/{delivery}"))["delivery"]
    assert row.items() <= shown.items()
    assert shown["events"][0]["qualifiers"] == ["1.2.3"]


async def test_receivers_and_queue_are_documents_too(service: Service) -> None:
    delivery = await delivered(service)
    [receiver] = (await document(service, "/receivers"))["receivers"]
    assert (receiver["provider"], receiver["project"], receiver["name"]) == ("azure", PROJECT, "acr")
    assert receiver["lastDelivery"]["id"] == delivery
    assert receiver["url"].endswith("…")
    queues = await document(service, "/queue")
    assert (queues["waiting"], queues["deliveries"], queues["poisoned"], queues["poison"]) == (0, [], 0, [])


async def test_a_sender_in_generic_s_place_is_shown_and_tried_as_itself(
    service: Service, api_server: ApiServer
) -> None:
    hook = Hook(provider="generic", name="images", project="zots")
    config = project_config([hook], project="zots")
    parameters = {"kargo-receivers/sender": "zot", "registry": "zot.example.com", "authentication": "header"}
    criteria = [{"kind": "Warehouse", "name": "none"}]
    action = {"action": "Refresh", "parameters": parameters, "targetSelectionCriteria": criteria}
    config["spec"]["webhookReceivers"][0]["generic"]["actions"] = [action]
    subscribing = warehouse("app", project="zots", image="zot.example.com/team/app")
    await api_server.apply(config, secret_of(hook, namespace="zots"), subscribing)
    await api_server.allow_secrets("zots")

    async def listed() -> bool:
        return bool((await document(service, "/receivers"))["count"] == 2)

    await until(listed)
    (shown,) = [each for each in (await document(service, "/receivers"))["receivers"] if each["name"] == "images"]
    assert shown["provider"] == "zot"
    assert "zot&#39;s configuration" in (await get(service, "/receivers")).body.decode()
    for provider in ("zot", "generic"):
        wanted = {"provider": provider, "project": "zots", "name": "images"}
        revealed = await post(service, "/receivers/url?format=json", wanted, x_pages_key="")
        assert hook.path in revealed.body.decode()
        tried = await post(service, "/receivers/test?format=json", wanted, x_pages_key="")
        assert tried.json()["status"] == 200
        assert tried.json()["answer"] == {"msg": "refreshed 1 warehouse(s)"}


async def test_the_steps_of_a_registration_have_the_real_url_once_it_is_shown(service: Service) -> None:
    await delivered(service)
    wanted = {"provider": "azure", "project": PROJECT, "name": "acr"}
    [masked] = (await document(service, "/receivers"))["receivers"]
    assert '--uri "$URL"' in masked["registration"]["command"]
    [shown] = (await post(service, "/receivers/url?format=json", wanted, x_pages_key="")).json()["receivers"]
    assert f'--uri "{shown["url"]}"' in shown["registration"]["command"]
    assert HOOK.path in shown["url"]
    assert b'href="/docs/acr"' in (await get(service, "/receivers")).body


def links(page: Response) -> dict[str, str]:
    """Where the links of a page lead, by their text."""
    found = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>([^<]+)<', page.body.decode())
    return {unescape(text).strip(" \n←→"): unescape(location) for location, text in found}


async def test_older_and_newer_rows_are_a_link_away(service: Service, azurite: Azurite) -> None:
    rows = [journalling.row("team/app", tag=f"0.0.{n}", age=timedelta(minutes=n)) for n in range(120)]
    await journalling.write(azurite, rows)

    async def shown(path: str) -> tuple[list[str], dict[str, str]]:
        page = await get(service, path)
        assert page.status == 200
        listed = [each["id"] for each in (await document(service, path))["deliveries"]]
        assert re.findall(r'id="d-([0-9a-f]{24})"', page.body.decode()) == listed
        return listed, links(page)

    first, lead = await shown("/deliveries?repository=team/app")
    assert "Newer" not in lead
    second, lead = await shown(lead["Older"])
    third, lead = await shown(lead["Older"])
    assert first + second + third == [row.id for row in rows]
    assert "Older" not in lead
    again, lead = await shown(lead["Newer"])
    assert again == second
    assert (await shown(lead["Newer"]))[0] == (await shown(lead["Newest"]))[0] == first


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("2", 2), ("0", 50), ("", 50), ("501", 120)])
async def test_a_program_says_how_many_it_wants(service: Service, azurite: Azurite, limit: str, count: int) -> None:
    rows = [journalling.row("team/app", age=timedelta(minutes=n)) for n in range(120)]
    ids = [row.id for row in rows]
    await journalling.write(azurite, rows)
    listed = await document(service, f"/deliveries?limit={limit}")
    assert [each["id"] for each in listed["deliveries"]] == ids[:count]
    assert listed["older"] == (ids[count - 1] if count < len(ids) else None)
    before = await document(service, f"/deliveries?limit={limit}&before={ids[0]}")
    assert [each["id"] for each in before["deliveries"]] == ids[1 : count + 1]
    assert before["newer"] == ids[1]
    after = await document(service, f"/deliveries?limit={limit}&after={ids[3]}")
    assert [each["id"] for each in after["deliveries"]] == (ids[3 - count : 3] if count <= 3 else ids[:count])


async def test_a_delivery_tells_decision_request_and_attempts(service: Service) -> None:
    path = f"/deliveries/{await delivered(service)}"
    tells = {"decision": "<table", "request": "sha256:", "attempts": "No later attempts were needed"}

    async def told(query: str) -> set[str]:
        page = (await get(service, path + query)).body.decode()
        return {tab for tab, text in tells.items() if text in page}

    lead = links(await get(service, path))
    for tab in tells:
        assert lead[tab.capitalize()] == f"{path}?tab={tab}"
        assert await told(f"?tab={tab}") == {tab}
    assert await told("") == await told("?tab=") == {"decision"}
    refused = await get(service, f"{path}?tab=another")
    assert refused.status == 400
    assert "tab cannot be another. It is one of attempts, decision, request." in refused.body.decode()


async def test_what_was_given_up_is_tried_again(service: Service, azurite: Azurite) -> None:
    one, other = [await journalling.give_up(azurite, repository) for repository in ("team/one", "team/other")]
    listed = await document(service, "/queue")
    assert [each["poisoned"]["message"]["delivery"] for each in listed["poison"]] == [one, other]
    page = await get(service, "/queue")
    cookie = (page.header("set-cookie") or "").partition(";")[0]
    token = re.search(r'name="token" value="([^"]+)"', page.body.decode())
    assert token
    form = {"token": token[1], "id": listed["poison"][1]["id"]}
    done = await post(service, "/queue/revive", form, cookie=cookie)
    assert (done.status, done.header("location")) == (303, "/queue?revived=1")
    assert b"Asked for: another try of 1 delivery." in (await get(service, "/queue?revived=1")).body
    left = await document(service, "/queue")
    assert [each["poisoned"]["message"]["delivery"] for each in left["poison"]] == [one]
    rest = await post(service, "/queue/revive?format=json", {}, x_pages_key="none")
    assert rest.json() == {"revived": 1}
    assert (await document(service, "/queue"))["poisoned"] == 0


async def test_what_was_given_up_is_discarded_after_one_more_question(service: Service, azurite: Azurite) -> None:
    row = journalling.row("team/app", state=State.FAILED)
    await journalling.write(azurite, [row])
    await journalling.give_up(azurite, "team/app", delivery=row.id)
    [message] = (await document(service, "/queue"))["poison"]
    assert message["what"] == "myregistry.azurecr.io/team/app:1.2.3"
    question = await get(service, f"/queue/discard?{urlencode({'id': message['id']})}")
    assert b"Discard this message?" in question.body
    assert (await document(service, "/queue"))["poisoned"] == 1
    done = await post(service, "/queue/discard?format=json", {"id": message["id"]}, x_pages_key="none")
    assert done.json() == {"discarded": 1}
    assert (await document(service, "/queue"))["poisoned"] == 0

    async def told() -> bool:
        shown = (await document(service, f"/deliveries/{row.id}"))["delivery"]
        return bool(shown["reason"] == "discarded by hand: the cluster did not answer in time")

    await until(told)
    again = await post(service, "/queue/discard?format=json", {"id": message["id"]}, x_pages_key="none")
    assert again.status == 404
    assert (await post(service, "/queue/discard?format=json", {}, x_pages_key="none")).status == 400


async def test_the_navigation_tells_how_many_were_given_up(service: Service, azurite: Azurite) -> None:
    await journalling.give_up(azurite, "team/app")

    async def told() -> bool:
        return b'<span class="count bad">1<span class="hidden"> given up' in (await get(service, "/receivers")).body

    await until(told)


async def test_a_message_that_nobody_can_read_is_shown_saved_and_discarded(service: Service, azurite: Azurite) -> None:
    content = b"\xff<script>"
    await journalling.give_up_unreadable(azurite, content)
    [message] = (await document(service, "/queue"))["poison"]
    assert (message["readable"], message["size"], message["poisoned"]["message"]) == (False, len(content), None)
    page = await get(service, "/queue")
    assert b"A message that cannot be read" in page.body
    saved = await get(service, f"/queue/message?{urlencode({'id': message['id']})}")
    assert (saved.status, saved.body) == (200, content)
    assert saved.header("content-type") == "application/octet-stream"
    assert (saved.header("content-disposition") or "").startswith("attachment")
    done = await post(service, "/queue/discard?format=json", {"id": message["id"]}, x_pages_key="none")
    assert done.json() == {"discarded": 1}
    assert (await get(service, "/queue/message?id=another")).status == 404


async def test_a_program_redelivers(service: Service) -> None:
    delivery = await delivered(service)
    again = (await post(service, f"/deliveries/{delivery}/redeliver?format=json", {}, x_pages_key="none")).json()
    [made] = again["redelivered"]
    assert made["status"] == 200
    shown = (await document(service, f"/deliveries/{made['id']}"))["delivery"]
    assert shown["redeliveryOf"] == delivery


async def test_what_pushed_nothing_cannot_be_redelivered(service: Service) -> None:
    response = await service.post(HOOK.path, {"action": "ping"})
    path = f"/deliveries/{response.header('x-delivery-id')}/redeliver?format=json"
    refused = await post(service, path, {}, x_pages_key="none")
    assert refused.status == 409
    assert "nothing to deliver again" in refused.json()["error"]


async def test_a_delivery_that_cannot_be_refreshed_now_is_seen_waiting(
    hasty_service: Service, fault_proxy: FaultProxy
) -> None:
    service = hasty_service
    await delivered(service)
    fault_proxy.hang(times=None, method="PATCH")
    response = await service.post(HOOK.path, acr_push(tag="1.9.0"))
    assert response.status == 202
    row = (await document(service, f"/deliveries/{response.header('x-delivery-id')}"))["delivery"]
    assert row["state"] == "queued"
    assert row["summary"] == "waits to refresh Warehouse app"
    assert (await document(service, "/queue"))["waiting"] == 1

    async def known() -> bool:
        return bool((await document(service, "/queue"))["waitingExact"])

    await until(known)
    queues = await document(service, "/queue")
    assert queues["waiting"] == 1
    [waits] = queues["deliveries"]
    assert (waits["id"], waits["what"], waits["tries"]) == (row["id"], "registry.azurecr.io/team/app:1.9.0", 0)
    assert waits["since"] == queues["oldest"]
    assert waits["nextTry"] > waits["since"]
    page = (await get(service, "/queue")).body.decode()
    assert re.search(rf'id="w-{row["id"]}".*in about [1-5]|soon', page, re.DOTALL)


@pytest.mark.parametrize(
    "path",
    [
        "/deliveries/nothing",
        "/deliveries/" + "0" * 24,
        "/deliveries/" + "f" * 24,
        "/deliveries/" + "0" * 24 + "/more",
        "/queue/more",
        "/pages",
        "/pages/../site.py",
        "/pages/%2e%2e/site.py",
    ],
)
async def test_what_is_not_there_is_404(service: Service, path: str) -> None:
    page = await get(service, path)
    assert page.status == 404
    assert (page.header("content-type") or "").startswith("text/html")


@pytest.mark.parametrize(
    "query",
    [
        "after=" + "f" * 24,
        "after=" + "0" * 24,
        "before=" + "f" * 24,
        "limit=0",
        "limit=999999",
        "repository=%27%20or%20true",
        "project=%27%22%3Cb%3E",
        "redelivered=-1",
        "redelivered=%D9%A1",
    ],
)
async def test_an_odd_query_is_no_fault(service: Service, query: str) -> None:
    assert (await get(service, f"/deliveries?{query}")).status == 200


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("stat=failed", "There is no parameter stat."),
        ("state=unheard-of", "state cannot be unheard-of. It is one of failed,"),
        ("provider=%3Cb%3E", "provider cannot be <b>. It is one of acr,"),
        ("finding=lost", "finding cannot be lost. It is one of found, missing, sought."),
        ("before=nothing", "before is the id of a delivery"),
        ("limit=x", "limit is a number, 500 at most."),
        ("since=yesterday", "since is a number with s, m, h or d behind it"),
    ],
)
async def test_what_is_not_known_is_refused_with_what_would_be(service: Service, query: str, told: str) -> None:
    page, answer = await get(service, f"/deliveries?{query}"), await get(service, f"/deliveries?{query}&format=json")
    assert (page.status, answer.status) == (400, 400)
    assert told in unescape(page.body.decode())
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    "search",
    ["TEAM/one", "one:1.0", "SHA256:1f", "kargo-demo/guest", "id"],
    ids=["repository", "tag", "digest", "warehouse", "id"],
)
async def test_one_box_searches_whatever_people_have_at_hand(service: Service, azurite: Azurite, search: str) -> None:
    one, other = journalling.row("team/one", tag="1.0.0"), journalling.row("team/two", tag="2.0.0")
    one.digest, other.warehouses = "sha256:1f2e3d", []
    await journalling.write(azurite, [one, other])
    wanted = one.id[:16] if search == "id" else search
    found = await document(service, f"/deliveries?{urlencode({'search': wanted})}")
    assert one.id in [each["id"] for each in found["deliveries"]]
    assert search == "id" or len(found["deliveries"]) == 1


async def test_deliveries_of_a_range_of_time_are_listed_page_by_page(service: Service, azurite: Azurite) -> None:
    now = datetime.now(UTC)
    rows = [journalling.row("team/app", age=timedelta(hours=n)) for n in range(6)]
    await journalling.write(azurite, rows)
    ids = [row.id for row in rows]
    since, until = (f"{now - timedelta(hours=age, minutes=30):%Y-%m-%dT%H:%M}" for age in (4, 1))
    for query in (
        {"since": since, "until": until},
        {"since": "270m", "until": "90m"},
        {"since": f"{since}Z", "until": "90m"},
    ):
        first = await document(service, f"/deliveries?{urlencode({**query, 'limit': 2})}")
        assert [each["id"] for each in first["deliveries"]] == ids[2:4]
        rest = await document(service, f"/deliveries?{urlencode({**query, 'limit': 2, 'before': first['older']})}")
        assert [each["id"] for each in rest["deliveries"]] == ids[4:5]
        again = await document(service, f"/deliveries?{urlencode({**query, 'limit': 2, 'after': rest['newer']})}")
        assert [each["id"] for each in again["deliveries"]] == ids[2:4]


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("time", ["yesterday", "12", "2026-13-01", "0001-01-01T00:00+23:59", "\ud800"])
async def test_what_is_no_time_is_refused(service: Service, name: str, time: str) -> None:
    answer = await get(service, f"/deliveries?{urlencode({name: time}, errors='surrogatepass')}")
    assert answer.status == 400
    assert b"or a time" in answer.body


async def test_acr_and_azure_are_one_provider(service: Service, azurite: Azurite) -> None:
    rows = [journalling.row("team/app", age=timedelta(minutes=n)) for n in range(3)]
    rows[0].provider, rows[2].provider = "acr", "quay"
    await journalling.write(azurite, rows)
    for provider in ("acr", "azure"):
        found = await document(service, f"/deliveries?provider={provider}")
        assert [each["id"] for each in found["deliveries"]] == [rows[0].id, rows[1].id]
    assert b'class="provider">acr<' not in (await get(service, "/deliveries")).body


async def test_the_beginning_of_an_id_leads_to_its_delivery(service: Service, azurite: Azurite) -> None:
    rows = [journalling.row("team/app", age=timedelta(days=n)) for n in range(2)]
    twins = [journalling.row("team/app", age=timedelta(days=9)) for _ in range(2)]
    twins[1].id = twins[0].id[:20] + ("0000" if twins[0].id[20:] != "0000" else "1111")
    await journalling.write(azurite, [*rows, *twins])
    shown = await document(service, f"/deliveries/{rows[0].id[:10]}")
    assert shown["delivery"]["id"] == rows[0].id
    lead = await get(service, f"/deliveries/{rows[0].id[:10]}?project=kargo-demo")
    assert (lead.status, lead.header("location")) == (303, f"/deliveries/{rows[0].id}?project=kargo-demo")
    several = await document(service, f"/deliveries/{twins[0].id[:20]}")
    assert {each["id"] for each in several["deliveries"]} == {each.id for each in twins}
    assert b"2 deliveries begin with" in (await get(service, f"/deliveries/{twins[0].id[:20]}")).body
    assert (await get(service, "/deliveries/00")).status == 404


async def test_what_is_looked_for_is_kept_on_the_way_there_and_back(service: Service, azurite: Azurite) -> None:
    rows = [journalling.row(f"team/{'app' if n % 2 else 'other'}", age=timedelta(minutes=n)) for n in range(6)]
    await journalling.write(azurite, rows)
    query = "?project=kargo-demo&search=team%2Fapp"
    assert f'/deliveries/{rows[1].id}{query}"' in unescape((await get(service, f"/deliveries{query}")).body.decode())
    lead = links(await get(service, f"/deliveries/{rows[3].id}{query}"))
    assert lead["Deliveries"] == f"/deliveries{query}"
    for direction, at in (("Older", 5), ("Newer", 1)):
        onward = await get(service, lead[direction])
        assert onward.header("location") == f"/deliveries/{rows[at].id}{query}"


async def test_how_many_would_be_delivered_again_is_told_first(service: Service, azurite: Azurite) -> None:
    await journalling.write(azurite, [journalling.row("team/app", state=State.FAILED) for _ in range(3)])
    page = await get(service, "/deliveries/redeliver?since=24h")
    assert b"3 deliveries of the last 24 hours" in page.body
    told = await document(service, "/deliveries/redeliver?since=24h")
    assert (told["count"], told["since"], told["previewed"]) == (3, "24h", 3)
    assert (await get(service, "/deliveries/redeliver")).status == 400


async def test_what_would_be_refreshed_now_is_told_before_something_is_delivered_again(
    service: Service, api_server: ApiServer, azurite: Azurite
) -> None:
    """The Warehouse that wanted it is gone, and another one wants it now."""
    failed = journalling.row("team/other", state=State.FAILED)
    failed.project = PROJECT
    await journalling.write(azurite, [failed])
    image = f"{journalling.REGISTRY}/team/other"
    await api_server.apply(warehouse("now", image=image), warehouse("never", image=image, constraint="^7.0.0"))
    runtime = await service.runtime()
    await until(lambda: indexed(runtime, 3))
    target = [{"kind": "Warehouse", "project": PROJECT, "name": "now"}]
    says = f"it would refresh {PROJECT}/now"
    assert await document(service, f"/deliveries/{failed.id}/redeliver") == {
        "id": failed.id,
        "wouldRefresh": target,
        "says": says,
    }
    assert (await document(service, "/deliveries/redeliver?since=24h"))["wouldRefresh"] == target
    for path in (f"/deliveries/{failed.id}", f"/deliveries/{failed.id}/redeliver", "/deliveries/redeliver?since=24h"):
        page = (await get(service, path)).body.decode()
        assert says in page
        assert "guestbook" not in page.partition('class="timeline"')[0]  # that of last time
    [row] = (await document(service, f"/deliveries?search={failed.id}"))["deliveries"]
    assert row["redeliveredAs"] == ""


async def indexed(runtime: Runtime, count: int) -> bool:
    return len(runtime.mirror.index) == count


async def test_what_cannot_be_delivered_again_is_not_previewed(service: Service, azurite: Azurite) -> None:
    ping = journalling.row("team/app", state=State.PING)
    ping.events = []
    await journalling.write(azurite, [ping])
    assert (await get(service, f"/deliveries/{ping.id}/redeliver")).status == 409
    assert (await get(service, f"/deliveries/{'0' * 24}/redeliver")).status == 404


async def test_that_nobody_knows_what_would_be_refreshed_is_told(
    service: Service, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **_options: object) -> None:
        raise ClusterError("did not answer")

    monkeypatch.setattr(explaining, "explain", away)
    row = journalling.row("team/app")
    await journalling.write(azurite, [row])
    told = await document(service, f"/deliveries/{row.id}/redeliver")
    assert told["wouldRefresh"] is None
    assert told["says"] == "what it would refresh is not known at the moment: did not answer"
    assert told["says"].encode() in (await get(service, f"/deliveries/{row.id}")).body


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("receiver=acrr", "no receiver of that name is known: acrr; acr may be meant"),
        ("receiver=zzz", "no receiver of that name is known: zzz"),
        ("project=kargo-dmo&state=failed", "no project of that name is known: kargo-dmo; kargo-demo may be meant"),
        (f"warehouse={PROJECT}/ap", f"no Warehouse of that name is known: {PROJECT}/ap; {PROJECT}/app may be meant"),
        ("warehouse=kargo-dem/app", f"no Warehouse of that name is known: kargo-dem/app; {PROJECT}/app may be meant"),
        ("warehouse=app", "no Warehouse of that name is known: app; it is written as project/name"),
        ("receiver=%1b%3Cb%3E", "no receiver of that name is known: \ufffd<b>"),
        (f"receiver=acr&project={PROJECT}&warehouse={PROJECT}/app&state=failed", None),
        ("state=failed", None),
        ("receiver=deleted&state=failed", None),
        ("project=deleted&state=failed", None),
        ("warehouse=deleted/deleted&state=failed", None),
    ],
)
async def test_a_list_that_is_empty_for_a_name_that_nobody_knows_says_so(
    service: Service, azurite: Azurite, query: str, note: str | None
) -> None:
    """What was deleted is known from the journal."""
    known = journalling.row("team/app")
    known.project, known.receiver = "deleted", "deleted"
    known.warehouses[0].project = known.warehouses[0].name = "deleted"
    await journalling.write(azurite, [known])
    runtime = await service.runtime()
    await until(lambda: indexed(runtime, 1))
    told = await document(service, f"/deliveries?{query}")
    assert (told["deliveries"], told["note"]) == ([], note)
    page = unescape((await get(service, f"/deliveries?{query}")).body.decode())
    assert (note[1:] in page) if note else "No delivery matches" in page


async def test_what_was_deleted_is_found_by_its_name(service: Service, azurite: Azurite) -> None:
    known = journalling.row("team/app")
    known.receiver = "deleted"
    await journalling.write(azurite, [known])
    told = await document(service, "/deliveries?receiver=deleted")
    assert ([each["id"] for each in told["deliveries"]], told["note"]) == ([known.id], None)


async def test_an_ignored_or_refused_delivery_is_named_by_repository_or_path(service: Service) -> None:
    ignored = await service.post(HOOK.path, {"action": "delete", "target": {"repository": "team/app"}})
    refused = await service.ask("POST", HOOK.path, body=b"{")
    assert (ignored.status, refused.status) == (200, 400)
    names = {ignored.header("x-delivery-id"): "team/app", refused.header("x-delivery-id"): "/azure/…"}

    async def listed() -> bool:
        rows = (await document(service, "/deliveries"))["deliveries"]
        return {row["id"]: row["artifact"] for row in rows} == names

    await until(listed)
    for delivery, name in names.items():
        page = (await get(service, f"/deliveries/{delivery}")).body.decode()
        assert f"<title>{name}" in page
        assert HOOK.path not in page


@pytest.mark.parametrize("since", ["x", "-1h", "999999d"])
async def test_an_odd_duration_is_told(service: Service, since: str) -> None:
    assert (await get(service, f"/deliveries?since={since}")).status in {200, 400}


async def test_what_a_sender_chose_is_text_and_nothing_else(service: Service) -> None:
    evil = '<script>alert(1)</script>"onload="x'
    await delivered(service)
    response = await service.post(HOOK.path, acr_push(repository=f"registry.azurecr.io/{evil}", tag=evil))
    path = f"/deliveries/{response.header('x-delivery-id')}"
    for page in (
        await get(service, path),
        await get(service, f"{path}?tab=request"),
        await get(service, "/deliveries"),
    ):
        assert evil.encode() not in page.body
        assert b"<script>" not in page.body


class Links(HTMLParser):
    """Everything that a page loads or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.found += [values[name] or "" for name in ("href", "src", "action") if name in values]
        self.inline += [name for name in values if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("path", SECTIONS)
async def test_a_page_loads_nothing_from_elsewhere_and_is_kept_nowhere(service: Service, path: str) -> None:
    page = await get(service, path)
    links = Links()
    links.feed(page.body.decode())
    assert [link for link in links.found if not link.startswith(("/", "#"))] == []
    assert links.inline == []
    assert page.header("cache-control") == "no-store"
    assert page.header("x-content-type-options") == "nosniff"
    policy = page.header("content-security-policy") or ""
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for link in links.found:
        if link.startswith("/pages/"):
            file = await get(service, link)
            assert file.status == 200
            assert "immutable" in (file.header("cache-control") or "")


async def test_a_form_without_its_token_does_nothing(service: Service, fault_proxy: FaultProxy) -> None:
    delivery = await delivered(service)
    before = len(fault_proxy.sent("PATCH"))
    first = await get(service, "/deliveries")
    cookie = (first.header("set-cookie") or "").partition(";")[0]
    for form in ({}, {"token": "x"}):
        assert (await post(service, f"/deliveries/{delivery}/redeliver", form, cookie=cookie)).status == 403
    assert len(fault_proxy.sent("PATCH")) == before


async def test_a_form_of_our_own_is_done(service: Service) -> None:
    delivery = await delivered(service)
    first = await get(service, f"/deliveries/{delivery}")
    cookie = (first.header("set-cookie") or "").partition(";")[0]
    token = re.search(rb'name="token" value="([^"]+)"', first.body)
    assert token
    done = await post(service, f"/deliveries/{delivery}/redeliver", {"token": token[1].decode()}, cookie=cookie)
    assert done.status == 303
    assert re.fullmatch("/deliveries/[0-9a-f]{24}", done.header("location") or "")


async def test_without_storage_the_pages_say_how_to_get_a_journal(service_without_storage: Service) -> None:
    for path in ("/deliveries", "/queue"):
        page = await get(service_without_storage, path)
        assert page.status == 404
        assert b"AzureWebJobsStorage" in page.body
        assert "AzureWebJobsStorage" in (await get(service_without_storage, f"{path}?format=json")).json()["error"]
    assert (await get(service_without_storage, "/receivers")).status == 200


async def test_while_storage_is_away_the_pages_say_so(service: Service, azurite: Azurite) -> None:
    await delivered(service)
    await azurite.kill()
    for path in ("/deliveries", "/receivers", "/queue"):
        page = await get(service, path)
        assert page.status == 503
        assert b"The Storage account is away" in page.body
        assert azurite.connection_string.encode() not in page.body
    await azurite.start()


async def test_requests_to_unknown_urls_are_counted_and_not_listed(service: Service) -> None:
    assert b"No request was refused" in (await get(service, "/refusals")).body
    for _ in range(20):
        assert (await service.post("/azure/" + "0" * 64, acr_push())).status == 404
    assert (await service.post(HOOK.path, b"{")).status == 400
    await delivered(service)
    listed = await document(service, "/deliveries")
    assert sorted(row["status"] for row in listed["deliveries"]) == [200, 400]
    assert listed["refused"] == {"lastHour": 20, "lastDay": 20, "ofThisInstance": False}
    counted = await document(service, "/refusals")
    assert [(each["reason"], each["lastDay"]) for each in counted["reasons"]] == [("unknownUrl", 20)]
    assert sum(minute["unknownUrl"] for minute in counted["minutes"]) == 20
    assert b"20 requests in the last 24 hours" in (await get(service, "/deliveries")).body
    page = (await get(service, "/refusals")).body
    assert b"to unknown URLs" in page
    assert b"of this instance" not in page


async def test_the_id_of_a_request_that_was_only_counted_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receivers.pages.deliveries.WRITTEN", timedelta(0))
    answer = await service.post("/azure/" + "0" * 64, acr_push())
    page = await get(service, f"/deliveries/{answer.header('x-delivery-id')}")
    assert page.status == 404
    assert b"counted, not recorded" in page.body


async def test_without_storage_the_counts_are_those_of_this_instance(service_without_storage: Service) -> None:
    assert (await service_without_storage.post("/azure/" + "0" * 64, acr_push())).status == 404
    page = await get(service_without_storage, "/refusals")
    assert (page.status, b"of this instance" in page.body) == (200, True)
    assert (await document(service_without_storage, "/refusals"))["ofThisInstance"] is True


async def test_rows_that_were_dropped_are_told_in_the_head_of_each_page_and_by_readyz(service: Service) -> None:
    runtime = await service.runtime()
    assert isinstance(runtime.journal, TableJournal)
    runtime.journal.write(msgspec.structs.replace(journalling.row("team/app"), id="no id"))

    async def told() -> bool:
        return b"1 journal row was dropped since" in (await get(service, "/queue")).body

    await until(told)
    readiness = json.loads((await service.ask("GET", "/readyz")).body)
    assert readiness["ready"]
    assert readiness["journal"].startswith("1 journal row was dropped since")


async def test_while_the_cluster_is_away_the_pages_say_so(service: Service, fault_proxy: FaultProxy) -> None:
    await delivered(service)
    fault_proxy.answer(503, times=None)
    fault_proxy.drop_watches()

    async def told() -> bool:
        return b"The cluster is away since" in (await get(service, "/deliveries")).body

    await until(told)


async def test_receivers_are_shown_while_their_secrets_cannot_be_read(
    service: Service, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receivers.pages.receivers.PATIENCE", 0.1)
    fault_proxy.hang(path="/secrets")

    async def told() -> bool:
        page = await get(service, "/receivers")
        assert page.status == 200
        return b"its Secret could not be read in time" in page.body

    await until(told)


async def test_many_receivers_are_shown_page_by_page_and_one_s_url_on_its_page(
    service: Service, api_server: ApiServer
) -> None:
    hooks = [Hook(name=f"r{number:03}", project="crowd") for number in range(120)]
    await api_server.apply(project_config(hooks, project="crowd"), secret_of(hooks[99], namespace="crowd"))
    await api_server.allow_secrets("crowd")

    async def listed() -> bool:
        return bool((await document(service, "/receivers"))["count"] == 121)

    await until(listed)
    first, last = [(await get(service, f"/receivers{query}")).body.decode() for query in ("", "?page=3")]
    assert ("121 in all" in first, "/receivers?page=2" in first, "Previous" in first) == (True, True, False)
    assert ("/receivers?page=2" in last, "Next" in last) == (True, False)
    beyond = (await get(service, "/receivers?page=99")).body.decode()
    assert ("No receivers" in beyond, "/receivers?page=2" in beyond) == (False, True)
    pages = [(await document(service, f"/receivers?page={number}"))["receivers"] for number in (1, 2, 3, 4)]
    assert list(map(len, pages)) == [50, 50, 21, 0]
    wanted = {"provider": "azure", "project": "crowd", "name": "r099"}
    revealed = await post(service, "/receivers/url?format=json", wanted, x_pages_key="")
    assert hooks[99].path in revealed.body.decode()
    assert revealed.json()["page"] == 2
    shown = (await post(service, "/receivers/url", wanted, x_pages_key="")).body.decode()
    assert ("/receivers?page=2#r" in shown, "as JSON" in shown) == (True, False)


async def test_a_service_that_is_not_configured_says_so() -> None:
    async with running_service(JOURNAL="nonsense") as broken:
        page = await get(broken, "/deliveries")
    assert page.status == 503
    assert b"JOURNAL" in page.body


@pytest.mark.parametrize("path", [*SECTIONS, "/deliveries/" + "0" * 24, "/nothing"])
async def test_behind_a_key_nothing_is_shown_without_it(locked_service: Service, path: str) -> None:
    page = await get(locked_service, path)
    assert page.status == (404 if path == "/nothing" else 401)
    assert b"kargo-demo" not in page.body
    assert page.header("set-cookie") is None


async def test_the_key_becomes_a_cookie(locked_service: Service) -> None:
    signed_in = await get(locked_service, f"/queue?key={KEY}&format=json")
    assert (signed_in.status, signed_in.header("location")) == (303, "/queue?format=json")
    cookie = signed_in.header("set-cookie") or ""
    assert {"httponly", "samesite=strict", "secure", "path=/"} <= set(cookie.split("; "))
    assert (await get(locked_service, "/queue", cookie=cookie.partition(";")[0])).status == 200


async def test_a_form_of_the_key_leads_to_our_own_pages_alone(locked_service: Service) -> None:
    for given, location in (
        ("/queue?format=json", "/queue?format=json"),
        ("//attacker.example", "/overview"),
        ("https://attacker.example", "/overview"),
        ("/\\attacker.example", "/overview"),
        ("/\r\nSet-Cookie: x=y", "/overview"),
    ):
        done = await post(locked_service, "/pages/key", {"key": KEY, "next": given})
        assert (done.status, done.header("location")) == (303, location)


async def test_a_form_that_is_sent_without_the_key_leads_back_to_its_page(locked_service: Service) -> None:
    refused = await post(locked_service, "/queue/revive", {})
    assert refused.status == 401
    assert b'name="next" value="/queue"' in refused.body


async def test_a_program_shows_the_key_in_a_header(locked_service: Service) -> None:
    assert (await get(locked_service, "/queue?format=json", x_pages_key=KEY)).status == 200
    refused = await get(locked_service, "/queue?format=json", x_pages_key="another")
    assert refused.status == 401
    assert "x-pages-key" in refused.json()["error"]


async def test_no_secret_is_in_a_page_or_in_the_log(
    locked_service: Service, azurite: Azurite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery = (await locked_service.post(HOOK.path, acr_push())).header("x-delivery-id")
    await locked_service.post(f"/azure/{'f' * 64}", acr_push())
    await journalling.give_up(azurite, "team/app")
    asked = [*SECTIONS, *(f"/deliveries/{delivery}?tab={tab}" for tab in ("decision", "request", "attempts"))]
    pages = [await get(locked_service, path, x_pages_key=KEY) for path in asked]
    pages += [await get(locked_service, f"{path.partition('?')[0]}?format=json", x_pages_key=KEY) for path in asked]
    pages += [await get(locked_service, f"/queue?key={key}") for key in (KEY, KEY[:-1])]
    receiver = {"provider": "azure", "project": PROJECT, "name": "acr"}
    pages.append(await post(locked_service, "/receivers/test", receiver, x_pages_key=KEY))
    revealed = await post(locked_service, "/receivers/url", receiver, x_pages_key=KEY)
    assert HOOK.token.encode() in revealed.body
    account_key = azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]
    for secret in (SECRET, HOOK.token, KEY, "f" * 64, account_key):
        assert secret not in caplog.text
        for page in pages:
            assert secret.encode() not in page.body
            assert secret not in str(page.headers)


async def test_a_receiver_whose_sender_alone_can_prove_itself_is_not_tried(api_server: ApiServer) -> None:
    receiver = {"provider": "gar", "project": PROJECT, "name": "builds"}
    settings = {"RECEIVERS": json.dumps([receiver | OPTIONS | {"secret": "a-secret-of-the-tests"}])}
    async with running_service(api_server.kubeconfig("kargo-receivers"), **settings) as running:
        page = await post(running, "/receivers/test", receiver, x_pages_key="none")
    assert (page.status, b"it demands an identity token" in page.body) == (409, True)


async def test_a_receiver_that_is_gone_is_404(service: Service) -> None:
    gone = {"provider": "azure", "project": PROJECT, "name": "gone"}
    for path in ("/receivers/url", "/receivers/test"):
        assert (await post(service, path, gone, x_pages_key="none")).status == 404


async def test_redelivering_what_failed_needs_a_time(service: Service) -> None:
    for since in ("", "soon"):
        refused = await post(service, "/deliveries/redeliver?format=json", {"since": since}, x_pages_key="none")
        assert (refused.status, "90s, 30m, 12h, 7d" in refused.json()["error"]) == (400, True)


async def test_a_large_or_garbled_form_is_refused(service: Service) -> None:
    for form, status in ((b"a=" + b"x" * 300_000, 413), (b"\xff\xfe", 400), (b"a=1&" * 100, 400)):
        page = await service.ask("POST", "/queue/revive", headers=[("x-pages-key", "none")], body=form)
        assert page.status == status


async def test_failed_ones_are_told_with_their_reason(service: Service, azurite: Azurite) -> None:
    await journalling.write(azurite, [journalling.row("team/app", state=State.FAILED)])
    page = await get(service, "/deliveries?state=failed")
    assert b"the cluster did not answer in time" in page.body


def test_what_makes_pages_is_imported_with_the_first_page_alone() -> None:
    program = """
import sys, function_app
print([name for name in sys.modules if name.startswith(("jinja2", "receivers.pages.", "receivers.examples"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
