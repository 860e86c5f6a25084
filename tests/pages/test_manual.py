"""The senders' documents as pages."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from html import unescape

import pytest

from receivers.pages import manual, markdown, rendering
from receivers.providers import PROVIDERS
from testbed.objects import PROJECT, Hook, project_config, secret_of
from testbed.servers import ApiServer
from tests.service import Service, running_service, until

HOOK = Hook(provider="azure", name="acr")
NAMES = sorted(path.stem for path in manual.FOLDER.iterdir())


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """The pages do not care which API server it is."""
    return running_embedded_server


@pytest.fixture
async def service(api_server: ApiServer) -> AsyncIterator[Service]:
    """A service with a receiver."""
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    await api_server.allow_secrets(PROJECT)
    async with running_service(api_server.kubeconfig("kargo-receivers")) as running:
        yield running


async def shown(service: Service, path: str) -> str:
    page = await service.ask("GET", path)
    assert page.status == 200
    return page.body.decode()


async def test_each_document_is_a_page_whose_links_lead_somewhere(service: Service) -> None:
    listed = (await service.ask("GET", "/docs?format=json")).json()["documents"]
    assert [each["name"] for each in listed] == NAMES
    pages = {name: await shown(service, f"/docs/{name}") for name in NAMES}
    for name, page in pages.items():
        content = page.partition('<article class="prose">')[2].partition("</article>")[0]
        assert len(re.findall("<h1 ", content)) == 1
        assert not re.search(r"<img|style=|<script", content)
        for href in map(unescape, re.findall('href="([^"]*)"', content)):
            if href.startswith("https://"):
                continue
            to, _, fragment = href.partition("#")
            other = pages[to.removeprefix("/docs/")] if to else page
            assert not fragment or f'id="{fragment}"' in other, f"{name}: {href}"


async def test_a_receiver_leads_to_its_sender_s_document(service: Service) -> None:
    async def linked() -> bool:
        return 'href="/docs/acr"' in await shown(service, "/receivers")

    await until(linked)
    page = await shown(service, "/receivers")
    assert "--registry <var>REGISTRY</var>" in page
    assert "what is in capitals and underlined is yours to fill in" in page
    assert "Azure Container Registry" in await shown(service, "/docs/acr")


async def test_each_provider_has_a_document(service: Service) -> None:
    for name in PROVIDERS:
        assert (await service.ask("GET", f"/docs/{name}?format=json")).json()["markdown"].startswith("# ")


@pytest.mark.parametrize("path", ["/docs/nothing", "/docs/..%2Fsecurity", "/docs/acr/more", "/docs/%00"])
async def test_what_is_no_document_is_404(service: Service, path: str) -> None:
    assert (await service.ask("GET", path)).status == 404


def test_what_a_document_links_and_is_not_shown_is_text() -> None:
    text = (
        "# A\n\n[b](b.md#c), [d](https://d.example/?a=1&b=2), ![e](e.png) <script>f</script>\n\n|g||\n|-:|-|\n|h|i|\n"
    )
    html = markdown.html(text, link=lambda href: href if href.startswith("https:") else "")
    assert "<span>b</span>" in html
    assert '<a href="https://d.example/?a=1&amp;b=2">d</a>' in html
    assert "&lt;script&gt;f" in html
    assert "<img" not in html
    assert "<th>g</th>\n<td></td>" in html
    assert "<td>h</td>" in html


def test_the_library_is_imported_with_the_first_document_alone() -> None:
    program = "import sys, receivers.pages.site; print('markdown_it' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_people_have_to_fill_in_is_told_apart_in_every_command() -> None:
    for provider in PROVIDERS.values():
        words = set(re.findall(r"\$?\b[A-Z]{3,}\b", provider.registration.command)) - {"POST"}
        assert {word if word in rendering.PLACEHOLDERS else f"${word}" for word in words} <= set(rendering.PLACEHOLDERS)
