"""From events to Warehouses, and from Warehouses to refreshed ones. Deliveries and their later tries share this."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Outcome, Refresher
from receivers.cluster.turns import Turns
from receivers.events import Decision, PullRequestClosed, Pushed, Selected, Target, Trigger
from receivers.kargo import changes, repositories
from receivers.kargo.changes import Change
from receivers.kargo.effort import DeliveryEffort
from receivers.kargo.repositories import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a delivery's events mean for the Warehouses in scope."""

    decisions: list[Decision]  # by Warehouse
    others: int  # Warehouses that subscribe to other repositories
    selected: list[list[Target]] = field(default_factory=list)  # by each event that selects Warehouses

    @property
    def targets(self) -> list[Target]:
        """The Warehouses to refresh."""
        return [decision.target for decision in self.decisions if decision.refresh]


@dataclass(frozen=True, slots=True)
class Refreshes:
    """How far the refreshes of a delivery came."""

    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    waiting: dict[Target, asyncio.Future[Outcome]] = field(default_factory=dict)  # others share them: do not cancel


async def match(mirror: Mirror, events: Iterable[Trigger], *, project: str | None) -> Match:
    """Decide on every Warehouse that subscribes to what was pushed; one event that wants it is enough.

    However many there are, other tasks of the event loop get their turns.

    Raises ClusterError when too little is known of the cluster.
    """
    events = list(events)
    closed = dict.fromkeys(event.url for event in events if isinstance(event, PullRequestClosed))
    pushed = any(isinstance(event, Pushed) for event in events)
    selecting = [event for event in events if isinstance(event, Selected)]
    if pushed or selecting:
        await mirror.warehouses_ready(project)
    if closed:
        await mirror.promotions_ready(project)
    turns = Turns()
    effort = DeliveryEffort()
    decisions: dict[Target, Decision] = {}
    for repository, change in (await _pushed(events, turns)).items():
        for decision in mirror.index.decisions(repository, change, project=project, effort=effort):
            if decision is not None and (
                (known := decisions.get(decision.target)) is None or (decision.refresh and not known.refresh)
            ):
                decisions[decision.target] = decision
            await turns.take()
    in_scope = mirror.index.count(project) if pushed else 0
    others = max(0, in_scope - len(decisions))  # Warehouses may have come or gone meanwhile
    for url in closed:
        decisions.update((each.target, each) for each in mirror.pull_requests.decisions(url, project=project))
        await turns.take()
    selected = [await _selected(mirror, event, project, turns) for event in selecting]
    for target in chain.from_iterable(selected):
        decisions[target] = Decision(target=target, refresh=True, reason="the receiver selects it")
    return Match(
        selected=selected,
        decisions=sorted(decisions.values(), key=lambda each: (each.target.namespace, each.target.name)),
        others=others,
    )


async def _selected(mirror: Mirror, event: Selected, project: str | None, turns: Turns) -> list[Target]:
    """The Warehouses that an event means, by namespace and name, each once."""
    found: dict[Target, None] = {}
    for selection in event.selections:
        for target in mirror.warehouses.select(selection, project=project):
            if target is not None:
                found[target] = None
            await turns.take()
    return sorted(found)


async def _pushed(events: Iterable[Trigger], turns: Turns) -> dict[Repository, Change]:
    """What all events together bring to each repository."""
    pushed: dict[Repository, dict[Change, None]] = {}
    for event in events:
        if isinstance(event, Pushed):
            pushed.setdefault(repositories.of(event), {})[changes.of(event)] = None
            await turns.take()
    return {repository: changes.together(found) for repository, found in pushed.items()}


async def refresh(
    refresher: Refresher,
    targets: Iterable[Target],
    *,
    since: datetime,
    until: float,
    unless: "asyncio.Future[None] | None" = None,
    patient: bool = True,
) -> Refreshes:
    """Refresh Warehouses that were not refreshed since a time, and wait for it.

    The wait ends at ``until`` (of the event loop's clock), or when ``unless`` is done. What is not done by then goes on
    by itself. Who is not ``patient`` waits for no Warehouse that struggles.
    """
    refreshes = Refreshes()
    awaited: list[asyncio.Future[Outcome]] = []
    turns = Turns()
    for target in targets:
        await turns.take()
        if (covered := refresher.covered(target, since=since)) is not None:
            refreshes.outcomes[target] = covered
        else:
            struggles = refresher.struggles(target)
            asked = refreshes.waiting[target] = refresher.refresh(target)
            if patient or not struggles:
                awaited.append(asked)
    if refreshes.waiting:
        waiting = asyncio.ensure_future(_settled(awaited))
        waits: set[asyncio.Future[None]] = {waiting} if unless is None else {waiting, unless}
        remaining = max(0.0, until - asyncio.get_running_loop().time())
        try:
            await asyncio.wait(waits, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for target, future in list(refreshes.waiting.items()):
            if future.done():
                refreshes.outcomes[target] = refreshes.waiting.pop(target).result()
            await turns.take()
    return refreshes


async def _settled(futures: list["asyncio.Future[Outcome]"]) -> None:
    """Wait for all of them, one after the other: to gather thousands at once holds the event loop."""
    for future in futures:
        if not future.done():
            await asyncio.wait([future])
