"""Answers a request for a page: who asks, what for, and in which form."""

import re
from collections.abc import Mapping
from typing import Any

from receivers import base_path, runtime, settings, unresolved
from receivers.cluster.credentials import CredentialsError
from receivers.deliveries import readiness
from receivers.events import WebhookRequest
from receivers.pages import (
    access,
    deliveries,
    explain,
    manual,
    openness,
    overview,
    problems,
    queue,
    queued,
    receivers,
    refusals,
    rendering,
    warehouses,
)
from receivers.pages.access import Access, KeyNeeded, Visitor
from receivers.pages.queued import Badge
from receivers.pages.visits import Done, File, Page, Refused, View, Visit, visit
from receivers.runtime import Runtime
from receivers.settings import SettingsError
from receivers.storage.account import StorageError

ON_AZURE = "WEBSITE_SITE_NAME"  # the variable that every Function App in Azure has
START = "/overview"
_PATH = re.compile(r"/(?![/\\])[!-~]*")  # not another host, and one line


async def answer(request: WebhookRequest, environment: Mapping[str, str]) -> Page:
    """The page, or what is there instead of it. Raises nothing that was foreseen."""
    on_azure = ON_AZURE in environment
    base = base_path.of(environment)
    visiting = Visit(method="GET", segments=(), query=request.query, headers=request.headers, base=base)
    try:
        visiting = visit(request, secure=on_azure, base=base)
        if visiting.segments[:1] == ("pages",) and visiting.method == "GET":
            found = rendering.static(visiting.segments[-1])
            if found is not None:
                return found
        configured = settings.from_environment(environment)
        _refuse_unresolved(environment)
        door = Access(key=configured.pages_key, on_loopback=openness.on_loopback_alone(), path=base or "/")
        return await _admitted(visiting, door)
    except KeyNeeded as needed:
        return _refusal(visiting, needed, template="key.html")
    except Refused as refused:
        return _refusal(visiting, refused)
    except (SettingsError, CredentialsError) as error:
        return _refusal(visiting, Refused(503, "Not configured", readiness.told(error)))


def _refuse_unresolved(environment: Mapping[str, str]) -> None:
    """Nobody can know a key that Azure has not put in yet."""
    if settings.PAGES_KEY in unresolved.variables(environment):
        raise Refused(503, "These pages are closed", f"The setting PAGES_KEY {unresolved.FAULT}.")


async def _admitted(visiting: Visit, door: Access) -> Page:
    """The answer to who may see it, with a cookie for who is new."""
    match visiting.method, *visiting.segments:
        case "POST", "pages", "key" if door.locked:
            access.refuse_foreign(visiting)
            visitor = door.sign_in(visiting.form.get("key", ""), secure=visiting.secure)
            return _with_cookie(rendering.redirect(_ours(visiting, visiting.form.get("next", ""))), visitor)
        case "GET", *_ if door.locked and "key" in visiting.query:
            visitor = door.sign_in(visiting.query["key"], secure=visiting.secure)
            return _with_cookie(rendering.redirect(visiting.link(key="")), visitor)
    visitor = door.admit(visiting)
    if visiting.method == "POST":
        door.check_form(visiting, visitor)
    service = await runtime.current()
    try:
        outcome = await _outcome(visiting, service)
    except StorageError as error:
        raise Refused(503, "The Storage account is away", _away(service, error)) from error
    badge = Badge() if visiting.wants_json else await queued.badge(service)
    return _with_cookie(await _rendered(outcome, visiting, visitor, service, badge), visitor)


async def _outcome(visiting: Visit, service: Runtime) -> View | Done | File:  # noqa: C901, PLR0911, PLR0912 - a line for each
    asked: tuple[str, ...] = (visiting.method, *visiting.segments)
    match asked:
        case "GET", "overview":
            return await overview.listing(visiting, service)
        case "GET", "pages", "banner":
            return await problems.listing(visiting, service)
        case "GET", "deliveries":
            return await deliveries.listing(visiting, service)
        case "GET", "deliveries", "redeliver":
            return await deliveries.ask_redeliver_failed(visiting, service)
        case "GET", "deliveries", delivery:
            return await deliveries.detail(visiting, service, delivery)
        case "GET", "deliveries", delivery, "redeliver":
            return await deliveries.ask_redeliver(visiting, service, delivery)
        case "GET", "deliveries", delivery, ("older" | "newer") as direction:
            return await deliveries.neighbour(visiting, service, delivery, direction)
        case "POST", "deliveries", "redeliver":
            return await deliveries.redeliver_failed(visiting, service)
        case "POST", "deliveries", delivery, "redeliver":
            return await deliveries.redeliver(service, delivery)
        case "GET", "receivers":
            return await receivers.listing(visiting, service)
        case "POST", "receivers", "url":
            return await receivers.show(visiting, service)
        case "POST", "receivers", "test":
            return await receivers.test(visiting, service)
        case "GET", "queue":
            return await queue.listing(visiting, service)
        case "POST", "queue", "revive":
            return await queue.revive(visiting, service)
        case "GET", "queue", "discard":
            return await queue.ask(visiting, service)
        case "POST", "queue", "discard":
            return await queue.discard(visiting, service)
        case "GET", "queue", "message":
            return await queue.save(visiting, service)
        case "GET", "refusals":
            return await refusals.listing(visiting, service)
        case "GET", "warehouses":
            return await warehouses.listing(visiting, service)
        case "GET", "warehouses", project, name:
            return await warehouses.detail(visiting, service, project, name)
        case "GET", "explain":
            return await explain.asked(visiting, service)
        case "POST", "explain":
            return await explain.posted(visiting, service)
        case "GET", "docs":
            return await manual.listing(visiting)
        case "GET", "docs", name:
            return await manual.page(visiting, name)
    raise Refused(404, "No such page", "There is nothing at this address.")


async def _rendered(
    outcome: View | Done | File, visiting: Visit, visitor: Visitor, service: Runtime, badge: Badge
) -> Page:
    if isinstance(outcome, File):
        return rendering.file(outcome.name, outcome.content)
    if isinstance(outcome, Done):
        return (
            rendering.document(outcome.document)
            if visiting.wants_json
            else rendering.redirect(visiting.base + outcome.location)
        )
    if visiting.wants_json:
        return rendering.document(await _with_outage(outcome.document, service), status=outcome.status)
    banner = {"problems": await problems.of(service), "banner": f"{visiting.base}/pages/banner"}
    common = _common(visiting) | {"token": visitor.token, "badge": badge, **banner}
    return rendering.html(outcome.template, {**common, **outcome.values}, status=outcome.status)


def _refusal(visiting: Visit, refused: Refused, *, template: str = "refused.html") -> Page:
    if visiting.wants_json:
        return rendering.document({"error": str(refused)}, status=refused.status)
    after = _ours(
        visiting, visiting.link(key="") if visiting.method == "GET" else f"{visiting.base}/{visiting.segments[0]}"
    )
    told = {"title": refused.title, "text": str(refused), "problems": [], "banner": "", "next": after}
    return rendering.html(template, _common(visiting) | told, status=refused.status)


def _common(visiting: Visit) -> dict[str, Any]:
    """What every template has."""
    return {
        "visit": visiting,
        "base": visiting.base,
        "section": visiting.segments[0] if visiting.segments else "",
        "badge": Badge(),
    }


async def _with_outage(document: Mapping[str, Any], service: Runtime) -> Mapping[str, Any]:
    """A page's document; while the cluster is away it says for how long that is."""
    await service.availability.look()
    away = service.availability.away_for
    return document if away is None else {**document, "clusterAwaySeconds": round(away)}


def _away(service: Runtime, error: StorageError) -> str:
    known = "" if service.readiness().ready else " The cluster cannot be read either."
    return f"It says: {error}. Deliveries are still taken, and refreshed where the cluster answers.{known}"


def _ours(visiting: Visit, location: str) -> str:
    """A path of this service to go on to, whatever a form says."""
    ours = _PATH.fullmatch(location) and location.startswith(f"{visiting.base}/")
    return location if ours else visiting.base + START


def _with_cookie(page: Page, visitor: Visitor) -> Page:
    if not visitor.set_cookie:
        return page
    return Page(status=page.status, headers={**page.headers, "Set-Cookie": visitor.set_cookie}, body=page.body)
