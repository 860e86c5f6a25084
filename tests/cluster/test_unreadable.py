"""Which objects cannot be read, and how many."""

import pytest

from receivers import limits
from receivers.cluster.records import Key
from receivers.cluster.unreadable import Unreadable


def test_objects_are_named_counted_and_forgotten() -> None:
    unreadable = Unreadable()
    assert unreadable.note(Key("b", "x"), "odd")
    assert unreadable.note(Key("", "a"), "odd")
    assert not unreadable.note(Key("b", "x"), "odder")
    assert unreadable.note(None, "nameless")
    assert [(str(each), each.reason) for each in unreadable.named()] == [("a", "odd"), ("b/x", "odder")]
    assert len(unreadable) == 3
    unreadable.forget(Key("", "a"))
    unreadable.retain(set())
    unreadable.begin_list()
    assert len(unreadable) == 0


def test_of_very_many_some_are_named_and_reasons_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNREADABLE_NAMED", 10)
    unreadable = Unreadable()
    for number in range(25):
        unreadable.note(Key("", f"a{number}"), "x" * 10_000)
    assert (len(unreadable), len(unreadable.named())) == (25, 10)
    assert {len(each.reason) for each in unreadable.named()} == {limits.FREE_TEXT}
