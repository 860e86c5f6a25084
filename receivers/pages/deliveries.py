"""The pages of deliveries: the list, one delivery, and delivering again."""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from receivers.deliveries.delivery import Delivery
from receivers.journal.journal import Filter, Journal, Reach, Row, is_id
from receivers.journal.redelivery import NothingToRedeliver, Redelivery
from receivers.pages import documents, refusals, wording
from receivers.pages.visits import Done, Refused, View, Visit
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime

SHOWN = 50  # rows on a page
MOST = 500  # rows that a program may ask for at once
SOUGHT = 5_000  # rows read to find those just newer than a given one; then the newest are shown instead
WRITTEN = timedelta(seconds=4)  # in which another instance of this service has written its rows
LOOK_EVERY = 0.25  # seconds
LATEST = 253_402_300_799  # seconds since 1970: the end of the year 9999, after which Python has no times
FILTERS = ("provider", "project", "receiver", "state", "finding", "repository", "warehouse")
TABS = ("decision", "request", "attempts")
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
    chosen = {name: visit.query.get(name, "").strip() for name in FILTERS}
    only = Filter(**chosen, since=_since(visit))
    limit = _limit(visit)
    before, after = (visit.query.get(name, "") for name in ("before", "after"))
    reach = Reach()
    rows = (
        await _newer(journal, only, after, limit, reach)
        if is_id(after)
        else await _older(journal, only, before, limit, reach)
    )
    refused = await service.refusals.summary()
    more, rows = len(rows) > limit, rows[:limit]
    older = rows[-1].id if more else reach.until  # where it ended early, it goes on from there
    newer = rows[0].id if rows and (is_id(before) or is_id(after)) else ""
    return View(
        template="deliveries.html",
        values={
            "rows": rows,
            "chosen": chosen,
            "filtered": any(chosen.values()),
            "providers": list(PROVIDERS),
            "projects": _projects(service, chosen["project"]),
            "states": wording.LABELS,
            "findings": wording.FINDINGS,
            "older": visit.link(before=older, after="", redelivered="") if older else "",
            "newer": visit.link(after=newer, before="", redelivered="") if newer else "",
            "newest": visit.link(before="", after="", redelivered=""),
            "on_first_page": not is_id(before) and not is_id(after),
            "since": SINCE,
            "redelivered": visit.number("redelivered"),
            "refused": refused,
        },
        document={
            "deliveries": [documents.listed(row) for row in rows],
            "older": older or None,
            "lookedUntil": None if more or not reach.until else _began(reach.until).isoformat(),
            "newer": newer or None,
            "refused": refusals.totals(refused),
        },
    )


async def detail(visit: Visit, service: Runtime, delivery: str) -> View:
    """One delivery."""
    row = await _row(service, delivery)
    tab = visit.query.get("tab", "")
    return View(
        template="delivery.html",
        values={
            "row": row,
            "tab": tab if tab in TABS else TABS[0],
            "tabs": TABS,
        },
        document={"delivery": documents.whole(row)},
    )


async def redeliver(service: Runtime, delivery: str) -> Done:
    """Deliver one delivery again."""
    row = await _row(service, delivery)
    try:
        again = await _redelivery(service).redeliver(row)
    except NothingToRedeliver as nothing:
        raise Refused(409, "Nothing to deliver again", str(nothing)) from None
    return Done(location=f"/deliveries/{again.id}", document=_redelivered([again]))


async def redeliver_failed(visit: Visit, service: Runtime) -> Done:
    """Deliver again all that failed within the time that the form says."""
    journal_of(service)
    try:
        within = wording.parse_duration(visit.form.get("since", ""))
    except ValueError as error:
        raise Refused(400, "Nothing was done", f"Since when? {error}") from None
    again = await _redelivery(service).redeliver_failed(_now() - within)
    return Done(location=f"/deliveries?redelivered={len(again)}", document=_redelivered(again))


def _redelivered(deliveries: Iterable[Delivery]) -> dict[str, Any]:
    answered = [(delivery.id, delivery.answer.status if delivery.answer else 0) for delivery in deliveries]
    return {"redelivered": [{"id": delivery, "status": status} for delivery, status in answered]}


async def _row(service: Runtime, delivery: str) -> Row:
    journal = journal_of(service)
    row = await journal.read(delivery) if is_id(delivery) else None
    while row is None and is_id(delivery) and timedelta(0) <= _now() - _began(delivery) < WRITTEN:
        await asyncio.sleep(LOOK_EVERY)
        row = await journal.read(delivery)
    if row is None:
        raise Refused(
            404,
            "No such delivery",
            "There is no delivery with this id, or it is older than the journal keeps, or it was refused before a "
            "receiver was known: these are counted, not recorded.",
        )
    return row


def _redelivery(service: Runtime) -> Redelivery:
    if service.redelivery is None:
        raise Refused(404, "No journal", WITHOUT_JOURNAL)
    return service.redelivery


async def _older(journal: Journal, only: Filter, before: str, limit: int, reach: Reach) -> list[Row]:
    """The rows before an id, or the newest: one more than are shown, if there is one."""
    rows: list[Row] = []
    async for row in journal.rows(only, before=before if is_id(before) else "", reach=reach):
        rows.append(row)
        if len(rows) > limit:
            break
    return rows


async def _newer(journal: Journal, only: Filter, after: str, limit: int, reach: Reach) -> list[Row]:
    """The rows just newer than an id, and one more; a journal is read from its newest row on."""
    began = _began(after)
    since = max(began, only.since) if only.since else began
    nearest: deque[Row] = deque(maxlen=limit)
    read = 0
    async for row in journal.rows(Filter(**_chosen(only), since=since)):
        read += 1
        if row.id <= after or read > SOUGHT:
            break
        nearest.append(row)
    if len(nearest) < limit or read > SOUGHT:
        return await _older(journal, only, "", limit, reach)
    return [*nearest, nearest[-1]]  # the last is not shown: it stands for the older ones, ``after`` among them


def _chosen(only: Filter) -> dict[str, Any]:
    return {name: getattr(only, name) for name in FILTERS}


def _projects(service: Runtime, chosen: str) -> list[str]:
    """To choose from: every project with a receiver, and what is chosen already."""
    return sorted({receiver.project or "" for receiver in service.directory.receivers()} | {chosen} - {""})


def _since(visit: Visit) -> datetime | None:
    text = visit.query.get("since", "")
    try:
        return _now() - wording.parse_duration(text) if text else None
    except (ValueError, OverflowError):
        raise Refused(400, "Since when?", "since is a number with s, m, h or d behind it: 90s, 30m, 12h, 7d.") from None


def _limit(visit: Visit) -> int:
    return max(1, min(visit.number("limit") or SHOWN, MOST))


def _began(delivery: str) -> datetime:
    """When a delivery arrived, as its id tells."""
    return datetime.fromtimestamp(min(int(delivery[:12], 16) / 1000, LATEST), UTC)


def _now() -> datetime:
    return datetime.now(UTC)
