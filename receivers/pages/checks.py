"""Whether all is well, as far as the running service knows: a list of checks, and the one thing to do next.

Nothing here takes long: what has to be looked at in the cluster, ``kargo-receivers doctor`` looks at.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from receivers import limits, unresolved
from receivers.deliveries.refusals import Reason, Summary
from receivers.directory.former import Former
from receivers.journal.figures import Figures
from receivers.journal.hours import Whose
from receivers.journal.journal import Finding, State
from receivers.pages import problems, senders, wording
from receivers.retries.contents import Contents
from receivers.runtime import Runtime

NAMED = 3  # objects in a sentence; the rest is counted
UNKNOWN_URLS = 3  # requests within an hour that say more than that somebody mistyped
DAY = timedelta(days=1)


class Level(StrEnum):
    """How well it is. Failing: deliveries are lost, or delayed until somebody does something."""

    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Level = Level.OK
    says: str  # one sentence
    remedy: str = ""  # what to do
    page: str = ""  # of ours, that shows more: a path with its query

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def worst(checks: Iterable[Check]) -> Level:
    """The level of the whole."""
    levels = {check.level for check in checks}
    return next((level for level in (Level.FAILING, Level.WARNING) if level in levels), Level.OK)


def next_of(checks: Sequence[Check]) -> Check | None:
    """What to see to first; None where all is well."""
    level = worst(checks)
    return None if level is Level.OK else next(check for check in checks if check.level is level)


async def of(service: Runtime, figures: Figures | None, *, now: datetime) -> list[Check]:
    """Every check, the most urgent kind first."""
    contents, due, refusals, former = await asyncio.gather(
        problems.contents(service), service.oldest_due(), service.refusals.summary(), service.former.lately()
    )
    found = [
        _settings(service),
        _cluster(service, contents),
        _mirror(service),
        _queue(service, contents, due),
        _journal(service),
        _receivers(service),
        _subscriptions(service),
    ]
    if figures is not None:
        found += [_failed(figures, now=now), _refused(figures, now=now), _silent(figures, now=now)]
        found.append(_missing(figures, now=now))
    return [*found, _former(former), _unknown(refusals)]


def _settings(service: Runtime) -> Check:
    if service.unresolved:
        return Check(
            name="Settings",
            level=Level.FAILING,
            says=f"{_listed(service.unresolved)}: no value is known.",
            remedy=f"The setting {unresolved.FAULT}.",
        )
    return Check(name="Settings", says="Every setting has a value.")


def _cluster(service: Runtime, contents: Contents | None) -> Check:
    away = service.availability.away_for
    if away is None:
        return Check(name="Cluster", says="The API server answers.")
    again = "What is queued is refreshed by itself once it is back." if service.queue else "Redeliver at the senders."
    return Check(
        name="Cluster",
        level=Level.FAILING,
        says=problems.outage(service, away, contents),
        remedy=(
            "See whether the API server is up and this app may reach it; the log and `kargo-receivers doctor` say why "
            f"it does not answer. {again}"
        ),
    )


def _mirror(service: Runtime) -> Check:
    """How well the cluster's objects are known."""
    state = service.readiness()
    resources = state.document["resources"]
    faulty = [f"{each['resource']}: {each['fault']}" for each in resources if each["fault"]]
    stale = [each["resource"] for each in resources if (each["age"] or 0) > limits.STALE_AFTER]
    known = ", ".join(f"{each['objects']} {each['resource']}" for each in resources)
    if not state.ready:
        return Check(
            name="Objects",
            level=Level.FAILING,
            says=f"Not read yet: {_listed(faulty or state.document['missing'])}.",
            remedy="Run `kargo-receivers doctor`: it says which right is missing, or why the API server refuses.",
        )
    if service.availability.away_for is not None:
        return Check(name="Objects", says=f"What was known before the outage is gone by: {known}.")
    if stale or faulty:
        return Check(
            name="Objects",
            level=Level.FAILING if stale else Level.WARNING,
            says=f"Not followed: {_listed(faulty or stale)}.",
            remedy="Run `kargo-receivers doctor`: it says which right is missing, or why the API server refuses.",
        )
    return Check(name="Objects", says=f"Followed: {known}.")


def _queue(service: Runtime, contents: Contents | None, due: float | None) -> Check:
    name, page = "Retry queue", "/queue"
    if service.queue is None:
        return Check(
            name=name,
            level=Level.WARNING,
            says="There is none: what cannot be refreshed at once is answered an error, and lost.",
            remedy="Configure a Storage account (AzureWebJobsStorage).",
        )
    if contents is None or service.queue.fault():
        return Check(
            name=name,
            level=Level.FAILING,
            says=f"It cannot be used: {service.queue.fault() or 'the Storage account does not answer'}.",
            remedy="See whether the Storage account is there, and this app may use its queues.",
        )
    if due is not None and due > limits.QUEUE_UNREAD:
        return Check(
            name=name,
            level=Level.FAILING,
            says=f"Nobody reads it: a message has been due for {wording.duration(due)}.",
            remedy='Restart the app; docs/operations.md, "The retry queue is not read", says what else to see to.',
            page=page,
        )
    if contents.poisoned:
        return Check(
            name=name,
            level=Level.FAILING,
            says=f"{_count(contents.poisoned, 'delivery was', 'deliveries were')} given up.",
            remedy="See why on the page of the queue, mend that, and try them again there.",
            page=page,
        )
    return Check(name=name, says=f"{_count(contents.waiting, 'delivery waits', 'deliveries wait')} for another try.")


def _journal(service: Runtime) -> Check:
    if service.journal is None:
        return Check(
            name="Journal",
            level=Level.WARNING,
            says="There is none: nobody can see what became of a delivery.",
            remedy="Configure a Storage account (AzureWebJobsStorage), and let the setting JOURNAL be table.",
        )
    if service.journal.fault():
        return Check(
            name="Journal",
            level=Level.FAILING,
            says=f"It cannot be written: {service.journal.fault()}.",
            remedy="See whether its store is there, and this app may write to it. Deliveries are taken all the same.",
        )
    return Check(name="Journal", says="It is written.")


def _receivers(service: Runtime) -> Check:
    count = len(service.directory.receivers())
    if count or not service.mirror.receivers_trusted:
        return Check(name="Receivers", says=f"{_count(count, 'receiver is', 'receivers are')} configured.")
    return Check(
        name="Receivers",
        level=Level.WARNING,
        says="None is configured, so no sender can deliver.",
        remedy="Add webhookReceivers to a ProjectConfig, as Kargo's documentation has it, or the setting RECEIVERS.",
        page="/receivers",
    )


def _subscriptions(service: Runtime) -> Check:
    """Objects and subscriptions that cannot be read: a push for them is not known to be for them."""
    objects = [f"{each} ({each.reason})" for found in service.mirror.unreadable().values() for each in found]
    unnamed = sum(health.unreadable for health in service.mirror.health()) - len(objects)
    faults = [f"{each.target}, subscription {each.position} ({each.reason})" for each in service.mirror.index.faults()]
    if not objects and not faults and unnamed <= 0:
        return Check(name="Subscriptions", says="Every object and every subscription can be read.")
    count = len(objects) + max(0, unnamed) + len(faults)
    named = f": {_listed(objects + faults, of=count)}" if objects or faults else ""
    return Check(
        name="Subscriptions",
        level=Level.WARNING,
        says=f"{_count(count, 'object or subscription', 'objects or subscriptions')} cannot be read{named}.",
        remedy="Mend them in the cluster: until then no push refreshes them. kargo-receivers doctor tells more.",
        page="/warehouses",
    )


def _failed(figures: Figures, *, now: datetime) -> Check:
    page = "/deliveries?state=failed&since=1d"
    day = figures.since(now - DAY).states[State.FAILED]
    hour = figures.since(now - senders.LATELY).states[State.FAILED]
    if not day:
        return Check(name="Failed deliveries", says="None within 24 hours.")
    return Check(
        name="Failed deliveries",
        level=Level.FAILING if hour else Level.WARNING,
        says=f"{_count(day, 'delivery', 'deliveries')} of the last 24 hours failed.",
        remedy="See why on the page of deliveries, mend that, and redeliver them there.",
        page=page,
    )


def _refused(figures: Figures, *, now: datetime) -> Check:
    """Under a receiver's own URL: its signing secret or its body is wrong."""
    found = senders.refused(figures, now=now)
    if not found:
        return Check(name="Refused senders", says="No receiver refuses what it used to take.")
    told = [f"{_named(whose)} ({_count(count, 'request', 'requests')})" for whose, count in found]
    return Check(
        name="Refused senders",
        level=Level.WARNING,
        says=f"Lately refused under their own URL: {_listed(told)}.",
        remedy=(
            "Has the receiver's secret been changed? Put the present one into the sender's webhook. Else the "
            "delivery's page says what is wrong with its request."
        ),
        page="/deliveries?state=refused",
    )


def _silent(figures: Figures, *, now: datetime) -> Check:
    found = senders.silent(figures, now=now)
    if not found:
        return Check(name="Silent senders", says="Every sender that delivers regularly does so.")
    told = [f"{_named(whose)} (since {wording.duration(now - last)})" for whose, last in found]
    return Check(
        name="Silent senders",
        level=Level.WARNING,
        says=f"Silent, though the same hours of the weeks before had deliveries: {_listed(told)}.",
        remedy=(
            "See at the sender whether its webhook is still there and switched on, has the receiver's present URL, and "
            "what it was answered last; send a test delivery from the page of receivers."
        ),
        page="/receivers",
    )


def _missing(figures: Figures, *, now: datetime) -> Check:
    count = figures.since(now - DAY).findings[Finding.MISSING]
    if not count:
        return Check(name="Discovery", says="Kargo found what was pushed within 24 hours, as far as it was looked for.")
    return Check(
        name="Discovery",
        level=Level.WARNING,
        says=f"{_count(count, 'push', 'pushes')} of the last 24 hours Kargo did not find.",
        remedy="See on the delivery's page what Kargo lists instead: credentials, or a constraint of the Warehouse.",
        page="/deliveries?finding=missing&since=1d",
    )


def _former(found: Sequence[Former]) -> Check:
    """Senders that nobody has told of a receiver's new URL."""
    name = "Former URLs"
    if not found:
        return Check(name=name, says="No sender posts to a URL that a receiver had before.")
    told = [f"{each.place} ({each.ended})" for each in found]
    return Check(
        name=name,
        level=Level.WARNING,
        says=f"Posted to within an hour, and refused: the former URL of {_listed(told)}.",
        remedy=(
            "Register the new URL with the sender: it is on the page of receivers, and in `kargo-receivers urls "
            "--reveal`. Where the receiver was deleted, remove the webhook at the sender; where its configuration "
            "cannot be read, mend that and leave the webhook."
        ),
        page="/deliveries?state=refused",
    )


def _unknown(summary: Summary) -> Check:
    """A Secret that was changed gives its receiver another URL, and the sender is not known by the old one."""
    count = summary.hour(Reason.UNKNOWN_URL)
    if count < UNKNOWN_URLS:
        return Check(name="Unknown URLs", says="Next to no requests to unknown URLs within an hour.")
    return Check(
        name="Unknown URLs",
        level=Level.WARNING,
        says=f"{count} requests went to unknown URLs within an hour.",
        remedy=(
            "Was a receiver's Secret changed or deleted? Its URL went with it: give the sender the present one, from "
            "the page of receivers or `kargo-receivers urls --reveal`. Else somebody guesses, and need not be heeded."
        ),
        page="/refusals",
    )


def _named(whose: Whose) -> str:
    return f"{whose.project or '(cluster)'}/{whose.receiver}"


def _listed(names: Sequence[str], *, of: int | None = None) -> str:
    """The first of them, and how many more there are, of so many in all."""
    rest = (len(names) if of is None else of) - len(names[:NAMED])
    return "; ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
