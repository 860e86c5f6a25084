"""A service with a Storage account, and a browser to look at its pages with."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from receivers.local.azurite import Azurite, Unavailable
from tests.cluster.processes import free_port
from tests.local.commands.running import Serving, serving
from tests.pages import chromium

KEY = "key-of-the-pages-that-nobody-may-see"


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A Storage account of these tests' own."""
    try:
        azurite = Azurite(tmp_path_factory.mktemp("azurite"))
    except Unavailable as unavailable:
        pytest.skip(str(unavailable))
    asyncio.run(azurite.start())
    yield azurite
    asyncio.run(azurite.kill())


@dataclass(frozen=True, slots=True)
class Site:
    """A running service, and where it keeps its journal."""

    serving: Serving
    store: Azurite

    @property
    def url(self) -> str:
        return self.serving.url


def _site(tmp_path_factory: pytest.TempPathFactory, store: Azurite, **settings: str) -> Iterator[Site]:
    settings = {"AzureWebJobsStorage": store.connection_string, **settings}
    folder = tmp_path_factory.mktemp("serve")
    with serving(folder, "--embedded", "--port", str(free_port()), **settings) as running:
        running.line("ready on ")
        yield Site(running, store)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, store: Azurite) -> Iterator[Site]:
    """The sample, served; its pages are open."""
    yield from _site(tmp_path_factory, store)


@pytest.fixture(scope="package")
def locked_site(tmp_path_factory: pytest.TempPathFactory, store: Azurite) -> Iterator[Site]:
    """The same behind a key."""
    yield from _site(tmp_path_factory, store, PAGES_KEY=KEY)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    program = chromium.program()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=chromium.ARGUMENTS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, site: Site) -> AsyncIterator[BrowserContext]:
    """A browser without a past, whose console must stay silent."""
    context = await browser.new_context(base_url=site.url, viewport={"width": 1200, "height": 800})
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    await context.close()
    assert complaints == []
