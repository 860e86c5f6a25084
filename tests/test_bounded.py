"""A memory that stays small, whoever fills it."""

import pytest

from receivers.bounded import Bounded


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def memory(clock: Clock, *, entries: int = 100, size: int = 1_000, age: float = 60.0) -> Bounded[str, int]:
    return Bounded(entries=entries, size=size, age=age, clock=clock)


def test_what_was_put_last_under_a_key_is_known(clock: Clock) -> None:
    known = memory(clock)
    known.put("a", 1, size=1)
    known.put("a", 2, size=1)
    assert known.get("a") == 2
    assert known.get("b") is None
    assert len(known) == 1


def test_with_too_many_entries_the_first_goes_first(clock: Clock) -> None:
    known = memory(clock, entries=2)
    for number, key in enumerate(("a", "b", "c")):
        known.put(key, number, size=1)
    assert list(known) == ["b", "c"]


def test_with_too_many_bytes_the_first_go_first(clock: Clock) -> None:
    known = memory(clock, size=10)
    for key in ("a", "b", "c"):
        known.put(key, 0, size=4)
    assert list(known) == ["b", "c"]
    assert known.used == 8


def test_an_entry_put_anew_is_the_newest_and_is_counted_once(clock: Clock) -> None:
    known = memory(clock, entries=2)
    known.put("a", 1, size=3)
    known.put("b", 2, size=3)
    known.put("a", 3, size=5)
    assert known.used == 8
    known.put("c", 4, size=1)
    assert list(known) == ["a", "c"]


def test_what_is_larger_than_the_whole_room_is_not_kept_and_costs_the_others_nothing(clock: Clock) -> None:
    known = memory(clock, size=10)
    known.put("a", 1, size=4)
    known.put("b", 2, size=4)
    assert not known.put("a", 3, size=11)
    assert known.items() == [("b", 2)]
    assert known.used == 4


def test_an_entry_is_forgotten_when_its_time_is_over(clock: Clock) -> None:
    known = memory(clock, age=60)
    known.put("a", 1, size=1)
    clock.now = 60
    known.put("b", 2, size=1)
    assert known.get("a") == 1
    assert "a" in known
    clock.now = 60.1
    assert known.get("a") is None
    assert "a" not in known
    assert known.pop("a") is None
    assert known.items() == [("b", 2)]
    assert known.used == 1


def test_room_of_expired_entries_is_given_back_without_a_further_put(clock: Clock) -> None:
    known = memory(clock, age=60)
    known.put("a", 1, size=1)
    clock.now = 61
    assert len(known) == 0
    assert known.used == 0


def test_reading_renews_nothing(clock: Clock) -> None:
    known = memory(clock, entries=2)
    known.put("a", 1, size=1)
    known.put("b", 2, size=1)
    known.get("a")
    known.put("c", 3, size=1)
    assert list(known) == ["b", "c"]


def test_it_is_told_what_a_bound_took_away_and_nothing_else(clock: Clock) -> None:
    forgotten: list[tuple[str, int]] = []
    known = Bounded[str, int](
        entries=2, size=100, age=60, clock=clock, on_forgotten=lambda key, value: forgotten.append((key, value))
    )
    known.put("a", 1, size=1)
    known.put("a", 2, size=1)
    known.pop("a")
    known.put("b", 3, size=1)
    known.put("c", 4, size=1)
    known.put("d", 5, size=1)
    assert forgotten == [("b", 3)]
    clock.now = 61
    assert known.pop("c") is None
    assert not list(known)
    assert forgotten == [("b", 3), ("c", 4), ("d", 5)]


def test_cleared_it_is_empty(clock: Clock) -> None:
    known = memory(clock)
    known.put("a", 1, size=1)
    known.clear()
    assert (len(known), known.used) == (0, 0)
