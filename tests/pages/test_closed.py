"""Where the pages need a key and there is none, nothing opens them, whatever a request says of itself."""

from collections.abc import AsyncIterator

import pytest

from testbed.objects import PROJECT, Hook, project_config, secret_of
from testbed.processes import free_port
from testbed.servers import ApiServer
from tests.local.commands.running import serving
from tests.local.host.wire import Response, ask, exchange
from tests.service import Service, running_service

HOOK = Hook(provider="azure", name="acr")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - as a container listens
SECTIONS = ("/deliveries", "/receivers", "/queue")


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


@pytest.fixture
async def reachable(api_server: ApiServer) -> AsyncIterator[Service]:
    """A service without a key that others can reach."""
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    await api_server.allow_secrets(PROJECT)
    async with running_service(
        api_server.kubeconfig("kargo-receivers"), listening_on=f"http://{EVERYWHERE}:7071"
    ) as running:
        yield running


async def ask_as(service: Service, host: str, path: str, *, method: str = "GET", headers: str = "") -> Response:
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
    return await exchange(service.url, head.encode())


@pytest.mark.parametrize(
    "host", ["localhost:7071", "127.0.0.1", "[::1]:7071", "app.localhost", "10.0.0.1", "evil.example"]
)
@pytest.mark.parametrize("headers", ["", "X-Pages-Key: none\r\n", "X-Forwarded-Host: localhost\r\n"])
async def test_no_host_header_opens_what_others_can_reach(reachable: Service, host: str, headers: str) -> None:
    for method in ("GET", "POST"):
        for path in (*SECTIONS, "/receivers/url", "/receivers?format=json"):
            response = await ask_as(reachable, host, path, method=method, headers=headers)
            assert response.status == 403
            assert b"PAGES_KEY" in response.body
            assert HOOK.path.encode() not in response.body
            assert b"acr" not in response.body


async def test_where_nobody_says_that_he_listens_they_are_closed(api_server: ApiServer) -> None:
    """So it is under the Functions host, which listens where it likes."""
    async with running_service(api_server.kubeconfig("kargo-receivers"), listening_on=None) as service:
        assert (await service.ask("GET", "/receivers")).status == 403


async def test_on_loopback_a_proxy_that_says_so_is_shown_nothing(api_server: ApiServer) -> None:
    async with running_service(api_server.kubeconfig("kargo-receivers")) as service:
        assert (await ask_as(service, "127.0.0.1", "/receivers")).status == 200
        for header in ("X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7", "Via: 1.1 proxy"):
            assert (await ask_as(service, "127.0.0.1", "/receivers", headers=f"{header}\r\n")).status == 403


async def test_serve_on_every_address_says_that_the_pages_are_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(
        tmp_path_factory.mktemp("serve"), "--embedded", "--host", EVERYWHERE, "--port", str(free_port())
    ) as running:
        url = running.url.replace(EVERYWHERE, "127.0.0.1")
        assert running.line("the pages are closed").endswith("set PAGES_KEY to open them")
        assert (await ask(url, "GET", "/receivers")).status == 403


async def test_serve_on_loopback_opens_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("serve"), "--embedded", "--port", str(free_port())) as running:
        assert (await ask(running.url, "GET", "/receivers")).status == 200
        assert "the pages are closed" not in running.output
