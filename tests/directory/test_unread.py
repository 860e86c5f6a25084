"""Whose Secret is read next for a URL that no receiver is known for."""

from receivers import limits
from receivers.directory.hints import Key
from receivers.directory.unread import Budget, Turns


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def turns(clock: Clock, *keys: Key) -> Turns:
    made = Turns(clock=clock)
    for key in keys:
        made.add(key)
    return made


def taken(made: Turns, count: int) -> list[Key]:
    keys: list[Key] = []
    while len(keys) < count and (key := made.next()) is not None:
        made.begun(key)
        keys.append(key)
    return keys


def test_a_budget_is_spent_at_once_and_comes_back_slowly() -> None:
    clock = Clock()
    budget = Budget(at_once=3, per_second=0.5, clock=clock)
    assert [budget.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 2
    assert [budget.take() for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [budget.take() for _ in range(4)] == [True, True, True, False]


def test_projects_take_turns() -> None:
    crowd = [("crowd", f"r{number}") for number in range(1000)]
    made = turns(Clock(), *crowd, ("honest", "r"), ("other", "r"))
    assert taken(made, 3) == [("crowd", "r0"), ("honest", "r"), ("other", "r")]


def test_those_never_read_and_those_read_take_turns() -> None:
    clock = Clock()
    made = turns(clock, ("a", "1"), ("a", "2"))
    assert taken(made, 9) == [("a", "1"), ("a", "2")]
    clock.now += limits.UNKNOWN_AGAIN
    for number in range(3, 1000):
        made.add(("a", str(number)))
    assert set(taken(made, 4)) == {("a", "1"), ("a", "2"), ("a", "3"), ("a", "4")}


def test_those_never_read_come_first() -> None:
    clock = Clock()
    made = turns(clock, ("a", "1"), ("b", "2"))
    made.begun(("a", "1"))
    clock.now += limits.UNKNOWN_AGAIN
    assert taken(made, 2) == [("b", "2"), ("a", "1")]


def test_a_secret_is_worth_reading_again_after_a_while_and_sooner_when_it_could_not_be_read() -> None:
    clock = Clock()
    made = turns(clock, ("a", "1"), ("b", "2"))
    assert len(taken(made, 9)) == 2
    made.failed(("b", "2"))
    assert taken(made, 9) == []
    clock.now += limits.UNKNOWN_RETRY
    assert taken(made, 9) == [("b", "2")]
    clock.now += limits.UNKNOWN_AGAIN
    assert set(taken(made, 9)) == {("a", "1"), ("b", "2")}


def test_what_is_added_twice_or_was_read_is_not_new() -> None:
    made = turns(Clock(), ("a", "1"), ("a", "1"))
    assert taken(made, 9) == [("a", "1")]
    made.add(("a", "1"))
    assert taken(made, 9) == []


def test_what_is_removed_has_no_turn_and_leaves_nothing() -> None:
    made = turns(Clock(), ("a", "1"), ("a", "2"))
    assert taken(made, 1) == [("a", "1")]
    for key in (("a", "1"), ("a", "2"), ("b", "3")):
        made.remove(key)
    assert taken(made, 9) == []
    assert not made._unread
    assert not made._read
