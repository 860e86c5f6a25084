"""The page that says what a push, or a sender's request, would do. Nothing is refreshed and nothing recorded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from receivers.cluster.api import ClusterError
from receivers.deliveries import explaining, pushes, report
from receivers.deliveries.explaining import Explanation
from receivers.deliveries.pushes import NoPush
from receivers.deliveries.reading import BusyError
from receivers.directory import addresses
from receivers.directory.coverage import Tellers
from receivers.events import Event, Receiver, WebhookError, WebhookRequest
from receivers.pages import queries
from receivers.pages.deliveries import row_of
from receivers.pages.visits import Refused, View, Visit
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime

SHOWN = 100  # decisions on the page; those that refresh come first
TOLD = 500  # decisions in the document
OFFERED = 500  # receivers to choose from
HEADERS = 100  # of a request
FIELDS = ("push", "media_type", "ref", "files", "project")
REQUEST = ("receiver", "headers", "body")
BODY = 60_000  # bytes; thrice as many in a form


async def asked(visit: Visit, service: Runtime) -> View:
    """The forms; with a push, or a delivery's id, in the query also what it would do now."""
    queries.refuse_unknown(visit, (*FIELDS, "delivery"))
    delivery = visit.query.get("delivery", "")
    if delivery:
        row = await row_of(service, delivery)
        if not row.events:
            raise Refused(409, "Nothing to explain", "Nothing of this delivery was kept that could refresh anything.")
        return await _of_events(visit, service, list(row.events), project=row.project or None, delivery=delivery)
    told = {name: visit.query.get(name, "").strip() for name in FIELDS}
    if not told["push"]:
        return _view(visit, service, None)
    files = [file for file in map(str.strip, told["files"].splitlines()) if file]
    try:
        events = pushes.read(told["push"], media_type=told["media_type"], ref=told["ref"], changed_files=files)
    except NoPush as wrong:
        return _view(visit, service, None, fault=f"This is no push: {wrong}.", status=400)
    return await _of_events(visit, service, events, project=told["project"] or None)


async def posted(visit: Visit, service: Runtime) -> View:
    """What a sender's request would mean to a receiver. Nobody proves it, and nothing is refreshed for it."""
    receiver = _receiver(service, visit.form.get("receiver", ""))
    request = _request(visit, receiver)
    until = asyncio.get_running_loop().time() + service.settings.answer_budget
    try:
        async with _bounded(service):
            events = await service.pipeline.meaning(request, PROVIDERS[receiver.provider], receiver, until=until)
            explanation = await explaining.explain(service.mirror, events, project=receiver.project)
    except WebhookError as refusal:
        return _view(visit, service, None, fault=f"It would be refused: {refusal.status} {refusal.message or ''}")
    return _view(visit, service, explanation)


async def _of_events(
    visit: Visit, service: Runtime, events: Sequence[Event], *, project: str | None, delivery: str = ""
) -> View:
    tellers = None if delivery else await Tellers.among(service.directory.receivers())
    async with _bounded(service):
        explanation = await explaining.explain(service.mirror, events, project=project, tellers=tellers)
    return _view(visit, service, explanation, delivery=delivery)


@asynccontextmanager
async def _bounded(service: Runtime) -> AsyncIterator[None]:
    """As long as a delivery may take. Raises :class:`Refused` where that is too short."""
    try:
        async with asyncio.timeout(service.settings.answer_budget):
            yield
    except (ClusterError, BusyError, TimeoutError) as error:
        why = str(error) or "it takes too long"
        raise Refused(503, "Not known", f"What Warehouses want is not known at the moment: {why}.") from None


def _view(
    visit: Visit,
    service: Runtime,
    explanation: Explanation | None,
    *,
    fault: str = "",
    delivery: str = "",
    status: int = 200,
) -> View:
    everyone = addresses.ordered(service.directory)
    decisions = sorted(explanation.decisions, key=lambda each: not each.refresh) if explanation else []
    return View(
        template="explain.html",
        status=status,
        values={
            "told": {name: visit.query.get(name, "") for name in FIELDS},
            "request": {name: visit.form.get(name, "") for name in REQUEST},
            "receivers": [(_key(each), addresses.name_of(each)) for each in everyone[:OFFERED]],
            "explanation": explanation,
            "events": list(dict.fromkeys(map(report.described, explanation.events))) if explanation else [],
            "decisions": decisions[:SHOWN],
            "unshown": max(0, len(decisions) - SHOWN),
            "named": addresses.named,
            "fault": fault,
            "delivery": delivery,
        },
        document=_document(explanation, fault),
    )


def _document(explanation: Explanation | None, fault: str) -> dict[str, Any]:
    if explanation is None:
        return {"explanation": None, **({"error": fault} if fault else {})}
    return {"explanation": explaining.document(explanation, at_most=TOLD)}


def _key(receiver: Receiver) -> str:
    return f"{receiver.provider}/{receiver.project or ''}/{receiver.name}"


def _receiver(service: Runtime, key: str) -> Receiver:
    found = next((each for each in service.directory.receivers() if _key(each) == key), None)
    if found is None or found.provider not in PROVIDERS:
        raise Refused(404, "No such receiver", "This receiver is not configured any more.")
    return found


def _request(visit: Visit, receiver: Receiver) -> WebhookRequest:
    lines = [line for line in visit.form.get("headers", "").splitlines() if line.strip()]
    if len(lines) > HEADERS:
        raise Refused(400, "Too many headers", f"A request has {HEADERS} headers at most here.")
    headers = (line.partition(":") for line in lines)
    return WebhookRequest(
        method="POST",
        path=f"/{receiver.provider}",
        headers={name.strip().lower(): value.strip() for name, _, value in headers},
        query={},
        body=_body(visit),
        received_at=datetime.now(UTC),
    )


def _body(visit: Visit) -> bytes:
    body = visit.form.get("body", "").encode(errors="replace")
    if len(body) > BODY:
        raise Refused(413, "Too large", f"A body has {BODY:,} bytes at most here.")
    return body
