"""What is wrong with the service at the moment, for the head of each page: the banner."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from receivers import limits
from receivers.pages import looks, queries, wording
from receivers.pages.visits import View, Visit
from receivers.retries.contents import Contents
from receivers.retries.queue import RetryQueue
from receivers.runtime import Runtime
from receivers.storage.account import StorageError

type Look = Callable[[RetryQueue], Awaitable[Contents | None]]

WITHOUT_QUEUE = "deliveries are answered an error meanwhile, because there is no retry queue"


async def listing(visit: Visit, service: Runtime) -> View:
    """The banner alone, for a page that is open already."""
    queries.refuse_unknown(visit, ())
    return View(template="banner.html", values={}, document={"problems": await of(service)} if visit.wants_json else {})


async def of(service: Runtime) -> list[str]:
    """What is wrong, worst first. Looks at the cluster unless that was done a moment ago."""
    await service.availability.look()
    away = service.availability.away_for
    problems = [outage(service, away, await contents(service, looks.lately))] if away is not None else _cluster(service)
    for name, fault in (("retry queue", service.queue), ("journal", service.journal)):
        if fault is not None and fault.fault():
            problems.append(f"The {name}: {fault.fault()}")
    return problems


async def contents(service: Runtime, look: Look = looks.now) -> Contents | None:
    """What is in the retry queue; None: there is none, or it does not tell in time."""
    if service.queue is not None:
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(limits.QUEUE_LOOK_TIMEOUT):
                return await look(service.queue)
    return None


def outage(service: Runtime, away: float, contents: Contents | None) -> str:
    """``The cluster is away since 2 min; 8 deliveries queued, nothing lost.``"""
    return f"The cluster is away since {since(away)}; {_kept(service, contents)}."


def since(seconds: float) -> str:
    """A time that does not change while one reads it."""
    if seconds < wording.MINUTE:
        return "less than a minute"
    return "1 min" if seconds < 2 * wording.MINUTE else wording.duration(seconds)


def _kept(service: Runtime, contents: Contents | None) -> str:
    """What becomes of deliveries in an outage."""
    if service.queue is None:
        return WITHOUT_QUEUE
    if service.queue.fault():
        return "and the retry queue cannot be written to"
    if contents is None:
        return "what is queued cannot be counted"
    waiting = contents.waiting
    return f"{waiting} {'delivery' if waiting == 1 else 'deliveries'} queued, nothing lost"


def _cluster(service: Runtime) -> list[str]:
    """What cannot be read of a cluster that is there."""
    state = service.readiness()
    problems = [
        f"The cluster: {resource['resource']} cannot be read: {resource['fault']}"
        for resource in state.document["resources"]
        if resource["fault"]
    ]
    if not state.ready and not problems:
        problems.append("The cluster is still being read.")
    return problems
