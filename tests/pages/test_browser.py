"""The pages in a real browser, as people use them."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from receivers.events import Push
from receivers.journal.journal import State
from receivers.pages.deliveries import SHOWN
from receivers.providers import PROVIDERS
from receivers.retries.messages import Attempt
from tests.pages import chromium, journalling
from tests.pages.conftest import KEY
from tests.pages.sites import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ("/overview", "/deliveries", "/warehouses", "/receivers", "/queue", "/refusals", "/explain")
TOKEN = re.compile(r"[0-9a-f]{64}")


async def deliver(site: Site, *, repository: str = "myregistry.azurecr.io/team/guestbook", tag: str = "1.2.3") -> str:
    """Post as ACR does; the delivery's id."""
    push = Push(repository=repository, tag=tag, digest=f"sha256:{'a' * 64}", media_type="application/json")
    example = PROVIDERS["azure"].example(push, datetime.now(UTC))
    async with (
        aiohttp.ClientSession() as session,
        session.post(site.receiver("azure"), headers=example.headers, data=example.body) as response,
    ):
        assert response.status == 200
        return response.headers["X-Delivery-Id"]


async def detail(context: BrowserContext, delivery: str) -> Page:
    page = await context.new_page()
    await page.goto(f"/deliveries/{delivery}")
    return page


async def test_a_push_appears_without_reloading(context: BrowserContext, site: Site) -> None:
    page = await context.new_page()
    await page.goto("/deliveries")
    await page.evaluate("window.same = true")
    delivery = await deliver(site, tag="1.77.0")
    row = page.locator("tr", has=page.locator(f"#d-{delivery}"))
    await expect(row).to_contain_text("myregistry.azurecr.io/team/guestbook:1.77.0")
    await expect(row).to_contain_text("Refreshed")
    await expect(row).to_contain_text(re.compile(r"\d s\s*$"))  # Kargo has handled it
    assert await page.evaluate("window.same")


async def test_live_can_be_paused(context: BrowserContext, site: Site) -> None:
    page = await context.new_page()
    await page.goto("/deliveries")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_have_text("Paused")
    delivery = await deliver(site)
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator(f"#d-{delivery}")).to_be_visible()


async def test_a_page_that_lost_its_service_says_so(browser: Browser, site: Site) -> None:
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    await page.goto("/queue")
    await context.set_offline(True)
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("status")).to_have_text("Not live: the service does not answer")
    await context.close()


async def test_the_list_is_filtered(context: BrowserContext, site: Site) -> None:
    repository = journalling.new_repository()
    rows = [journalling.row(repository, state=state) for state in (State.REFRESHED, State.FAILED)]
    await journalling.write(site.store, rows)
    page = await context.new_page()
    await page.goto("/deliveries")
    await page.get_by_label("Search").fill(repository.upper())
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_label("Outcome").select_option("Failed")
    await page.get_by_label("Provider").select_option("azure")
    await page.get_by_label("Project").select_option("kargo-demo")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("the cluster did not answer in time")
    await page.get_by_label("Provider").select_option("quay")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_text("No delivery matches.")).to_be_visible()
    await page.get_by_role("link", name="Clear").click()
    assert urlsplit(page.url).query == ""


async def test_older_and_newer_show_every_row_once(context: BrowserContext, site: Site) -> None:
    repository = journalling.new_repository()
    rows = [journalling.row(repository, tag=f"0.0.{n}", age=timedelta(minutes=n)) for n in range(120)]
    await journalling.write(site.store, rows)
    page = await context.new_page()
    await page.goto(f"/deliveries?repository={repository}")
    names = page.locator("tbody .what a")

    async def shown(count: int, *, first: int) -> list[str]:
        """The ids of the page that begins with this row, once it is there: a click may replace the list later."""
        await expect(names.first).to_have_id(f"d-{rows[first].id}")
        await expect(names).to_have_count(count)
        ids: list[str] = await names.evaluate_all("all => all.map(each => each.id.slice(2))")
        return ids

    first = await shown(SHOWN, first=0)
    await page.get_by_role("link", name="Older").click()
    second = await shown(SHOWN, first=SHOWN)
    await page.get_by_role("link", name="Older").click()
    third = await shown(len(rows) - 2 * SHOWN, first=2 * SHOWN)
    assert first + second + third == [row.id for row in rows]
    assert await page.get_by_role("link", name="Older").count() == 0
    await page.get_by_role("link", name="Newer").click()
    assert await shown(SHOWN, first=SHOWN) == second
    await page.get_by_role("link", name="Newer").click()
    assert await shown(SHOWN, first=0) == first
    await page.get_by_role("link", name="Older").click()
    assert await shown(SHOWN, first=SHOWN) == second
    await page.get_by_role("link", name="Newest").click()
    assert await shown(SHOWN, first=0) == first


async def test_a_delivery_tells_decision_request_and_attempts(context: BrowserContext, site: Site) -> None:
    page = await detail(context, await deliver(site, tag="1.5.0-rc.1"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("myregistry.azurecr.io/team/guestbook:1.5.0-rc.1")
    await expect(page.get_by_text(re.compile(r"^Kargo handled it after \d"))).to_be_visible()
    refreshed = page.locator("tr", has_text="kargo-demo/guestbook-next")
    await expect(refreshed).to_contain_text("Refreshed")
    await expect(page.locator("tr", has_text="Not refreshed")).to_contain_text("1.5.0-rc.1")
    await page.get_by_role("link", name="Request").click()
    await expect(page.get_by_role("definition").filter(has_text="1.5.0-rc.1")).to_be_visible()
    await expect(page.get_by_text("sha256:aaaa")).to_be_visible()
    await page.get_by_role("link", name="Attempts").click()
    await expect(page.get_by_text("No later attempts were needed")).to_be_visible()


async def test_redelivering_leads_to_the_new_delivery(context: BrowserContext, site: Site) -> None:
    delivery = await deliver(site)
    page = await detail(context, delivery)
    await page.get_by_role("button", name="Redeliver").click()
    await expect(page.get_by_text("Redelivery of")).to_contain_text(delivery)
    again = urlsplit(page.url).path.rpartition("/")[2]
    await page.get_by_role("link", name=delivery).click()
    await expect(page.get_by_text("Delivered again as")).to_contain_text(again)


async def test_all_that_failed_is_delivered_again_once(context: BrowserContext, site: Site) -> None:
    repository = journalling.new_repository()
    failed = [journalling.row(repository, state=State.FAILED, age=timedelta(minutes=n)) for n in range(3)]
    old = journalling.row(repository, state=State.FAILED, age=timedelta(hours=2))
    await journalling.write(site.store, [*failed, old])
    page = await context.new_page()
    await page.goto("/deliveries")
    await page.get_by_text("Redeliver what failed").click()
    await page.get_by_label("All that failed in").select_option("the last hour")
    await page.get_by_role("button", name="Count them").click()
    await page.get_by_role("button", name="Redeliver").click()
    await expect(page.get_by_role("status").filter(has_text="again")).to_contain_text("Asked for: ")
    for row in failed:
        await page.goto(f"/deliveries/{row.id}")
        await expect(page.get_by_text("Delivered again as")).to_be_visible()
    await page.goto(f"/deliveries/{old.id}")
    await expect(page.get_by_role("button", name="Redeliver")).to_be_visible()
    assert await page.get_by_text("Delivered again as").count() == 0
    await page.goto("/deliveries")
    await page.get_by_text("Redeliver what failed").click()
    await page.get_by_label("All that failed in").select_option("the last hour")
    await page.get_by_role("button", name="Count them").click()
    await expect(page.get_by_text("No delivery has failed in this time")).to_be_visible()


async def test_a_receivers_url_is_shown_when_it_is_asked_for(context: BrowserContext, site: Site) -> None:
    page = await context.new_page()
    await page.goto("/receivers")
    assert not TOKEN.search(await page.content())
    await page.get_by_role("button", name="Show URL of kargo-demo/acr").click()
    await expect(page.get_by_text(site.receiver("azure"), exact=True)).to_be_visible()
    assert len(set(TOKEN.findall(await page.content()))) == 1
    assert not TOKEN.search(page.url)
    await page.get_by_role("link", name="Hide it").click()
    await expect(page.get_by_text(site.receiver("azure"), exact=True)).to_have_count(0)


async def test_a_test_delivery_goes_all_the_way(context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto("/receivers")
    await page.get_by_role("button", name="Send a test delivery to kargo-demo/quay").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("quay.io/example/storefront:1.2.3")
    await expect(page.get_by_text("test", exact=True)).to_be_visible()
    await expect(page.get_by_text(re.compile(r"^Kargo handled it after \d"))).to_be_visible()
    await page.goto("/receivers")
    receiver = page.get_by_role("region", name="kargo-demo/quay")
    await expect(receiver).to_contain_text("Refreshed")
    await receiver.get_by_text("Register it at the sender").click()
    await expect(receiver.get_by_text("Push to Repository")).to_be_visible()


async def test_what_was_given_up_is_tried_again(context: BrowserContext, site: Site) -> None:
    one, other = journalling.new_repository(), journalling.new_repository()
    await journalling.give_up(site.store, one)
    await journalling.give_up(site.store, other)
    page = await context.new_page()
    await page.goto("/queue")
    await expect(page.get_by_role("heading", name="Given up")).to_contain_text("2")
    await page.get_by_role("listitem").filter(has_text=one).get_by_role("button", name="Try again").click()
    await expect(page.get_by_text(re.compile("^Asked for: another try of 1 delivery."))).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text=other)).to_contain_text("given up after 78 tries")
    await page.get_by_role("listitem").filter(has_text=other).get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("No delivery was given up.")).to_be_visible()


async def test_the_keyboard_is_enough(context: BrowserContext, site: Site) -> None:
    delivery = await deliver(site, tag="1.88.0")
    page = await context.new_page()
    await page.goto("/deliveries")

    async def focused() -> str:
        text: str = await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        return text

    async def tab_to(what: str) -> None:
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await focused() == what:
                return
        raise AssertionError(f"{what} cannot be reached")

    await expect(page.locator(f"#d-{delivery}")).to_be_visible()
    await page.keyboard.press("Tab")
    assert await focused() == "Skip to the content"
    await page.keyboard.press("Enter")
    assert await focused() == "main"
    await tab_to(f"d-{delivery}")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/deliveries/{delivery}")
    await tab_to("redeliver")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Redelivery of")).to_contain_text(delivery)


async def test_focus_stays_where_it_is_when_the_list_changes(context: BrowserContext, site: Site) -> None:
    first = await deliver(site, tag="1.90.0")
    page = await context.new_page()
    await page.goto("/deliveries")
    await page.locator(f"#d-{first}").focus()
    second = await deliver(site, tag="1.91.0")
    await expect(page.locator(f"#d-{second}")).to_be_visible()
    assert await page.evaluate("document.activeElement.id") == f"d-{first}"


async def test_without_javascript_there_is_a_link_to_refresh(browser: Browser, site: Site) -> None:
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/deliveries")
    delivery = await deliver(site, tag="1.99.0")
    while not await page.locator(f"#d-{delivery}").count():
        await page.get_by_role("link", name="Refresh").click()
    await page.locator(f"#d-{delivery}").click()
    await page.get_by_role("link", name="Request").click()
    await page.get_by_role("button", name="Redeliver").click()
    await expect(page.get_by_text("Redelivery of")).to_contain_text(delivery)
    await context.close()


async def test_the_key_is_asked_for_once(browser: Browser, locked_site: Site) -> None:
    context = await browser.new_context(base_url=locked_site.url)
    page = await context.new_page()
    await page.goto("/queue")
    await page.get_by_label("Key").fill("another")
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not the key")
    await page.goto("/queue?format=html")
    await page.get_by_label("Key").fill(KEY)
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    await page.get_by_role("link", name="Receivers", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Receivers")
    [cookie] = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert KEY not in cookie["value"]
    await context.close()


async def test_a_link_with_the_key_leads_to_a_url_without_it(browser: Browser, locked_site: Site) -> None:
    context = await browser.new_context(base_url=locked_site.url)
    page = await context.new_page()
    await page.goto(f"/deliveries?key={KEY}&state=failed")
    assert urlsplit(page.url).query == "state=failed"
    await expect(page.get_by_role("heading", level=1)).to_have_text("Deliveries")
    await context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 360)])
async def test_nobody_is_barred(browser: Browser, site: Site, scheme: str, width: int) -> None:
    source = chromium.axe()
    context = await browser.new_context(
        base_url=site.url,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 740},
    )
    page = await context.new_page()
    repository = journalling.new_repository()
    every = [journalling.row(repository, state=state) for state in State]
    await journalling.write(site.store, every)
    delivery = every[0].id
    failed = next(row.id for row in every if row.state == State.FAILED)
    tried = journalling.row(repository, state=State.QUEUED)
    error = "the cluster did not answer in time"
    tried.attempts = [Attempt(at=tried.received_at, refreshed=0, error=error) for _ in range(3)]
    twins = [journalling.row(repository, age=timedelta(days=9)) for _ in range(2)]
    twins[1].id = twins[0].id[:20] + ("0000" if twins[0].id[20:] != "0000" else "1111")
    await journalling.write(site.store, [tried, *twins])
    lost = await journalling.give_up(site.store, repository)
    await page.goto("/queue")
    question = await page.locator("li", has_text=repository).get_by_role("link", name="Discard").get_attribute("href")
    details = [
        f"/deliveries/{each}?tab={tab}" for each in (delivery, failed) for tab in ("decision", "request", "attempts")
    ]
    for path in (
        *PAGES,
        *details,
        f"/deliveries?repository={repository}",
        "/deliveries?repository=none",
        "/deliveries/nothing",
        f"/deliveries/{tried.id}",
        f"/deliveries/{tried.id}?repository={repository}&end=newer",
        f"/deliveries/{twins[0].id[:20]}",
        f"/deliveries/{lost}",
        "/deliveries/redeliver?since=1h",
        str(question),
        "/docs",
        "/docs/acr",
        "/warehouses?only=untold",
        "/warehouses/kargo-demo/guestbook",
        "/explain?push=myregistry.azurecr.io/team/guestbook:1.2.3",
        "/explain?push=myregistry.azurecr.io/team/guestbok:1.2.3",
    ):
        await page.goto(path)
        assert await chromium.violations(page, source) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    await page.goto(str(question))
    await page.get_by_role("button", name="Discard").click()
    await expect(page.get_by_text("Asked for: 1 message to be discarded.")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_barred_by_the_key(browser: Browser, locked_site: Site, scheme: str) -> None:
    source = chromium.axe()
    context = await browser.new_context(base_url=locked_site.url, color_scheme="dark" if scheme == "dark" else "light")
    page = await context.new_page()
    await page.goto("/deliveries")
    assert await chromium.violations(page, source) == []
    await context.close()


async def test_what_has_a_button_for_it_is_copied_and_times_are_the_visitor_s(browser: Browser, site: Site) -> None:
    row = journalling.row(journalling.new_repository(), age=timedelta(minutes=5))
    await journalling.write(site.store, [row])
    context = await browser.new_context(base_url=site.url, timezone_id="Asia/Kolkata", locale="en-GB")
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await detail(context, row.id)
    await page.get_by_role("button", name="Copy the id").click()
    await expect(page.locator("#copy-id")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == row.id
    here = row.received_at.astimezone(ZoneInfo("Asia/Kolkata"))
    arrived = page.locator("time[data-time]").first
    await expect(arrived).to_contain_text(f"{here:%H:%M:%S}")
    await expect(arrived).to_have_attribute(
        "title", re.compile(f"{here:%H:%M:%S} here, .*{row.received_at:%H:%M:%S} UTC$")
    )
    await context.close()


async def test_the_chart_has_room_on_a_phone(browser: Browser, site: Site) -> None:
    context = await browser.new_context(base_url=site.url, viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await page.goto("/overview?range=7d")
    box = await page.locator("svg.chart").bounding_box()
    assert box is not None
    assert box["height"] >= 200
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await context.close()


async def test_dark_mode_is_dark(browser: Browser, site: Site) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        context = await browser.new_context(base_url=site.url, color_scheme="dark" if scheme == "dark" else "light")
        page = await context.new_page()
        await page.goto("/deliveries")
        colours[scheme] = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await context.close()
    assert (
        sum(map(int, re.findall(r"\d+", colours["dark"]))) < 100 < sum(map(int, re.findall(r"\d+", colours["light"])))
    )
