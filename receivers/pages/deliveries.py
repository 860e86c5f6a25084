"""The pages of deliveries: the list, one delivery, and delivering again."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from receivers.deliveries.delivery import Delivery
from receivers.journal.journal import Finding, Journal, Row, State, is_id
from receivers.journal.redelivery import NothingToRedeliver, Redelivery
from receivers.pages import documents, missing, queries, redelivering, refusals, searching, timeline, unknown, wording
from receivers.pages.searching import Found, Search, when_of
from receivers.pages.visits import Done, Refused, View, Visit
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime

SHOWN = 50  # rows on a page
LONGEST = 500  # characters of a value in a query
MOST = 500  # rows that a program may ask for at once
WRITTEN = timedelta(seconds=4)  # in which another instance of this service has written its rows
LOOK_EVERY = 0.25  # seconds
PREVIEWED = 50  # deliveries of many that are to be delivered again
FILTERS = ("provider", "project", "receiver", "warehouse", "state", "finding", "repository", "search", "since", "until")
PARAMETERS = (*FILTERS, "limit", "before", "after")
PROGRESS = ("before", "after", "redelivered", "tab", "end", "format")  # where somebody is, not what is looked for
TABS = ("decision", "request", "attempts")
VALUES = {
    "provider": frozenset(PROVIDERS),
    "state": frozenset(State) - {State.GONE},
    "finding": frozenset(Finding),
    "end": frozenset({"older", "newer"}),
    "tab": frozenset(TABS),
}
SINCE = {"1h": "the last hour", "24h": "the last 24 hours", "3d": "the last 3 days", "30d": "the last 30 days"}

WITHOUT_JOURNAL = (
    "Deliveries are not recorded: this service has no journal. It keeps one once a Storage account is configured "
    "(AzureWebJobsStorage) and the setting JOURNAL is not none. Deliveries are taken all the same; the log has one "
    "line for each. Requests to unknown URLs are counted: see Refused."
)


def journal_of(service: Runtime) -> Journal:
    """The journal. Raises :class:`Refused` where there is none."""
    if service.journal is None:
        raise Refused(404, "No journal", WITHOUT_JOURNAL)
    return service.journal


async def listing(visit: Visit, service: Runtime) -> View:
    """The newest deliveries that pass the filters; older ones before an id, newer ones after one."""
    journal = journal_of(service)
    _refuse_unknown(visit)
    chosen = _chosen(visit)
    search = _search(visit)
    limit = _limit(visit)
    before, after = (visit.query.get(name, "") for name in ("before", "after"))
    if after:
        found = await searching.newer(journal, search, after, limit)
    else:
        found = await searching.older(journal, search, before, limit)
    refused = await service.refusals.summary()
    more, rows = len(found.rows) > limit, found.rows[:limit]
    older = rows[-1].id if more else found.looked_to  # where it ended early, it goes on from there
    newer = rows[0].id if rows and (before or after) else ""
    named = {name: chosen[name] for name in ("project", "receiver", "warehouse")}
    note = "" if rows or found.looked_to else await unknown.note(service, **named)
    return View(
        template="deliveries.html",
        values={
            "rows": rows,
            "chosen": chosen,
            "filtered": any(chosen.values()),
            "kept": _kept(visit),
            "looked_to": when_of(found.looked_to) if found.looked_to and not more else None,
            "providers": sorted({wording.provider(name) for name in PROVIDERS}),
            "provider": wording.provider(chosen["provider"]),
            "projects": _projects(service, chosen["project"]),
            "receivers": sorted({each.name for each in service.directory.receivers()} | {chosen["receiver"]} - {""}),
            "states": wording.LABELS,
            "findings": wording.FINDINGS,
            "older": visit.link(before=older, after="", redelivered="") if older else "",
            "newer": visit.link(after=newer, before="", redelivered="") if newer else "",
            "newest": visit.link(before="", after="", redelivered=""),
            "on_first_page": not before and not after,
            "since": SINCE,
            "redelivered": visit.number("redelivered"),
            "refused": refused,
            "note": note,
        },
        document={
            "deliveries": [documents.listed(row) for row in rows],
            "older": older or None,
            "lookedUntil": None if more or not found.looked_to else when_of(found.looked_to).isoformat(),
            "newer": newer or None,
            "refused": refusals.totals(refused),
            "note": note or None,
        },
    )


async def detail(visit: Visit, service: Runtime, delivery: str) -> View | Done:
    """One delivery, by its id or a prefix of it that no other has; several are listed."""
    _refuse_unknown(visit)
    if searching.is_prefix(delivery):
        alike = await searching.by_prefix(journal_of(service), delivery, most=SHOWN)
        if len(alike) > 1:
            return _alike(visit, delivery, alike)
        if alike and not visit.wants_json:
            return Done(location=f"/deliveries/{alike[0].id}{_kept(visit)}", document={})
        delivery = alike[0].id if alike else delivery
    row = await _row(service, delivery)
    if row is None:
        return await missing.view(service, delivery)
    end = visit.query.get("end", "").strip()
    tab = visit.query.get("tab", "").strip()
    return View(
        template="delivery.html",
        values={
            "row": row,
            "tab": tab or TABS[0],
            "tabs": TABS,
            "kept": _kept(visit),
            "back": _kept(visit, besides=("tab", "end", "format")),
            "timeline": timeline.of(row),
            "end": end if end and not (await _beside(visit, service, row.id, end)).rows else "",
            "preview": await redelivering.preview(service, [row]) if row.events and not visit.wants_json else None,
        },
        document={"delivery": documents.whole(row)},
    )


async def neighbour(visit: Visit, service: Runtime, delivery: str, direction: str) -> Done:
    """On to the next older or newer delivery within the same filter; where there is none, back to this one."""
    journal_of(service)
    _refuse_unknown(visit)
    if not is_id(delivery):
        raise Refused(404, "No such delivery", "This is not the id of a delivery.")
    found = await _beside(visit, service, delivery, direction)
    if found.rows:
        return Done(location=f"/deliveries/{found.rows[0].id}{_kept(visit)}", document={"id": found.rows[0].id})
    if visit.wants_json:
        raise Refused(404, f"No {direction} delivery", f"There is no {direction} delivery that the filter lets pass.")
    return Done(location=f"/deliveries/{delivery}{_kept(visit, end=direction)}", document={})


async def _beside(visit: Visit, service: Runtime, delivery: str, direction: str) -> Found:
    """The next older or newer delivery that the query lets pass, if there is one."""
    look = searching.older if direction == "older" else searching.nearest
    return await look(journal_of(service), _search(visit), delivery, 1)


def _alike(visit: Visit, prefix: str, rows: list[Row]) -> View:
    return View(
        template="alike.html",
        values={"rows": rows, "prefix": prefix, "kept": _kept(visit)},
        document={"deliveries": [documents.listed(row) for row in rows]},
    )


def _kept(visit: Visit, *, besides: Collection[str] = PROGRESS, **more: str) -> str:
    """The query that other pages of deliveries take over: what is looked for."""
    kept = {name: visit.query[name] for name in visit.query if visit.query[name] and name not in besides} | more
    return f"?{urlencode(kept, errors='surrogatepass')}" if kept else ""


async def ask_redeliver(visit: Visit, service: Runtime, delivery: str) -> View:
    """Tell what would be refreshed if one delivery was delivered again, before one confirms."""
    queries.refuse_unknown(visit, ())
    row = await row_of(service, delivery)
    if not row.events:
        raise Refused(409, "Nothing to deliver again", str(NothingToRedeliver(row)))
    preview = await redelivering.preview(service, [row])
    return View(
        template="redeliver_one.html",
        values={"row": row, "preview": preview},
        document={"id": row.id, **preview.document},
    )


async def redeliver(service: Runtime, delivery: str) -> Done:
    """Deliver one delivery again."""
    row = await row_of(service, delivery)
    try:
        again = await _redelivery(service).redeliver(row)
    except NothingToRedeliver as nothing:
        raise Refused(409, "Nothing to deliver again", str(nothing)) from None
    return Done(location=f"/deliveries/{again.id}", document=_redelivered([again]))


async def ask_redeliver_failed(visit: Visit, service: Runtime) -> View:
    """Tell how many deliveries would be delivered again, before one confirms."""
    queries.refuse_unknown(visit, ("since",))
    journal_of(service)
    since = visit.query.get("since", "")
    count, first = 0, list[Row]()
    async for row in _redelivery(service).failed(_now() - _within(since)):
        count += 1
        if len(first) < PREVIEWED:
            first.append(row)
    label = SINCE.get(since, f"the last {since}")
    preview = await redelivering.preview(service, first)
    return View(
        template="redeliver.html",
        values={"count": count, "since": since, "within": label, "preview": preview, "previewed": PREVIEWED},
        document={"count": count, "since": since, "previewed": len(first), **preview.document},
    )


async def redeliver_failed(visit: Visit, service: Runtime) -> Done:
    """Deliver again all that failed within the time that the form says."""
    journal_of(service)
    again = await _redelivery(service).redeliver_failed(_now() - _within(visit.form.get("since", "")))
    return Done(location=f"/deliveries?redelivered={len(again)}", document=_redelivered(again))


def _within(text: str) -> timedelta:
    try:
        within = wording.parse_duration(text)
        _now() - within  # there is such a time
    except (ValueError, OverflowError):
        told = "since is a number with s, m, h or d behind it: 90s, 30m, 12h, 7d."
        raise Refused(400, "Nothing was done", f"Since when? {told}") from None
    return within


def _redelivered(deliveries: Iterable[Delivery]) -> dict[str, Any]:
    answered = [(delivery.id, delivery.answer.status if delivery.answer else 0) for delivery in deliveries]
    return {"redelivered": [{"id": delivery, "status": status} for delivery, status in answered]}


async def row_of(service: Runtime, delivery: str) -> Row:
    """The row of a delivery. Raises :class:`Refused` where there is none."""
    row = await _row(service, delivery)
    if row is None:
        raise Refused(404, "No such delivery", missing.NO_ROW)
    return row


async def _row(service: Runtime, delivery: str) -> Row | None:
    """The same; None where there is none, also after a moment in which another instance writes it."""
    journal = journal_of(service)
    row = await journal.read(delivery) if is_id(delivery) else None
    while row is None and is_id(delivery) and timedelta(0) <= _now() - when_of(delivery) < WRITTEN:
        await asyncio.sleep(LOOK_EVERY)
        row = await journal.read(delivery)
    return row


def _redelivery(service: Runtime) -> Redelivery:
    if service.redelivery is None:
        raise Refused(404, "No journal", WITHOUT_JOURNAL)
    return service.redelivery


def _refuse_unknown(visit: Visit) -> None:
    """Refuse a query that would be taken for less than was asked. Raises :class:`Refused`."""
    queries.refuse_unknown(visit, PARAMETERS, besides=PROGRESS)
    for name, value in visit.query.items():
        if len(value) > LONGEST:
            raise Refused(400, "Too long", f"{name} has {LONGEST} characters at most.")
    for name, values in VALUES.items():
        value = visit.query.get(name, "").strip()
        if value and value not in values:
            allowed = ", ".join(sorted(values))
            raise Refused(400, f"Unknown {name}", f"{name} cannot be {queries.told(value)}. It is one of {allowed}.")
    for name in ("before", "after"):
        if visit.query.get(name) and not is_id(visit.query[name]):
            raise Refused(400, "No such place", f"{name} is the id of a delivery: 24 hexadecimal digits.")
    if visit.query.get("limit") and visit.number("limit") is None:
        raise Refused(400, "How many?", f"limit is a number, {MOST} at most.")


def _projects(service: Runtime, chosen: str) -> list[str]:
    """To choose from: every project with a receiver, and what is chosen already."""
    return sorted({receiver.project or "" for receiver in service.directory.receivers()} | {chosen} - {""})


def _chosen(visit: Visit) -> dict[str, str]:
    return {name: visit.query.get(name, "").strip() for name in FILTERS}


def _search(visit: Visit) -> Search:
    """What the query looks for. Raises :class:`Refused`."""
    return searching.of(_chosen(visit), since=_time(visit, "since"), until=_time(visit, "until"))


def _time(visit: Visit, name: str) -> datetime | None:
    """A time of the query: as long ago as it says, or a date, with a time or without."""
    text = visit.query.get(name, "").strip()
    try:
        return _now() - wording.parse_duration(text) if text else None
    except (ValueError, OverflowError):
        pass
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            400,
            f"{name.capitalize()} when?",
            f"{name} is a number with s, m, h or d behind it: 90s, 30m, 12h, 7d; or a time: 2026-11-28T06:00 (UTC).",
        ) from None


def _limit(visit: Visit) -> int:
    return max(1, min(visit.number("limit") or SHOWN, MOST))


def _now() -> datetime:
    return datetime.now(UTC)
