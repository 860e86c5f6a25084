"""What the deliveries of each receiver tell of its sender: whether it has fallen silent, or is refused. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from receivers.journal.figures import Figures, Taken
from receivers.journal.hours import HOUR, OTHERS, Whose, full_hour

WEEK = timedelta(days=7)
WEEKS = 2  # before, which a silence is compared with
REGULAR = 4  # hours with deliveries in each of them
LATELY = 2 * HOUR
REFUSED = 3  # requests; fewer may be an accident

type _Hours = Mapping[datetime, Taken]


def silent(figures: Figures, *, now: datetime) -> list[tuple[Whose, datetime]]:
    """The receivers that have fallen silent, each with the hour of its last delivery, the latest last.

    A silence counts when the same hours of each of the two weeks before had deliveries in four or more of them. So
    nights and weekends say nothing, nor do the first two weeks. Of a silence that lasts its first week is compared, and
    it is told until the weeks before it are too old to be known. What was refused is no delivery.
    """
    found = [
        (whose, last) for whose, hours in figures.receivers.items() if (last := _silent_since(whose, hours, now=now))
    ]
    return sorted(found, key=lambda each: each[1])


def refused(figures: Figures, *, now: datetime) -> list[tuple[Whose, int]]:
    """The receivers whose sender is refused lately, as it was not before: with how many requests, the most first.

    Lately: this hour and the one before. It counts when three were refused or more than were taken, and that is more
    than twice as many as in two hours of the week before, on average.
    """
    found = [(whose, count) for whose, hours in figures.receivers.items() if (count := _refused(hours, now=now))]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def _silent_since(whose: Whose, hours: _Hours, *, now: datetime) -> datetime | None:
    active = {hour for hour, taken in hours.items() if taken.taken}
    if whose.receiver == OTHERS or not active:
        return None
    last = max(active)
    end = min(full_hour(now), last + WEEK)
    for week in range(1, WEEKS + 1):
        began, ended = last + HOUR - week * WEEK, end - week * WEEK
        if sum(began <= hour < ended for hour in active) < REGULAR:
            return None
    return last


def _refused(hours: _Hours, *, now: datetime) -> int:
    began = full_hour(now) - LATELY + HOUR
    lately = [taken for hour, taken in hours.items() if hour >= began]
    before = sum(taken.refused for hour, taken in hours.items() if began - WEEK <= hour < began)
    count = sum(each.refused for each in lately)
    usual = before * LATELY / WEEK
    enough = count >= REFUSED or count > sum(each.taken for each in lately)
    return count if enough and count > 2 * usual else 0
