"""What is read of a large cluster is set apart from what Python looks through for garbage."""

import gc
from collections.abc import Iterator

import pytest

from receivers.cluster import settling
from receivers.cluster.settling import Settling


@pytest.fixture(autouse=True)
def nothing_set_apart() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def count(objects: int) -> int:
    """How much is set apart after a list of so many."""
    counting = Settling()
    for _ in range(objects):
        counting.count()
    counting.end()
    return gc.get_freeze_count()


def test_of_a_large_list_everything_is_set_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "OBJECTS", 10)
    assert count(25) > 0
    made = [[] for _ in range(100)]  # type: ignore[var-annotated]
    before = gc.get_freeze_count()
    assert count(10) >= before + len(made)


def test_of_a_small_one_nothing_is() -> None:
    assert count(settling.OBJECTS - 1) == 0


def test_what_is_set_apart_is_freed_once_nothing_refers_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "OBJECTS", 1)
    made = [[] for _ in range(1_000)]  # type: ignore[var-annotated]
    before = count(1)
    made.clear()
    assert gc.get_freeze_count() <= before - 1_000
