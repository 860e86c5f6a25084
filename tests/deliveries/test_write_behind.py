"""What is written later: many at once, kept while the store is away, lost only with the process."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from receivers import limits
from receivers.deliveries.storage import StorageError
from receivers.deliveries.write_behind import WriteBehind
from tests.waiting import eventually


class Store:
    """A store that does as the test tells it, and remembers."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failure: Exception | None = None
        self.tried = 0
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, items: list[str]) -> None:
        self.tried += 1
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.batches.append(items)

    @property
    def items(self) -> list[str]:
        return [item for batch in self.batches for item in batch]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.01)
    monkeypatch.setattr(limits, "BACKOFF_FIRST", 0.001)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def writing(store: Store) -> AsyncIterator[WriteBehind[str]]:
    writing = WriteBehind(store.write, what="row")
    yield writing
    await writing.close()


async def test_what_comes_within_the_interval_is_written_together(store: Store, writing: WriteBehind[str]) -> None:
    for item in "abc":
        writing.add(item, item)
    await eventually(lambda: bool(store.batches))
    assert store.batches == [["a", "b", "c"]]


async def test_a_full_batch_does_not_wait(
    store: Store, writing: WriteBehind[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 3600.0)
    for number in range(limits.JOURNAL_BATCH + 1):
        writing.add(str(number), str(number))
    await eventually(lambda: bool(store.batches))
    assert [len(batch) for batch in store.batches] == [limits.JOURNAL_BATCH]


async def test_the_later_version_of_an_item_is_written_and_the_earlier_one_is_not(
    store: Store, writing: WriteBehind[str]
) -> None:
    writing.add("key", "earlier")
    writing.add("key", "later")
    await eventually(lambda: bool(store.batches))
    assert store.items == ["later"]


async def test_what_is_not_written_yet_can_be_read(store: Store, writing: WriteBehind[str]) -> None:
    writing.add("key", "item")
    assert writing.get("key") == "item"
    store.open.clear()
    await eventually(lambda: store.tried == 1)
    assert writing.get("key") == "item"
    store.open.set()
    await eventually(lambda: bool(store.batches))
    assert writing.get("key") is None


async def test_what_comes_after_a_pause_is_written_too(store: Store, writing: WriteBehind[str]) -> None:
    writing.add("a", "a")
    await eventually(lambda: store.items == ["a"])
    writing.add("b", "b")
    await eventually(lambda: store.items == ["a", "b"])


async def test_items_are_kept_while_the_store_is_away_and_written_in_order(
    store: Store, writing: WriteBehind[str]
) -> None:
    store.failure = StorageError("cannot be reached")
    writing.add("a", "a")
    await eventually(lambda: store.tried >= 2)
    writing.add("b", "b")
    assert writing.fault() == "cannot be reached; 2 rows wait"
    store.failure = None
    await eventually(lambda: store.items == ["a", "b"])
    assert writing.fault() == ""


async def test_a_version_that_came_while_the_earlier_one_failed_wins(store: Store, writing: WriteBehind[str]) -> None:
    store.failure = StorageError("cannot be reached")
    store.open.clear()
    writing.add("key", "earlier")
    await eventually(lambda: store.tried == 1)
    writing.add("key", "later")
    store.open.set()
    await eventually(lambda: store.tried >= 2)
    store.failure = None
    await eventually(lambda: bool(store.items))
    assert store.items == ["later"]


async def test_only_so_many_items_are_kept_the_latest_ones(
    store: Store, writing: WriteBehind[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_WAITING", 3)
    store.failure = StorageError("cannot be reached")
    for item in "abcde":
        writing.add(item, item)
    await eventually(lambda: writing.fault() == "cannot be reached; 3 rows wait, 2 dropped")
    store.failure = None
    await eventually(lambda: store.items == ["c", "d", "e"])


@pytest.mark.parametrize("failure", [ValueError("a defect"), StorageError("400 PropertyValueTooLarge", status=400)])
async def test_a_defect_costs_one_batch_and_not_the_rest(
    store: Store, writing: WriteBehind[str], caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    store.failure = failure
    writing.add("a", "a")
    await eventually(lambda: "1 rows" in caplog.text)
    assert str(failure) in caplog.text
    store.failure = None
    writing.add("b", "b")
    await eventually(lambda: store.items == ["b"])


async def test_an_outage_is_logged_once(
    store: Store, writing: WriteBehind[str], caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = StorageError("cannot be reached")
    writing.add("a", "a")
    await eventually(lambda: store.tried >= 3)
    assert caplog.messages == ["rows cannot be stored: cannot be reached"]
    store.failure = None


async def test_closing_writes_what_waits(store: Store, writing: WriteBehind[str]) -> None:
    for number in range(250):
        writing.add(str(number), str(number))
    await writing.close()
    assert store.items == [str(number) for number in range(250)]


async def test_closing_writes_what_was_being_written(store: Store, writing: WriteBehind[str]) -> None:
    store.open.clear()
    writing.add("a", "a")
    await eventually(lambda: store.tried == 1)
    store.open.set()
    await writing.close()
    assert store.items == ["a"]


async def test_closing_tries_once_a_store_that_is_away_and_says_what_is_lost(
    store: Store, writing: WriteBehind[str], caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = StorageError("cannot be reached")
    writing.add("a", "a")
    await writing.close()
    assert "1 rows are lost: cannot be reached" in caplog.text


async def test_closing_does_not_wait_for_ever(
    store: Store, writing: WriteBehind[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLOSE_GRACE", 0.01)
    store.open.clear()
    writing.add("a", "a")
    await writing.close()
    assert "1 rows are lost: no time was left" in caplog.text
    store.open.set()


def test_what_waits_is_written_when_the_event_loop_ends() -> None:
    stores = []

    async def leave_without_closing() -> None:
        store = Store()
        stores.append(store)
        WriteBehind(store.write, what="row").add("a", "a")
        await asyncio.sleep(0)

    asyncio.run(leave_without_closing())
    assert stores[0].items == ["a"]
