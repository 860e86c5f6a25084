"""Deliveries by the hour."""

from datetime import timedelta

import msgspec
import pytest

from receivers import limits
from receivers.journal.hours import BOUNDS, HOUR, OTHERS, Hour, Merged, Tally, decoded, hour_of, names, quantile
from receivers.journal.journal import Finding, Row, State
from tests.examples import NOON, row


def merged(*tallies: tuple[Row, Tally]) -> list[Hour]:
    told = Merged()
    for each, tally in tallies:
        told.add(hour_of(each), decoded(tally.encoded()))
    return told.hours()


def test_a_delivery_that_gets_further_counts_once() -> None:
    """Another instance may have noted it first."""
    here, there = Tally(), Tally()
    queued = row(state=State.QUEUED)
    here.change(queued, names(queued), ())
    refreshed = msgspec.structs.replace(
        queued, state=State.REFRESHED, handled_at=NOON + timedelta(seconds=2), finding=Finding.SOUGHT
    )
    there.change(refreshed, names(refreshed), names(queued))
    found = msgspec.structs.replace(refreshed, finding=Finding.FOUND, found_at=NOON + timedelta(seconds=5))
    here.change(found, names(found), names(refreshed))
    [hour] = merged((queued, here), (queued, there))
    assert (hour.began, hour.states, hour.findings) == (NOON, {"refreshed": 1}, {"found": 1})
    assert (sum(hour.answered), sum(hour.handled), sum(hour.found)) == (1, 1, 1)
    assert quantile(hour.handled, 1) == pytest.approx(2, rel=0.5)
    assert quantile(hour.found, 1) == pytest.approx(5, rel=0.5)


def test_there_is_one_for_each_hour_and_receiver_oldest_first() -> None:
    tallies = []
    for each in (row(NOON), row(NOON, provider="quay"), row(NOON - HOUR), row(NOON + HOUR / 2)):
        tally = Tally()
        tally.change(each, names(each), ())
        tallies.append((each, tally))
    told = [(hour.began, hour.provider, hour.states) for hour in merged(*tallies)]
    assert told == [
        (NOON - HOUR, "azure", {"refreshed": 1}),
        (NOON, "azure", {"refreshed": 2}),
        (NOON, "quay", {"refreshed": 1}),
    ]


def test_very_many_receivers_are_counted_together() -> None:
    tally = Tally()
    for number in range(limits.HOUR_RECEIVERS * 3):
        each = msgspec.structs.replace(row(), receiver="r" * 250 + str(number))
        tally.change(each, names(each), ())
    hours = merged((row(), tally))
    assert len(hours) == limits.HOUR_RECEIVERS + 1
    assert [sum(hour.states.values()) for hour in hours if hour.receiver == OTHERS] == [limits.HOUR_RECEIVERS * 2]
    assert len(tally.encoded()) < 100_000


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 1])
@pytest.mark.parametrize("seconds", [0.0002, 0.001, 0.03, 1.0, 59.0, 3000.0])
def test_a_quantile_is_as_exact_as_the_bounds(seconds: float, share: float) -> None:
    place = next(number for number, bound in enumerate(BOUNDS) if seconds <= bound)
    counts = [7 if number == place else 0 for number in range(len(BOUNDS) + 1)]
    told = quantile(counts, share)
    assert told is not None
    assert (BOUNDS[place - 1] if place else 0) <= told <= BOUNDS[place]


def test_quantiles_of_nothing_and_of_much() -> None:
    assert quantile([], 0.5) is None
    assert quantile([0] * (len(BOUNDS) + 1), 0.5) is None
    assert quantile([0] * len(BOUNDS) + [1], 0.5) == BOUNDS[-1]
    assert quantile([0] * 10 + [95] + [0] * 9 + [5] + [0] * 18, 0.95) == pytest.approx(BOUNDS[10])


def test_what_went_to_a_former_url_of_a_receiver_does_not_count_as_refused_by_it() -> None:
    tally = Tally()
    former = msgspec.structs.replace(row(), state=State.REFUSED, status=404)
    tally.change(former, names(former), ())
    [hour] = merged((former, tally))
    assert (hour.provider, hour.project, hour.receiver, hour.states) == ("azure", "", "", {"refused": 1})
