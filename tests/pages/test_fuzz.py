"""Whatever bytes a visitor sends, as path, query, header, cookie or form: a page answers, and never with a defect."""

import random
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from receivers.events import WebhookRequest
from receivers.local.azurite import Azurite
from receivers.pages import site
from testbed.objects import PROJECT, Hook, project_config, secret_of
from testbed.servers import ApiServer
from tests.local.host.wire import Response, exchange
from tests.service import Service, running_service

HOOK = Hook(provider="azure", name="acr")
KEY = "key-of-the-pages-that-nobody-may-see"
ROUNDS = 150  # requests of each kind
SECTIONS = (
    "/deliveries",
    "/warehouses",
    "/warehouses/kargo-demo",
    "/receivers",
    "/queue",
    "/explain",
    "/overview",
    "/refusals",
    "/docs",
    "/pages",
    "/pages/key",
    "/receivers/url",
    "/receivers/test",
)
NASTY = (
    "\n",
    "\r\nSet-Cookie: a=b",
    "é",
    "\U0001f4a9",
    "\x00",
    "\x7f",
    "\x1b[31m",
    "\u2028",
    "\u202e",
    "?",
    "#",
    "%",
    "%0a",
    "%25",
    "\\",
    "//evil.example",
    "/../",
    ";",
    "=",
    "&",
    '"',
    "'",
    "<script>",
    "{{7*7}}",
    "9" * 400,
    "-1",
    "0",
    "ffffffffffffffffffffffff",
    "none",
    "1e999d",
    "99999999d",
    "a" * 4000,
)
PARAMETERS = (
    "key",
    "format",
    "since",
    "limit",
    "before",
    "after",
    "state",
    "project",
    "repository",
    "tab",
    "id",
    "revived",
    "page",
    "only",
    "push",
    "media_type",
    "ref",
    "files",
    "delivery",
    "receiver",
    "headers",
    "body",
)


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


@pytest.fixture(params=["", KEY], ids=["open", "locked"])
async def service(request: pytest.FixtureRequest, api_server: ApiServer, azurite: Azurite) -> AsyncIterator[Service]:
    """A service with all pages, without a key and with one."""
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    await api_server.allow_secrets(PROJECT)
    settings = {"AzureWebJobsStorage": azurite.connection_string, "PAGES_KEY": request.param}
    async with running_service(api_server.kubeconfig("kargo-receivers"), **settings) as running:
        yield running


def dice(seed: int) -> random.Random:
    """The same throws each time."""
    return random.Random(seed)  # noqa: S311 - nothing here is secret


def raw(chance: random.Random) -> bytes:
    """What is none of the letters that a head is made of, and may be no UTF-8."""
    return bytes(chance.choice([*range(0x21, 0x7F), *range(0x80, 0x100)]) for _ in range(chance.randrange(1, 12)))


def text(chance: random.Random) -> str:
    return "".join(chance.choice(NASTY) for _ in range(chance.randrange(1, 4)))


def encoded(chance: random.Random) -> str:
    """In a URL or a form: spelled out, or any bytes at all."""
    return quote(text(chance), safe="") if chance.random() < 0.8 else quote(raw(chance), safe="")


def query(chance: random.Random) -> str:
    return "&".join(f"{chance.choice(PARAMETERS)}={encoded(chance)}" for _ in range(chance.randrange(1, 4)))


def head(service: Service, method: str, target: str, *lines: bytes) -> bytes:
    host = service.url.removeprefix("http://")
    start = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode()
    return start + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def sound(response: Response) -> bool:
    """An answer that was meant: no defect, no header of a visitor's making, no other site."""
    location = response.header("location") or "/"
    cookies = [value for name, value in response.headers if name == "set-cookie"]
    return (
        response.status in {200, 303, 400, 401, 403, 404, 405, 409, 413, 431}
        and location.startswith("/")
        and not location.startswith(("//", "/\\"))
        and all(cookie.startswith("kargo-receivers=") for cookie in cookies)
    )


@pytest.mark.parametrize(
    "path", ["/deliveries/%0A", "/deliveries/%C3%A9", "/deliveries/a%3Fb", "/deliveries/%E2%80%A8"]
)
@pytest.mark.parametrize("key", [KEY, "another"])
async def test_a_key_in_the_address_of_an_odd_path(service: Service, path: str, key: str) -> None:
    response = await exchange(service.url, head(service, "GET", f"{path}?key={key}&search=%0a%C3%A9"))
    assert response.status in {303, 401, 404}
    if response.status == 303:
        assert response.header("location") == f"{path}?search=%0A%C3%A9"


async def test_any_path_and_query(service: Service) -> None:
    chance = dice(8)
    for _ in range(ROUNDS):
        path = chance.choice(SECTIONS) + f"/{encoded(chance)}" * chance.randrange(3)
        asked = f"{path}?key={KEY if chance.random() < 0.5 else encoded(chance)}&{query(chance)}"
        for target in (asked, asked.partition("?")[0]):
            response = await exchange(service.url, head(service, "GET", target, b"X-Pages-Key: " + KEY.encode()))
            assert sound(response), (target, response)
        assert sound(await exchange(service.url, head(service, "GET", asked))), asked


async def test_any_header_and_cookie(service: Service) -> None:
    chance = dice(9)
    names = ("Cookie", "X-Pages-Key", "Origin", "Sec-Fetch-Site", "X-Forwarded-Proto", "Content-Type", "Accept", "Host")
    for _ in range(ROUNDS):
        name = chance.choice(names)
        value = raw(chance) if chance.random() < 0.5 else text(chance).encode().translate(None, b"\r\n\x00")
        value = b"kargo-receivers=" + value if name == "Cookie" else value
        response = await exchange(service.url, head(service, "GET", "/deliveries", f"{name}: ".encode() + value))
        assert sound(response), (name, value, response)


async def test_any_form(service: Service) -> None:
    chance = dice(10)
    fields = ("key", "next", "token", "provider", "project", "name", "since", "id")
    for _ in range(ROUNDS):
        path = chance.choice(
            [*SECTIONS, "/deliveries/redeliver", "/queue/revive", f"/deliveries/{encoded(chance)}/redeliver"]
        )
        form = "&".join(f"{name}={encoded(chance)}" for name in fields if chance.random() < 0.6).encode()
        body = form if chance.random() < 0.8 else raw(chance)
        lines = [b"Content-Length: %d" % len(body), *([b"X-Pages-Key: " + KEY.encode()] * chance.randrange(2))]
        for target in (path, f"{path}?format=json"):
            response = await exchange(service.url, head(service, "POST", target, *lines) + body)
            assert sound(response), (target, body, response)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/deliveries/\ud800", {}),
        ("/deliveries", {"query": {"key": "\ud800"}}),
        ("/deliveries/\udfff", {"query": {"key": KEY, "tab": "\ud800"}}),
        ("/deliveries", {"headers": {"cookie": "kargo-receivers=\ud800"}}),
        ("/deliveries", {"headers": {"x-pages-key": "\udcff"}}),
        ("/", {}),
        ("", {}),
    ],
)
async def test_halves_of_characters_are_no_defect_either(path: str, changes: Mapping[str, Mapping[str, str]]) -> None:
    """No host that is known hands such over."""
    request = WebhookRequest(
        method="GET",
        path=path,
        headers=changes.get("headers", {}),
        query=changes.get("query", {}),
        body=b"",
        received_at=datetime.now(UTC),
    )
    page = await site.answer(request, {"PAGES_KEY": KEY})
    assert page.status in {303, 401}
    assert all(value.isascii() for value in page.headers.values())
