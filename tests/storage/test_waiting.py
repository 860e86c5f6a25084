"""What waits to be stored is bounded in time; test_write_behind.py has the other bounds."""

import pytest

from receivers import limits
from receivers.storage.waiting import Rank, Waiting

DAYS = 24 * 3600.0


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waiting(clock: Clock) -> Waiting[str]:
    return Waiting(clock=clock)


def put(waiting: Waiting[str], key: str) -> int:
    return waiting.put(key, key, size=10, rank=Rank.MUCH)


def test_what_has_waited_for_three_days_goes_and_nothing_else(waiting: Waiting[str], clock: Clock) -> None:
    assert limits.JOURNAL_WAITING_AGE == 3 * DAYS
    put(waiting, "first")
    clock.now += DAYS
    put(waiting, "second")
    clock.now += 2 * DAYS
    assert put(waiting, "third") == 0
    clock.now += 1
    assert put(waiting, "fourth") == 1
    assert [each for each in ("first", "second", "third", "fourth") if waiting.get(each)] == [
        "second",
        "third",
        "fourth",
    ]


def test_a_later_version_waits_since_the_first_one(waiting: Waiting[str], clock: Clock) -> None:
    put(waiting, "row")
    clock.now += 2 * DAYS
    put(waiting, "row")
    clock.now += 2 * DAYS
    assert put(waiting, "other") == 1
    assert waiting.get("row") is None


@pytest.mark.parametrize("again", [Waiting.put_back, Waiting.put_behind])
def test_what_could_not_be_stored_waits_no_longer_for_that(waiting: Waiting[str], clock: Clock, again: object) -> None:
    put(waiting, "row")
    clock.now += 3 * DAYS + 1
    taken = waiting.take(most=1, size=100)
    assert again(waiting, taken) == 1  # type: ignore[operator]  # one of the two methods
    assert len(waiting) == 0
