"""What is looked for, as it waits."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receivers import limits
from receivers.events import Pushed, Target
from receivers.searches import search as searching
from receivers.searches.search import Search, Sought, UnreadableSearch
from tests.examples import NOON, push

FIRST, SECOND = "0" * 24, "1" * 24


def sought(event: Pushed | None = None, *deliveries: str, seconds: float = 0.0) -> Sought:
    return Sought(event=event or push(), deliveries=deliveries or (FIRST,), since=NOON + timedelta(seconds=seconds))


def search(*each: Sought) -> Search:
    return Search(project="kargo-demo", warehouse="app", value="x", sought=each or (sought(),), begun=NOON)


def test_a_search_is_read_as_it_was_written() -> None:
    assert searching.decode(searching.encode(search())) == search()
    assert search().target == Target("kargo-demo", "app")


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 100_000, b'{"herald":1}', b"\xff", b'{"version":1}'])
def test_what_is_no_search_is_told_as_such(text: bytes) -> None:
    with pytest.raises(UnreadableSearch, match="it is not a search of this service, or was damaged"):
        searching.decode(text)


def test_a_newer_version_is_told_as_such() -> None:
    newer = msgspec.structs.replace(search(), version=2)
    with pytest.raises(UnreadableSearch, match="its version is 2; this service reads version 1"):
        searching.decode(searching.encode(newer))


def test_a_time_that_cannot_be_told_in_every_zone_is_refused() -> None:
    text = searching.encode(search()).replace(b'"begun":"2026', b'"begun":"9999')
    with pytest.raises(UnreadableSearch):
        searching.decode(text)


@given(st.binary())
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with pytest.raises(UnreadableSearch):
        searching.decode(text)


def test_a_delivery_is_looked_for_as_far_as_is_bounded() -> None:
    pushes = [push(tag=f"1.0.{number}") for number in range(limits.SEARCH_PUSHES + 1)]
    found = searching.sought(FIRST, pushes, since=NOON)
    assert [each.event for each in found] == pushes[:-1]
    assert {each.deliveries for each in found} == {(FIRST,)}


@pytest.mark.parametrize("count", [0, limits.SEARCH_QUALIFIERS + 1])
def test_a_push_of_no_tag_or_of_very_many_is_not_looked_for(count: int) -> None:
    event = msgspec.structs.replace(push(), qualifiers=tuple(map(str, range(count))))
    assert searching.sought(FIRST, [event], since=NOON) == []


def test_of_a_large_push_its_files_are_not_kept() -> None:
    event = msgspec.structs.replace(push(), changed_files=frozenset(f"file-{number}" for number in range(1_000)))
    (found,) = searching.sought(FIRST, [event], since=NOON)
    assert found.event.changed_files is None


def test_a_push_that_is_large_without_its_files_is_not_looked_for() -> None:
    event = msgspec.structs.replace(push(), qualifiers=("x" * limits.SEARCH_EVENT,))
    assert searching.sought(FIRST, [event], since=NOON) == []


def test_equal_pushes_are_looked_for_once_for_all_who_told_of_them() -> None:
    (found,) = searching.merged([sought(None, SECOND, seconds=1), sought(None, FIRST)])
    assert found == sought(None, FIRST, SECOND)


def test_of_a_tag_that_was_pushed_again_the_latest_push_counts() -> None:
    older, newer = push(), msgspec.structs.replace(push(), digest="sha256:2")
    (found,) = searching.merged([sought(newer, SECOND, seconds=1), sought(older, FIRST)])
    assert (found.event, found.deliveries) == (newer, (FIRST, SECOND))


def test_different_tags_stay_apart() -> None:
    assert len(searching.merged([sought(push(tag="1")), sought(push(tag="2"))])) == 2


def test_of_very_many_who_told_the_latest_are_remembered() -> None:
    many = [sought(None, f"{number:024x}", seconds=number) for number in range(limits.SEARCH_TOLD + 1)]
    (found,) = searching.merged(many)
    assert found.deliveries == tuple(f"{number:024x}" for number in range(1, limits.SEARCH_TOLD + 1))


def test_a_search_of_as_much_as_there_may_be_fits_a_message() -> None:
    deliveries = tuple(f"{number:024x}" for number in range(limits.SEARCH_TOLD))
    event = msgspec.structs.replace(push(), qualifiers=("x" * 600,))
    whole = search(*(sought(event, *deliveries) for _ in range(limits.SEARCH_PUSHES)))
    assert len(searching.encode(whole)) <= limits.QUEUE_MESSAGE
