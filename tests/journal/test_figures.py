"""What an overview shows of the journal's aggregates, and how often they are read."""

from datetime import datetime, timedelta

import pytest

from receivers import limits
from receivers.journal.figures import RecentHours, Taken
from receivers.journal.hours import HOUR, Hour, Whose
from receivers.journal.journal import State
from receivers.storage.account import StorageError
from testbed.objects import PROJECT
from tests.examples import NOON, row
from tests.journal.shelf import Shelf

ACR = Whose("azure", PROJECT, "acr")


class CountingShelf(Shelf):
    """Notes from when on hours were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[datetime] = []

    async def hours(self, since: datetime) -> list[Hour]:
        self.asked.append(since)
        if self.away:
            raise StorageError("cannot be reached")
        return await super().hours(since)


class Time:
    """Both clocks, which stand unless a test sets them."""

    seconds = 1_000.0

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(minutes=20, seconds=self.seconds - 1_000)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def shelf() -> CountingShelf:
    return CountingShelf()


@pytest.fixture
def recent(shelf: CountingShelf, time: Time) -> RecentHours:
    return RecentHours(shelf, now=time.now, clock=time.clock)


async def test_hours_are_added_up_over_receivers(shelf: Shelf, recent: RecentHours) -> None:
    for at, state in ((NOON, State.REFRESHED), (NOON, State.REFUSED), (NOON - 30 * HOUR, State.FAILED)):
        shelf.write(row(at, state=state))
    shelf.write(row(NOON + timedelta(minutes=5), provider="quay"))
    figures = await recent.figures()
    assert figures.hours[NOON].states == {"refreshed": 2, "refused": 1}
    assert sum(figures.hours[NOON].answered) == 3
    assert figures.since(NOON - 40 * HOUR).states == {"refreshed": 2, "refused": 1, "failed": 1}
    assert figures.receivers[ACR] == {NOON: Taken(1, 1), NOON - 30 * HOUR: Taken(1, 0)}
    assert figures.busiest(NOON) == [(ACR, Taken(1, 1)), (ACR._replace(provider="quay"), Taken(1, 0))]
    assert figures.busiest(NOON + HOUR) == []


async def test_old_hours_are_read_seldom_and_new_ones_again_and_again(
    shelf: CountingShelf, recent: RecentHours, time: Time
) -> None:
    shelf.write(row(NOON - 30 * HOUR))
    await recent.figures()
    shelf.write(row(NOON + timedelta(minutes=20)))
    assert NOON not in (await recent.figures()).hours, "it was read a moment ago"
    time.seconds += limits.HOURS_FRESH
    assert set((await recent.figures()).hours) == {NOON, NOON - 30 * HOUR}
    assert [time.now() - since > 20 * HOUR for since in shelf.asked] == [True, False]
    shelf.write(row(NOON - 20 * HOUR))
    time.seconds += limits.HOURS_OLD_FRESH
    assert NOON - 20 * HOUR in (await recent.figures()).hours


async def test_a_store_that_is_away_is_told(shelf: CountingShelf, recent: RecentHours) -> None:
    shelf.away = True
    with pytest.raises(StorageError):
        await recent.figures()
    shelf.away = False
    assert (await recent.figures()).hours == {}
