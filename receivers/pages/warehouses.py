"""The page of the Warehouses: what each wants, who can tell of it, and what happened last."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from receivers.cluster import warehouses
from receivers.cluster.api import ClusterError
from receivers.cluster.warehouses import Warehouse
from receivers.directory import addresses, coverage, snippets
from receivers.directory.coverage import Look, Survey, Tellers
from receivers.directory.snippets import Suggestion
from receivers.events import Receiver, Target
from receivers.journal.journal import Filter, Row
from receivers.kargo import handling, words
from receivers.kargo.subscriptions import Subscription
from receivers.pages import queries, unknown, wording
from receivers.pages.visits import Refused, View, Visit
from receivers.runtime import Runtime
from receivers.storage.account import StorageError

SHOWN = 25  # Warehouses on a page
SUBSCRIPTIONS = 10  # of one of them, those that are only polled first; its own page has all
READS = 4  # of Warehouses under way at a time
PATIENCE = 3.0  # seconds for them and the journal
LOOKED_AT = 500  # rows of the journal, to find each one's last push
UNTOLD = "untold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One subscription as it is shown."""

    subscription: Subscription
    wants: str
    strategy: str  # as it is written; empty where that is not known
    by: Sequence[Receiver]  # those that can tell of it
    suggestion: Suggestion | None  # where nobody can

    @property
    def repository(self) -> str:
        """Its URL, without what lets whoever reads it in."""
        return words.repository(self.subscription.url)

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "position": self.subscription.position,
            "kind": self.subscription.kind,
            "repository": self.repository,
            "wants": self.wants,
            "strategy": self.strategy or None,
            "toldBy": list(map(addresses.name_of, self.by)),
            "onlyPolled": not self.by,
            "suggested": self.suggestion.yaml if self.suggestion else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One Warehouse as it is shown."""

    target: Target
    wanted: Sequence[Wanted]
    unlisted: int  # subscriptions beside these
    faults: dict[int, str]  # by position
    interval: str  # in words; empty: not known
    asked: datetime | None  # when a refresh was asked for last
    handled: bool | None  # whether Kargo has handled that one; None: not known
    last: Row | None  # the last push that it wanted

    @property
    def polled(self) -> str:
        """``only polled, every 5 min``."""
        return f"only polled, every {self.interval}" if self.interval else "only polled"

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "project": self.target.namespace,
            "name": self.target.name,
            "interval": self.interval or None,
            "subscriptions": [each.document for each in self.wanted],
            "unlisted": self.unlisted,
            "unreadable": [{"position": position, "reason": reason} for position, reason in self.faults.items()],
            "lastRefresh": self.asked.isoformat() if self.asked else None,
            "handled": self.handled,
            "lastPush": {
                "id": self.last.id,
                "receivedAt": self.last.received_at.isoformat(),
                "artifact": wording.artifact(self.last),
            }
            if self.last
            else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some Warehouses, and how many there are."""

    entries: list[Entry] = field(default_factory=list)
    survey: Survey
    count: int  # that were asked for

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "warehouses": [entry.document for entry in self.entries],
            "count": self.count,
            "subscriptions": self.survey.subscriptions,
            "onlyPolled": self.survey.only_polled,
            "unreadable": self.survey.unreadable,
        }


async def listing(visit: Visit, service: Runtime) -> View:
    """A page of the Warehouses. Those with subscriptions that nobody tells of, or that cannot be read, come first."""
    queries.refuse_unknown(visit, ("project", "only", "page"))
    await _known(service)
    chosen = {name: visit.query.get(name, "").strip() for name in ("project", "only")}
    if chosen["only"] not in {"", UNTOLD}:
        raise Refused(400, "No such filter", f"only is {UNTOLD}, or is left out.")
    page = max(1, visit.number("page") or 1)
    part = await gather(
        service, project=chosen["project"], untold=bool(chosen["only"]), first=(page - 1) * SHOWN, limit=SHOWN
    )
    note = "" if part.count else await unknown.note(service, project=chosen["project"])
    return View(
        template="warehouses.html",
        values={
            "part": part,
            "note": note,
            "chosen": chosen,
            "projects": sorted({*service.mirror.index.projects(), chosen["project"]} - {""}),
            "before": visit.link(page=str(page - 1)) if page > 1 else "",
            "after": visit.link(page=str(page + 1)) if page * SHOWN < part.count else "",
            "named": addresses.named,
            "journal": service.journal is not None,
            "looked_at": LOOKED_AT,
        },
        document={**part.document, "page": page, "note": note or None},
    )


async def detail(visit: Visit, service: Runtime, project: str, name: str) -> View:
    """One Warehouse with all its subscriptions."""
    queries.refuse_unknown(visit, ())
    await _known(service)
    target = Target(project, name)
    if not service.mirror.index.has(target):
        raise Refused(404, "No such Warehouse", "The cluster has no Warehouse of this project and name.")
    tellers = await Tellers.among(service.directory.receivers())
    (entry,) = await _entries(service, [coverage.look(service.mirror, tellers, target)], at_most=None)
    return View(
        template="warehouse.html",
        values={
            "entry": entry,
            "named": addresses.named,
            "journal": service.journal is not None,
            "looked_at": 0,
        },
        document={"warehouse": entry.document},
    )


async def gather(service: Runtime, *, project: str, untold: bool, first: int, limit: int) -> Part:
    """Some of the Warehouses of a project, or of all where that is empty; of those that are ``untold`` alone."""
    tellers = await Tellers.among(service.directory.receivers())
    survey = await coverage.survey(service.mirror, tellers, project=project or None)
    count = len(survey.untold) + (0 if untold else len(survey.told))
    behind = max(0, first - len(survey.untold))
    some = survey.untold[first : first + limit]
    if not untold:
        some += survey.told[behind : behind + limit - len(some)]
    looks = [coverage.look(service.mirror, tellers, target) for target in some]
    return Part(entries=await _entries(service, looks, at_most=SUBSCRIPTIONS), survey=survey, count=count)


async def _known(service: Runtime) -> None:
    """Raises :class:`Refused` where nothing is known of the Warehouses, or takes too long."""
    try:
        async with asyncio.timeout(service.settings.answer_budget):
            await service.mirror.receivers_ready()
            await service.mirror.warehouses_ready(None)
    except (ClusterError, TimeoutError) as error:
        why = str(error) or "it takes too long"
        raise Refused(503, "Not known", f"What Warehouses want is not known at the moment: {why}.") from None


async def _entries(service: Runtime, looks: Sequence[Look], *, at_most: int | None) -> list[Entry]:
    targets = [look.target for look in looks]
    found, last = await asyncio.gather(_read(service, targets), _last_pushes(service, set(targets)))
    return [_entry(service, look, found.get(look.target), last.get(look.target), at_most=at_most) for look in looks]


def _entry(service: Runtime, look: Look, found: Warehouse | None, last: Row | None, *, at_most: int | None) -> Entry:
    polled_first = sorted(look.told, key=lambda each: bool(each[1]))
    handled = found.handled if found else service.mirror.warehouses.handled(look.target)
    asked = found.asked if found else handled
    return Entry(
        target=look.target,
        wanted=[_wanted(look.target, *each, found) for each in polled_first[:at_most]],
        unlisted=len(look.told) - len(polled_first[:at_most]),
        faults=dict(list(look.faults.items())[:at_most]),
        interval=_interval(found.interval) if found else "",
        asked=handling.time(asked),
        handled=handling.covers(handled, asked) if found and asked else None,
        last=last,
    )


def _wanted(target: Target, subscription: Subscription, by: Sequence[Receiver], found: Warehouse | None) -> Wanted:
    return Wanted(
        subscription=subscription,
        wants=words.wanted(subscription.selector),
        strategy=found.strategies.get(subscription.position, "") if found else "",
        by=by,
        suggestion=None if by else snippets.suggest(target, subscription),
    )


def _interval(written: str) -> str:
    seconds = words.seconds(written)
    return wording.duration(seconds) if seconds else ""


async def _read(service: Runtime, targets: Sequence[Target]) -> dict[Target, Warehouse]:
    """These Warehouses as they are now, as many as can be read in time."""
    found: dict[Target, Warehouse] = {}
    slots = asyncio.Semaphore(READS)

    async def read(target: Target) -> None:
        async with slots:
            try:
                warehouse = await warehouses.read(service.api, target)
            except ClusterError:
                return
        if warehouse is not None:
            found[target] = warehouse

    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            for target in targets:
                tasks.create_task(read(target))
    except TimeoutError:
        pass  # what is not there by then is not known
    return found


async def _last_pushes(service: Runtime, targets: set[Target]) -> dict[Target, Row]:
    """The last push that each Warehouse wanted: of one alone whichever is kept, of several among the latest of all."""
    last: dict[Target, Row] = {}
    if service.journal is None or not targets:
        return last
    read = 0
    only = Filter(warehouse=str(next(iter(targets)))) if len(targets) == 1 else Filter()
    try:
        async with asyncio.timeout(PATIENCE):
            async for row in service.journal.rows(only):
                wanting = (each.target for each in row.warehouses if each.refresh)
                last.update((target, row) for target in wanting if target in targets and target not in last)
                read += 1
                if read == LOOKED_AT or len(last) == len(targets):
                    break
    except (StorageError, TimeoutError):
        pass  # the page's head says that the journal is away
    return last
