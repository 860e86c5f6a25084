"""From events to Warehouses, and from Warehouses to refreshed ones. Deliveries and their later tries share this."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Outcome, Refresher
from receivers.events import ArtifactPushed, Decision, Target

EVENTS_PER_TURN = 50  # matched before other tasks of the event loop get their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a delivery's events mean for the Warehouses in scope."""

    decisions: list[Decision]  # by Warehouse
    others: int  # Warehouses that subscribe to other repositories

    @property
    def targets(self) -> list[Target]:
        """The Warehouses to refresh."""
        return [decision.target for decision in self.decisions if decision.refresh]


@dataclass(frozen=True, slots=True)
class Refreshes:
    """How far the refreshes of a delivery came."""

    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    waiting: dict[Target, asyncio.Future[Outcome]] = field(default_factory=dict)  # others share them: do not cancel


async def match(mirror: Mirror, events: Iterable[ArtifactPushed], *, project: str | None) -> Match:
    """Decide on every Warehouse that subscribes to what was pushed; one event that wants it is enough.

    Raises ClusterError when too little is known of the cluster.
    """
    await mirror.warehouses_ready(project)
    decisions: dict[Target, Decision] = {}
    for position, event in enumerate(events, start=1):
        for decision in mirror.index.match(event, project=project):
            known = decisions.get(decision.target)
            if known is None or (decision.refresh and not known.refresh):
                decisions[decision.target] = decision
        if position % EVENTS_PER_TURN == 0:
            await asyncio.sleep(0)
    return Match(
        decisions=[decisions[target] for target in sorted(decisions)],
        others=mirror.index.count(project) - len(decisions),
    )


async def refresh(
    refresher: Refresher,
    targets: Iterable[Target],
    *,
    since: datetime,
    until: float,
    unless: "asyncio.Future[None] | None" = None,
) -> Refreshes:
    """Refresh Warehouses that were not refreshed since a time, and wait for it.

    The wait ends at ``until`` (of the event loop's clock), or when ``unless`` is done. What is not done by then goes on
    by itself.
    """
    refreshes = Refreshes()
    for target in targets:
        if (covered := refresher.covered(target, since=since)) is not None:
            refreshes.outcomes[target] = covered
        else:
            refreshes.waiting[target] = refresher.refresh(target)
    if refreshes.waiting:
        futures = refreshes.waiting.values()
        waits: set[asyncio.Future[Any]] = {asyncio.gather(*futures)} if len(futures) > 1 else set(futures)
        if unless is not None:
            waits.add(unless)
        remaining = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.wait(waits, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        for target in [target for target, future in refreshes.waiting.items() if future.done()]:
            refreshes.outcomes[target] = refreshes.waiting.pop(target).result()
    return refreshes
