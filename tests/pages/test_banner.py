"""An outage of the cluster, as an open page shows it."""

import pytest
from playwright.async_api import Browser, Page, expect

from receivers import limits
from testbed.fault_proxy import FaultProxy
from testbed.servers import ApiServer
from tests.service import running_service

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def look(page: Page) -> None:
    """Have the page ask again now, as it does when it is looked at again."""
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.parametrize("path", ["/overview", "/receivers"])
async def test_it_appears_on_an_open_page_and_goes_away_again(
    browser: Browser, running_embedded_server: ApiServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Also on a page that does not ask for itself again."""
    monkeypatch.setattr(limits, "PROBE_FRESH", 0.0)
    monkeypatch.setattr(limits, "PROBE_INTERVAL", 0.1)
    async with FaultProxy(running_embedded_server.url, ca_file=running_embedded_server.ca_file) as proxy:
        kubeconfig = running_embedded_server.kubeconfig("admin", url=proxy.url)
        async with running_service(kubeconfig) as service:
            context = await browser.new_context(base_url=service.url)
            page = await context.new_page()
            await page.goto(path)
            banner = page.locator("#banner")
            await look(page)
            await expect(banner).to_be_hidden()
            proxy.reset(times=None)
            await look(page)
            await expect(banner).to_contain_text("The cluster is away since less than a minute")
            runtime = await service.runtime()
            proxy.clear()
            await runtime.availability.back()
            await look(page)
            await expect(banner).not_to_contain_text("is away")
            await context.close()
