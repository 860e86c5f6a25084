"""Who has fallen silent, and who is refused, by the hours of the journal."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from receivers.journal.figures import Figures, Taken
from receivers.journal.hours import HOUR, OTHERS, Whose
from receivers.pages.senders import refused, silent

NOW = datetime(2026, 11, 27, 15, 20, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)
ACR = Whose("azure", "kargo-demo", "acr")
SOME = Taken(3)


def working_hours(*, until: datetime, days: int = 28) -> list[datetime]:
    """From Monday to Friday, 8 to 18 o'clock."""
    hours = [(NOW - days * DAY).replace(minute=0) + count * HOUR for count in range(days * 24 + 24)]
    return [hour for hour in hours if hour < until and hour.weekday() < 5 and 8 <= hour.hour < 18]


def figures(hours: Iterable[datetime], *, whose: Whose = ACR, taken: Taken = SOME) -> Figures:
    return Figures(receivers={whose: dict.fromkeys(hours, taken)})


@pytest.mark.parametrize(
    ("last", "now", "is_silent"),
    [
        (NOW, NOW, False),
        (NOW - 4 * HOUR, NOW, False),
        (NOW - 6 * HOUR, NOW, True),
        (NOW, NOW + DAY, False),  # at night, and on Saturday
        (NOW + 3 * HOUR, datetime(2026, 11, 30, 9, tzinfo=UTC), False),  # on Monday morning
        (NOW + 3 * HOUR, datetime(2026, 11, 30, 14, tzinfo=UTC), True),  # on Monday afternoon
        (NOW - 9 * DAY, NOW, True),
    ],
)
def test_silent_is_who_used_to_deliver_in_the_same_hours(last: datetime, now: datetime, is_silent: bool) -> None:
    found = silent(figures(working_hours(until=last)), now=now)
    assert [whose for whose, _ in found] == ([ACR] if is_silent else [])


def test_a_silence_is_told_with_the_hour_of_the_last_delivery() -> None:
    hours = working_hours(until=NOW - DAY)
    assert silent(figures(hours), now=NOW) == [(ACR, hours[-1])]


def test_two_weeks_have_to_be_known() -> None:
    assert silent(figures(working_hours(until=NOW - DAY, days=10)), now=NOW) == []


def test_a_refused_delivery_is_none() -> None:
    known = figures(working_hours(until=NOW - DAY))
    known.receivers[ACR] |= dict.fromkeys([(NOW - each * HOUR).replace(minute=0) for each in range(9)], Taken(0, 5))
    assert [whose for whose, _ in silent(known, now=NOW)] == [ACR]
    assert silent(figures(working_hours(until=NOW), taken=Taken(0, 5)), now=NOW) == []


def test_those_that_are_counted_together_are_nobody() -> None:
    assert silent(figures(working_hours(until=NOW - DAY), whose=Whose("azure", "", OTHERS)), now=NOW) == []


@pytest.mark.parametrize(
    ("lately", "earlier", "count"),
    [
        (Taken(9, 0), Taken(9, 0), 0),
        (Taken(0, 1), Taken(9, 0), 1),
        (Taken(9, 1), Taken(9, 0), 0),
        (Taken(9, 3), Taken(9, 0), 3),
        (Taken(9, 5), Taken(9, 1), 5),
        (Taken(9, 3), Taken(9, 2), 0),  # as always
        (Taken(0, 1), Taken(0, 1), 0),
    ],
)
def test_refused_is_whose_requests_were_taken_before(lately: Taken, earlier: Taken, count: int) -> None:
    this_hour = NOW.replace(minute=0)
    known = figures([this_hour - each * HOUR for each in range(2, 170)], taken=earlier)
    known.receivers[ACR][this_hour] = lately
    assert refused(known, now=NOW) == ([(ACR, count)] if count else [])
