"""What this process waits for is bounded, and told apart by Warehouse and by delivery."""

from receivers import limits
from receivers.events import Target
from receivers.searches.awaited import ENTRY, SOUGHT, Awaited
from receivers.searches.search import Sought
from tests.examples import NOON, push

APP, WEB = Target("kargo-demo", "app"), Target("kargo-demo", "web")
FIRST, SECOND = "0" * 24, "1" * 24


class Seconds:
    """How many have passed, as the test tells it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sought(*deliveries: str) -> Sought:
    return Sought(event=push(), deliveries=deliveries, since=NOON)


def test_what_is_awaited_of_a_warehouse_is_told_in_its_order() -> None:
    awaited = Awaited()
    assert not awaited
    awaited.add(APP, "a", [sought(FIRST)])
    awaited.add(APP, "b", [sought(SECOND)], kept=True)
    assert [(each.value, each.sought.deliveries, each.kept) for each in awaited.of(APP)] == [
        ("a", (FIRST,), False),
        ("b", (SECOND,), True),
    ]
    assert (awaited.of(WEB), WEB in awaited, APP in awaited, bool(awaited)) == ([], False, True, True)
    assert awaited.all() == [(APP, awaited.of(APP))]


def test_a_delivery_is_awaited_until_all_of_it_is_removed() -> None:
    awaited = Awaited()
    awaited.add(APP, "a", [sought(FIRST)])
    awaited.add(WEB, "a", [sought(FIRST)])
    awaited.remove(APP, awaited.of(APP))
    assert awaited.is_awaited(FIRST)
    awaited.remove(WEB, awaited.of(WEB))
    assert not awaited.is_awaited(FIRST)
    assert not awaited
    assert APP not in awaited


def test_of_equal_ones_only_those_that_are_meant_are_removed() -> None:
    awaited = Awaited(clock=lambda: 0.0)
    one = sought(FIRST)
    awaited.add(APP, "a", [one, one])
    awaited.remove(APP, awaited.of(APP)[:1])
    assert len(awaited.of(APP)) == 1
    assert awaited.is_awaited(FIRST)


def test_what_was_removed_already_is_no_fault() -> None:
    awaited = Awaited()
    awaited.remove(APP, [])
    assert not awaited


def test_of_one_warehouse_the_latest_are_awaited() -> None:
    awaited = Awaited()
    for number in range(limits.SEARCH_DELIVERIES + 1):
        awaited.add(APP, "a", [sought(f"{number:024x}")])
    assert len(awaited.of(APP)) == limits.SEARCH_DELIVERIES
    assert not awaited.is_awaited(f"{0:024x}")
    assert awaited.is_awaited(f"{1:024x}")


def test_of_many_warehouses_those_of_the_latest_pushes_are_awaited() -> None:
    awaited = Awaited()
    size = SOUGHT + ENTRY * limits.SEARCH_DELIVERIES
    fitting = limits.SEARCH_BYTES // size
    for number in range(fitting + 1):
        target = Target("kargo-demo", f"app-{number}")
        awaited.add(target, "a", [sought(f"{number:024x}")] * limits.SEARCH_DELIVERIES)
    assert (len(awaited.all()), awaited.is_awaited(f"{0:024x}")) == (fitting, False)


def test_what_has_waited_long_is_told() -> None:
    seconds = Seconds()
    awaited = Awaited(clock=seconds)
    awaited.add(APP, "a", [sought(FIRST)])
    seconds.now = limits.SEARCH_PATIENCE
    awaited.add(APP, "b", [sought(SECOND)])
    assert awaited.overdue() == []
    seconds.now += 1
    ((target, (late,)),) = awaited.overdue()
    assert (target, late.value) == (APP, "a")


def test_what_nobody_removes_is_forgotten() -> None:
    seconds = Seconds()
    awaited = Awaited(clock=seconds)
    awaited.add(APP, "a", [sought(FIRST)])
    seconds.now = limits.SEARCH_AGE + 1
    assert not awaited
    assert not awaited.is_awaited(FIRST)
