"""What is written later: many at once, kept while the store is away, lost only with the process."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from receivers import limits
from receivers.cluster.backoff import Backoff
from receivers.storage.account import StorageError
from receivers.storage.waiting import Rank
from receivers.storage.write_behind import WriteBehind
from testbed.waiting import eventually


class Store:
    """A store that does as the test tells it, and remembers."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failure: Exception | None = None
        self.refused: dict[str, Exception] = {}  # a batch that has one of these is refused
        self.away_after = 1_000_000  # calls
        self.sizes: set[int] = set()  # of batches
        self.tried = 0
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, items: list[str]) -> None:
        self.tried += 1
        self.sizes.add(len(items))
        await self.open.wait()
        if self.tried > self.away_after:
            raise StorageError("cannot be reached")
        for item in items:
            if item in self.refused:
                raise self.refused[item]
        if self.failure is not None:
            raise self.failure
        self.batches.append(items)

    @property
    def items(self) -> list[str]:
        return [item for batch in self.batches for item in batch]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.01)
    monkeypatch.setattr("receivers.storage.write_behind.Backoff", lambda: Backoff(last=0.01))


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
    await eventually(lambda: writing.fault().startswith("cannot be reached; 3 rows wait; 2 rows were dropped since "))
    store.failure = None
    await eventually(lambda: store.items == ["c", "d", "e"])
    assert writing.fault().startswith("2 rows were dropped since ")


async def test_what_is_worth_little_goes_first_and_what_is_worth_much_stays(
    store: Store, writing: WriteBehind[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_WAITING", 3)
    store.failure = StorageError("cannot be reached")
    writing.add("push", "push")
    for item in "abcde":
        writing.add(item, item, rank=Rank.LITTLE)
    store.failure = None
    await eventually(lambda: store.items == ["push", "d", "e"])


async def test_only_so_many_bytes_are_kept(
    store: Store, writing: WriteBehind[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_WAITING_BYTES", 3_000)
    store.failure = StorageError("cannot be reached")
    for item in "abcde":
        writing.add(item, item, size=900)
    store.failure = None
    await eventually(lambda: store.items == ["d", "e"])


async def test_large_items_are_stored_in_smaller_batches(
    store: Store, writing: WriteBehind[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_BATCH_BYTES", 3_000)
    for item in "abc":
        writing.add(item, item, size=900)
    writing.add("huge", "huge", size=10_000)
    await eventually(lambda: store.batches == [["a", "b"], ["c"], ["huge"]])


async def test_what_waits_stays_in_order_whatever_fails(store: Store, writing: WriteBehind[str]) -> None:
    store.failure = StorageError("cannot be reached")
    for item in "abc":
        writing.add(item, item)
    await eventually(lambda: store.tried >= 2)
    writing.add("b", "later b")
    store.failure = None
    await eventually(lambda: store.items == ["a", "later b", "c"])


# What the store refuses


REFUSALS = [
    ValueError("a defect"),
    StorageError("400 PropertyValueTooLarge", status=400),
    StorageError("413 RequestBodyTooLarge", status=413),
    StorageError("500 InternalError", status=500),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
@pytest.mark.parametrize(
    "bad", [{"0"}, {"57"}, {"99"}, {"3", "4", "5"}, {"0", "50", "99"}], ids=lambda bad: "+".join(sorted(bad))
)
async def test_of_a_batch_that_is_refused_only_the_bad_items_are_lost(
    store: Store, writing: WriteBehind[str], caplog: pytest.LogCaptureFixture, refusal: Exception, bad: set[str]
) -> None:
    store.refused = dict.fromkeys(bad, refusal)
    items = [str(number) for number in range(100)]
    for item in items:
        writing.add(item, item)
    await eventually(lambda: len(store.items) == len(items) - len(bad))
    await eventually(lambda: writing.fault().startswith(f"{len(bad)} row{'' if len(bad) == 1 else 's'} w"))
    assert set(store.items) == set(items) - bad
    assert str(refusal) in writing.fault()
    assert "dropped: the store refuses it" in caplog.text


@pytest.mark.parametrize("refusal", REFUSALS[:3], ids=str)
async def test_an_item_that_waits_alone_is_dropped_when_it_is_refused(
    store: Store, writing: WriteBehind[str], refusal: Exception
) -> None:
    store.refused = {"bad": refusal}
    writing.add("bad", "bad")
    await eventually(lambda: writing.fault().startswith("1 row was dropped"))
    writing.add("b", "b")
    await eventually(lambda: store.items == ["b"])


async def test_an_item_alone_at_which_the_store_fails_waits_until_another_shows_that_the_store_is_well(
    store: Store, writing: WriteBehind[str]
) -> None:
    store.refused = {"bad": REFUSALS[-1]}
    writing.add("bad", "bad")
    await eventually(lambda: store.tried >= 10)
    assert writing.fault() == "500 InternalError; 1 rows wait"
    writing.add("b", "b")
    await eventually(lambda: store.items == ["b"])
    await eventually(lambda: writing.fault().startswith("1 row was dropped"))


async def test_a_flood_of_items_at_which_the_store_fails_does_not_hold_the_others_up(
    store: Store, writing: WriteBehind[str]
) -> None:
    bad = {f"bad-{number}": REFUSALS[-1] for number in range(limits.JOURNAL_BATCH * 2)}
    store.refused = dict(bad)
    for item in bad:
        writing.add(item, item)
    writing.add("good", "good")
    await eventually(lambda: store.items == ["good"])
    writing.add("another", "another")
    await eventually(lambda: store.items == ["good", "another"])
    await eventually(lambda: writing.fault().startswith(f"{len(bad)} rows were dropped"))


@pytest.mark.parametrize("status", [0, 401, 403, 408, 429, 503])
async def test_a_store_that_is_away_or_busy_refuses_nothing(
    store: Store, writing: WriteBehind[str], status: int
) -> None:
    store.failure = StorageError("not now", status=status)
    for item in "abcd":
        writing.add(item, item)
    await eventually(lambda: store.tried >= 8)
    assert writing.fault() == "not now; 4 rows wait"
    assert store.sizes == {4}
    store.failure = None
    await eventually(lambda: store.batches == [["a", "b", "c", "d"]])


async def test_a_store_that_fails_at_everything_loses_nothing_and_is_asked_little(
    store: Store, writing: WriteBehind[str]
) -> None:
    store.failure = StorageError("500 InternalError", status=500)
    items = [str(number) for number in range(250)]
    for item in items:
        writing.add(item, item)
    await eventually(lambda: store.tried >= 60)
    assert writing.fault() == "500 InternalError; 250 rows wait"
    store.failure = None
    await eventually(lambda: len(store.items) == 250)
    assert set(store.items) == set(items)


async def test_a_store_that_goes_away_while_a_bad_item_is_sought_loses_nothing(
    store: Store, writing: WriteBehind[str]
) -> None:
    store.refused = {"3": StorageError("400 InvalidInput", status=400)}
    store.away_after = 2
    for number in range(8):
        writing.add(str(number), str(number))
    await eventually(lambda: store.tried >= 6)
    assert "dropped" not in writing.fault()
    store.away_after = 1_000_000
    await eventually(lambda: len(store.items) == 7)


async def test_drops_are_logged_once_a_minute_by_their_keys_where_these_may_be_seen(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    writing = WriteBehind[str](store.write, what="row", named=True)
    store.refused = {str(number): StorageError("400 InvalidInput", status=400) for number in range(5)}
    for number in range(5):
        writing.add(str(number), str(number))
    await eventually(lambda: writing.fault().startswith("5 rows were dropped"))
    first, *later = [line for line in caplog.messages if "dropped" in line]
    assert first == "1 row was dropped: the store refuses 0: 400 InvalidInput"
    assert len(later) <= 1
    await writing.close()


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
