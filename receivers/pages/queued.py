"""What waits in the retry queue and what was given up, as rows: for the page, its JSON and the command.

Azure shows no message whose delay still runs, and counts roughly. The journal knows the deliveries that are
queued; both together tell what waits.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from receivers import limits
from receivers.journal import rows
from receivers.journal.journal import Filter, Journal, Row, State
from receivers.pages import looks, wording
from receivers.retries.contents import Contents, PoisonedMessage, Waiting
from receivers.retries.queue import RetryQueue
from receivers.runtime import Runtime
from receivers.storage.account import StorageError

SHOWN = 100  # deliveries that wait
PATIENCE = 2.0  # seconds for the journal
LONGEST = timedelta(seconds=limits.RETRY_AGE + 2 * limits.RETRY_DELAYS[-1])  # that a delivery waits, parked ones apart
BADGE_PATIENCE = 0.5  # seconds for it; a page does not wait longer
UNREADABLE = "a message that cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A delivery that waits."""

    row: Row  # as the journal has it, else as the message tells
    tries: int
    error: str  # of the last try; empty before the first
    next_try: datetime | None  # None: once the cluster answers
    exact: bool  # whether the queue says when the next try is; else it is reckoned from the last one

    @property
    def what(self) -> str:
        """What was pushed."""
        return wording.artifact(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """A message that was given up."""

    id: str
    since: datetime | None
    reason: str
    row: Row | None  # None: the message cannot be read
    tries: int
    unreadable: bytes

    @property
    def what(self) -> str:
        """What was pushed, or that nobody knows."""
        return wording.artifact(self.row) if self.row is not None else UNREADABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Both queues."""

    waiting: int
    waiting_exact: bool
    lines: list[Line]  # the oldest first, no more than SHOWN
    given_up: int
    given_up_exact: bool
    poison: list[GivenUp]  # the first of them

    @property
    def oldest(self) -> datetime | None:
        """When the delivery arrived that waits longest."""
        return self.lines[0].row.received_at if self.lines else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What the navigation says of the queues."""

    waiting: int = 0
    given_up: int = 0


_badges: WeakKeyDictionary[RetryQueue, tuple[float, Badge]] = WeakKeyDictionary()


async def badge(service: Runtime) -> Badge:
    """How many wait and were given up, as of a few seconds ago; none where that is not known soon."""
    if service.queue is None:
        return Badge()
    looked_at, known = _badges.get(service.queue, (-looks.LATELY, Badge()))
    if time.monotonic() - looked_at < looks.LATELY:
        return known
    found = None
    with suppress(TimeoutError, StorageError):
        async with asyncio.timeout(BADGE_PATIENCE):
            contents = await looks.lately(service.queue)
            found = await queues(contents, service) if contents else None
    return note(service.queue, found)


def note(queue: RetryQueue, found: Queues | None) -> Badge:
    """What the navigation says from now on, on the page that has looked for itself too."""
    badge = Badge(waiting=found.waiting, given_up=found.given_up) if found else Badge()
    _badges[queue] = (time.monotonic(), badge)
    return badge


async def queues(contents: Contents, service: Runtime, *, now: datetime | None = None) -> Queues:
    """What is in the queues, with what the journal knows of it."""
    now = now or datetime.now(UTC)
    journalled, whole = await _journalled(service.journal, now) if contents.waiting else ([], True)
    lines = _lines(contents, journalled, now=now)
    heralds = 1 if any(each.parked for each in contents.waits) else 0  # its delay runs, so it cannot be seen
    known = (
        whole and len(lines) <= SHOWN and len(lines) >= contents.waiting - heralds
    )  # a row is written a second later
    return Queues(
        waiting=len(lines) if known else max(contents.waiting, len(lines)),
        waiting_exact=known,
        lines=lines[:SHOWN],
        given_up=contents.poisoned,
        given_up_exact=contents.exact,
        poison=poison(contents),
    )


def poison(contents: Contents) -> list[GivenUp]:
    """The first messages that were given up."""
    return [_given_up(each) for each in contents.poison]


async def _journalled(journal: Journal | None, now: datetime) -> tuple[list[Row], bool]:
    """The deliveries that the journal says are queued, and whether these are all."""
    found: list[Row] = []
    if journal is None:
        return found, False
    try:
        async with asyncio.timeout(PATIENCE):
            async for row in journal.rows(Filter(state=State.QUEUED, since=now - LONGEST)):
                found.append(row)
                if len(found) > SHOWN:
                    return found, False
    except (TimeoutError, StorageError):
        return found, False
    return found, True


def _lines(contents: Contents, journalled: list[Row], *, now: datetime) -> list[Line]:
    """Each delivery once, the oldest first."""
    away = any(each.parked for each in contents.waits)
    lines = {row.id: _reckoned(row, now=now, away=away) for row in journalled}
    lines |= {each.message.delivery: _seen(each) for each in contents.waits}
    return sorted(lines.values(), key=lambda line: (line.row.received_at, line.row.id))


def _seen(waiting: Waiting) -> Line:
    message = waiting.message
    return Line(
        row=rows.row_of_message(message),
        tries=message.tries,
        error=message.attempts[-1].error if message.attempts else "",
        next_try=None if waiting.parked else waiting.due_at or message.received_at,
        exact=True,
    )


def _reckoned(row: Row, *, now: datetime, away: bool) -> Line:
    """Of a delivery whose message cannot be seen: the delay after its last try tells when the next one is due."""
    tries = len(row.attempts)
    last = row.attempts[-1] if row.attempts else None
    delay = limits.RETRY_DELAYS[min(tries, len(limits.RETRY_DELAYS) - 1)]
    next_try = wording.after(last.at if last else row.received_at, delay)
    late = wording.after(next_try, delay * limits.RETRY_JITTER) < now
    return Line(
        row=row,
        tries=tries,
        error=last.error if last else "",
        next_try=None if late and away else next_try,
        exact=False,
    )


def _given_up(each: PoisonedMessage) -> GivenUp:
    message = each.poisoned.message
    return GivenUp(
        id=each.id,
        since=each.since,
        reason=each.poisoned.reason,
        row=rows.row_of_message(message) if message is not None else None,
        tries=message.tries if message is not None else 0,
        unreadable=each.poisoned.unreadable,
    )
