"""A service with a Storage account, and a browser to look at its pages with."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from receivers.local.azurite import Azurite
from tests.pages import chromium
from tests.pages.sites import Site, running_site, running_store

KEY = "key-of-the-pages-that-nobody-may-see"


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A Storage account."""
    with running_store(tmp_path_factory.mktemp("azurite")) as store:
        yield store


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, store: Azurite) -> Iterator[Site]:
    """A service whose pages are open."""
    with running_site(tmp_path_factory.mktemp("serve"), store) as site:
        yield site


@pytest.fixture(scope="package")
def locked_site(tmp_path_factory: pytest.TempPathFactory, store: Azurite) -> Iterator[Site]:
    """A service whose pages need a key."""
    with running_site(tmp_path_factory.mktemp("serve"), store, PAGES_KEY=KEY) as site:
        yield site


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
