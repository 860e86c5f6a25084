"""Rows are counted once, whatever becomes of the answers to their writes.

The store is simulated: none that runs here loses an answer when it is told to.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from msgspec.structs import replace

from receivers.journal import journal
from receivers.journal.hours import names
from receivers.journal.journal import Row, State
from receivers.journal.versions import Change, Found, Versions
from receivers.storage.account import StorageError
from tests.examples import row

QUEUED = row(state=State.QUEUED)
REFRESHED = replace(QUEUED, state=State.REFRESHED)
OTHERS = replace(QUEUED, state=State.FAILED)


class Forgetful:
    """One row at a time. What ``becomes`` of the next writes: stored, lost (the answer), away or hanging."""

    def __init__(self) -> None:
        self.becomes: list[str] = []
        self.counted: Counter[str] = Counter()
        self.stored = asyncio.Event()
        self._found: Found | None = None

    async def replace(self, changes: Sequence[Change]) -> list[str]:
        what = self.becomes.pop(0) if self.becomes else "stored"
        (change,) = changes
        if what == "away":
            raise StorageError("no answer")
        if change.etag != (self._found.etag if self._found else ""):
            raise StorageError("somebody else has written it", status=412 if change.etag else 409)
        self.write(change.row, by=change.counted)
        if what == "lost":
            raise StorageError("no answer")
        if what == "hanging":
            self.stored.set()
            await asyncio.Event().wait()
        assert self._found is not None
        return [self._found.etag]

    async def find(self, _delivery: str) -> Found | None:
        return self._found

    def settle(self, row: Row, told: Iterable[str], before: Iterable[str]) -> None:
        assert row.id == QUEUED.id
        self.counted.update(told)
        self.counted.subtract(before)

    def write(self, row: Row, *, by: str) -> None:
        etag = str(int(self._found.etag) + 1 if self._found else 1)
        self._found = Found(journal.decode(journal.encode(row)), by, etag)

    def counts_for(self, row: Row) -> bool:
        """Whether it counts for what this row tells, once, and for nothing else."""
        return +self.counted == Counter(names(row)) and min(self.counted.values()) >= 0


@pytest.fixture
def store() -> Forgetful:
    return Forgetful()


@pytest.fixture
def versions(store: Forgetful) -> Versions:
    return Versions(replace=store.replace, find=store.find, settle=store.settle)


async def put(versions: Versions, row: Row, *, tries: int) -> None:
    for _ in range(tries):
        try:
            await versions.put([row])
        except StorageError:
            continue
        return
    pytest.fail("it was never written")


@pytest.mark.parametrize(
    "becomes",
    [[], ["lost"], ["away", "lost"], ["lost", "away"], ["lost", "away", "away"], ["away", "lost", "away"]],
    ids=" ".join,
)
async def test_a_row_counts_once_whichever_answers_are_lost(
    store: Forgetful, versions: Versions, becomes: list[str]
) -> None:
    store.becomes = list(becomes)
    await put(versions, QUEUED, tries=len(becomes) + 1)
    assert store.counts_for(QUEUED)
    store.becomes = list(becomes)
    await put(versions, REFRESHED, tries=len(becomes) + 1)
    assert store.counts_for(REFRESHED)


async def test_a_write_that_is_cancelled_may_have_been_stored(store: Forgetful, versions: Versions) -> None:
    store.becomes = ["hanging"]
    task = asyncio.create_task(versions.put([QUEUED]))
    await store.stored.wait()
    task.cancel()
    await asyncio.wait({task})
    await put(versions, QUEUED, tries=1)
    assert store.counts_for(QUEUED)


async def test_what_another_instance_wrote_meanwhile_is_not_counted_here(store: Forgetful, versions: Versions) -> None:
    await put(versions, QUEUED, tries=1)
    store.becomes = ["away"]
    with pytest.raises(StorageError):
        await versions.put([REFRESHED])
    store.write(OTHERS, by=" ".join(("another-1", *names(OTHERS))))
    before = store.counted.copy()
    await put(versions, REFRESHED, tries=1)
    moved = store.counted.copy()
    moved.subtract(before)
    assert moved["sfailed"] == -1
    assert moved["squeued"] == 0
