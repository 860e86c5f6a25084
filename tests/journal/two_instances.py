"""Two instances that write one row, whatever it is kept in."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from receivers.journal.journal import Finding, Journal, Row, Searched, State, WarehouseRow
from receivers.retries.messages import Attempt
from tests.examples import NOON, row


async def note[Kept: Journal](journals: Sequence[Kept], write: Callable[[Kept, Row], Awaitable[None]]) -> Row:
    """Each of two holds a row as it was first, and writes it again and again: all is kept, and counted once.

    A third one reads. The row as it was first.
    """
    queued = WarehouseRow(project="kargo-demo", name="app", refresh=True, reason="why", value="1", state=State.QUEUED)
    first = replace(row(state=State.QUEUED), warehouses=[queued])
    await write(journals[0], first)
    there = await journals[1].read(first.id)
    assert there is not None
    there.state = there.warehouses[0].state = State.REFRESHED
    there.attempts = [Attempt(at=NOON, refreshed=1)]
    await write(journals[1], there)
    for _ in range(3):
        first.redelivered_as = "later"
        await write(journals[0], first)
    there.warehouses[0].handled_at = there.handled_at = NOON + timedelta(seconds=3)
    there.warehouses[0].searched = Searched(finding=Finding.FOUND, at=NOON + timedelta(seconds=4))
    there.finding, there.found_at = Finding.FOUND, NOON + timedelta(seconds=4)
    await write(journals[1], there)
    await write(journals[0], first)
    read = await journals[2].read(first.id)
    assert read is not None
    assert (read.state, read.redelivered_as, read.attempts) == (State.REFRESHED, "later", there.attempts)
    assert (read.handled_at, read.finding, read.found_at) == (there.handled_at, Finding.FOUND, there.found_at)
    [hour] = await journals[2].hours(NOON)
    assert (hour.states, hour.findings) == ({"refreshed": 1}, {"found": 1})
    assert (sum(hour.answered), sum(hour.handled), sum(hour.found)) == (1, 1, 1)
    return first
