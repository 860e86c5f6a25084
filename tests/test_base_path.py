"""A base path, as Kargo's chart puts it before every URL that shares its ingress: all is below it, and only there."""

import re
from collections.abc import AsyncIterator

import pytest

from receivers.base_path import ROUTE_PREFIX
from receivers.settings import Settings, SettingsError, from_environment
from testbed.objects import Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.service import Service, acr_push, running_service, until

HOOK = Hook()
BASE = "/kargo/webhooks"
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


@pytest.fixture
async def service(embedded_api_server: ApiServer) -> AsyncIterator[Service]:
    await embedded_api_server.apply(secret_of(HOOK), project_config([HOOK]), warehouse("app"))
    async with running_service(embedded_api_server.kubeconfig("admin"), **{ROUTE_PREFIX: "kargo/webhooks"}) as running:
        yield running


async def test_a_receiver_is_served_below_it_and_only_there(service: Service) -> None:
    served = await service.post(BASE + HOOK.path, acr_push())
    assert (served.status, served.body) == (200, b'{"msg":"refreshed 1 warehouse(s)"}\n')
    assert (await service.post(HOOK.path, acr_push())).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/receivers", "/pages/style.css"])
async def test_health_and_pages_are_served_below_it_and_only_there(service: Service, path: str) -> None:
    await read(service)
    assert (await service.ask("GET", BASE + path)).status == 200
    assert (await service.ask("GET", path)).status == 404


@pytest.mark.parametrize("path", ["/receivers", "/docs/generic"])
async def test_what_a_page_refers_to_is_below_it(service: Service, path: str) -> None:
    page = await service.ask("GET", BASE + path)
    found = re.findall(r'(?:href|src|action)="([^"#]+)', page.body.decode())
    links = [link for link in found if not link.startswith("https://")]
    assert len(links) > 5
    assert [link for link in links if not link.startswith(f"{BASE}/")] == []
    style = next(link for link in links if "style.css" in link)
    assert (await service.ask("GET", style)).status == 200


async def read(service: Service) -> None:
    """Wait until the service knows its receiver."""

    async def ready() -> bool:
        return (await service.ask("GET", f"{BASE}/readyz")).status == 200

    await until(ready)


async def test_a_receivers_url_is_shown_with_it_and_its_test_delivery_leads_below_it(service: Service) -> None:
    await read(service)
    page = await service.ask("GET", f"{BASE}/receivers")
    cookie = dict(page.headers)["set-cookie"]
    assert f"path={BASE};" in cookie, "what else is on this host does not get it"
    token = re.search(r'name="token" value="([^"]+)"', page.body.decode())
    assert token
    visitor = [*FORM, ("Cookie", cookie.partition(";")[0])]
    form = f"token={token[1]}&provider={HOOK.provider}&project={HOOK.project}&name={HOOK.name}".encode()
    shown = await service.ask("POST", f"{BASE}/receivers/url", headers=visitor, body=form)
    assert f"{service.url}{BASE}{HOOK.path}" in shown.body.decode()
    tried = await service.ask("POST", f"{BASE}/receivers/test", headers=visitor, body=form)
    assert (tried.status, dict(tried.headers)["location"]) == (303, f"{BASE}/receivers")


async def test_who_shows_the_key_is_led_to_a_page_below_it(embedded_api_server: ApiServer) -> None:
    settings = {ROUTE_PREFIX: "webhooks", "PAGES_KEY": "the-key"}
    async with running_service(embedded_api_server.kubeconfig("admin"), **settings) as service:
        for back, leads in (("/webhooks/queue", "/webhooks/queue"), ("/elsewhere", "/webhooks/overview")):
            form = f"key=the-key&next={back}".encode()
            answer = await service.ask("POST", "/webhooks/pages/key", headers=FORM, body=form)
            assert (answer.status, dict(answer.headers)["location"]) == (303, leads)


@pytest.mark.parametrize("text", ["webhooks", "/webhooks", "webhooks/", " /webhooks/ "])
def test_it_may_be_written_with_slashes_or_without(text: str) -> None:
    assert from_environment({ROUTE_PREFIX: text}).base_path == "/webhooks"


@pytest.mark.parametrize("text", ["", " "])
def test_there_is_none_unless_it_is_set(text: str) -> None:
    assert from_environment({ROUTE_PREFIX: text}).base_path == Settings().base_path == ""


@pytest.mark.parametrize("text", ["/", "a//b", "a b", "webhooks?x", "../up", "{any}", "*", "Admin/x", "runtime"])
def test_a_path_that_the_host_cannot_serve_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{ROUTE_PREFIX}: must "):
        from_environment({ROUTE_PREFIX: text})
