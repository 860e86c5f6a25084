"""Rows that are found by their values, and counted by the hour, on an emulated Storage account."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from receivers import limits
from receivers.journal import segments
from receivers.journal.catalogue import SINCE, TABLE, Catalogue
from receivers.journal.hours import hour_of, names
from receivers.journal.journal import Filter, Finding, Reach, Row, State, WarehouseRow
from receivers.journal.segments import Segment
from receivers.journal.table_journal import TableJournal
from receivers.local.azurite import Azurite
from receivers.retries.messages import Attempt
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Table
from testbed.waiting import eventually
from tests.examples import NOON, row
from tests.journal import two_instances

HOUR = timedelta(hours=1)


@pytest.fixture
async def journals(storage: Storage) -> AsyncIterator[list[TableJournal]]:
    """Those of three instances. Every row that is kept is listed."""
    await Table(storage, TABLE).merge([{"PartitionKey": SINCE, "RowKey": SINCE, "hour": "1"}])
    journals = [TableJournal(storage, days=30, now=lambda: NOON) for _ in range(3)]
    yield journals
    for journal in journals:
        await journal.close()


async def write(journal: TableJournal, *rows: Row) -> None:
    for each in rows:
        journal.write(each)
    await journal.close()  # which writes what waits


async def shown(journal: TableJournal, only: Filter, *, before: str = "") -> list[str]:
    return [each.id async for each in journal.rows(only, before=before)]


def warehouse(name: str, *, refresh: bool = True) -> WarehouseRow:
    return WarehouseRow(project="kargo-demo", name=name, refresh=refresh, reason="why", value="1")


async def states(journal: TableJournal) -> dict[str, int]:
    return {
        state: count for hour in await journal.hours(NOON - 100 * HOUR) for state, count in hour.states.items() if count
    }


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(provider="quay"), [0]),
        (Filter(project="it's"), [1]),
        (Filter(state="failed"), [2, 3]),
        (Filter(finding="missing"), [3]),
        (Filter(receiver="other"), [3]),
        (Filter(warehouse="kargo-demo/app"), [1, 4]),
        (Filter(warehouse="kargo-demo/none"), []),
        (Filter(repository="AZURECR.io/Team"), [0, 1, 2, 3]),
        (Filter(repository="Registry.example/ODD"), [4]),
        (Filter(repository="nobody"), []),
        (Filter(state="failed", receiver="other"), [3]),
        (Filter(state="failed", provider="quay"), []),
        (Filter(state="failed", since=NOON - 13 * HOUR), [2]),
        (Filter(repository="team", since=NOON - 1.5 * HOUR), [0, 1]),
    ],
    ids=str,
)
async def test_rows_are_found_by_every_filter_and_in_pages(
    journals: list[TableJournal], only: Filter, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENTS_PAGE", 1)
    rows = [
        row(NOON - 0.5 * HOUR, provider="quay"),
        row(NOON - HOUR, project="it's"),
        row(NOON - 12 * HOUR, state=State.FAILED),
        row(NOON - 30 * HOUR, state=State.FAILED),
        row(NOON - 31 * HOUR),
    ]
    rows[1].warehouses = [warehouse("app"), warehouse("none", refresh=False)]
    rows[3] = msgspec.structs.replace(rows[3], receiver="other", finding=Finding.MISSING)
    rows[4] = msgspec.structs.replace(
        rows[4], warehouses=[warehouse("app")], registry="registry.example", repository="odd\x00\u2028'\"\\"
    )
    for position, each in enumerate(rows):
        await write(journals[position % 2], each)
    found = [rows[position].id for position in expected]
    assert await shown(journals[2], only) == found
    for position, delivery in enumerate(found):
        assert await shown(journals[2], only, before=delivery) == found[position + 1 :]


async def test_rows_of_one_hour_come_in_order_whoever_wrote_them(
    journals: list[TableJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_ROWS", 7)
    monkeypatch.setattr(limits, "JOURNAL_AT_ONCE", 3)
    rows = [row(NOON + timedelta(seconds=number)) for number in range(60)]
    for position, journal in enumerate(journals):
        await write(journal, *rows[position::3])
    newest_first = [each.id for each in reversed(rows)]
    assert await shown(journals[0], Filter(provider="azure")) == newest_first
    assert await shown(journals[0], Filter(provider="azure"), before=newest_first[30]) == newest_first[31:]


async def test_a_row_with_very_many_warehouses_is_found_by_each(journals: list[TableJournal]) -> None:
    large = msgspec.structs.replace(row(), warehouses=[warehouse(f"app-{number}") for number in range(200)])
    await write(journals[0], large, row())
    assert await shown(journals[1], Filter(warehouse="kargo-demo/app-150")) == [large.id]
    assert await shown(journals[1], Filter(warehouse="kargo-demo/app-200")) == []


async def test_a_row_is_found_by_what_it_has_become_elsewhere(journals: list[TableJournal]) -> None:
    queued = row(state=State.QUEUED)
    await write(journals[0], queued)
    read = await journals[1].read(queued.id)
    assert read is not None
    await write(journals[1], msgspec.structs.replace(read, state=State.REFRESHED, handled_at=NOON))
    for journal in journals:
        assert await shown(journal, Filter(state="queued")) == []
        assert await shown(journal, Filter(state="refreshed")) == [queued.id]
        assert await states(journal) == {"refreshed": 1}


async def test_what_two_instances_note_of_a_row_is_kept_and_counted_once(journals: list[TableJournal]) -> None:
    first = await two_instances.note(journals, write)
    assert await shown(journals[2], Filter(finding="found", state="refreshed")) == [first.id]


async def test_counts_are_those_of_the_rows_whatever_happens_to_them(journals: list[TableJournal]) -> None:
    rows = [row(NOON - number * HOUR / 7, state=State.QUEUED) for number in range(40)]
    await write(journals[0], *rows)
    for number, each in enumerate(rows):
        journals[number % 3].write(msgspec.structs.replace(each, state=State.FAILED if number % 4 else State.REFRESHED))
    await asyncio.gather(*(journal.close() for journal in journals))
    hours = await journals[1].hours(NOON - 100 * HOUR)
    assert [hour.began for hour in hours] == [NOON - number * HOUR for number in (6, 5, 4, 3, 2, 1, 0)]
    assert sum(hour.states.get("failed", 0) for hour in hours) == 30
    assert sum(hour.states.get("refreshed", 0) for hour in hours) == 10
    assert sum(hour.states.get("queued", 0) for hour in hours) == 0
    assert sum(sum(hour.answered) for hour in hours) == 40
    assert [hour.began for hour in await journals[1].hours(NOON - HOUR / 2)] == [NOON - HOUR, NOON]


async def test_a_list_ends_after_a_while_and_goes_on_from_there(
    journals: list[TableJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it looked at has become something else since: no row passes."""
    monkeypatch.setattr(limits, "JOURNAL_AT_ONCE", 1)
    rows = [row(NOON - number * HOUR, state=State.FAILED) for number in range(6)]
    rows += [row(NOON - (6 + number) * HOUR, state=State.QUEUED) for number in range(6)]
    await write(journals[0], *rows)
    for each in rows[:6]:
        await write(journals[1], msgspec.structs.replace(each, state=State.REFRESHED, attempts=[ATTEMPT]))
    reach = Reach(rows=4)
    assert [each async for each in journals[0].rows(Filter(state="failed"), reach=reach)] == []
    assert reach.until == rows[3].id
    again = Reach(rows=4)
    found = [each.id async for each in journals[0].rows(Filter(state="queued"), before=rows[5].id, reach=again)]
    assert found == [each.id for each in rows[6:10]]
    assert again.until == found[-1]


ATTEMPT = Attempt(at=NOON, refreshed=1)


async def test_a_scan_of_rows_ends_after_a_while_too(journals: list[TableJournal]) -> None:
    await write(journals[0], *(row(NOON - number * HOUR) for number in range(40)))
    reach = Reach(rows=1)
    found = [each.id async for each in journals[0].rows(Filter(), reach=reach)]
    assert 0 < len(found) < 40
    assert reach.until == found[-1]


async def test_rows_of_an_earlier_version_are_found_beside_those_that_are_listed(
    journals: list[TableJournal], storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the hour since which rows are listed a list looks at the rows themselves."""
    old = [row(NOON - number * HOUR, state=State.FAILED) for number in range(3, 9)]
    with monkeypatch.context() as earlier:
        earlier.setattr(Segment, "add", lambda *_: False)
        earlier.setattr(Segment, "settle", lambda *_: False)
        await write(TableJournal(storage, days=30, now=lambda: NOON), *old)
    new = [row(NOON - number * HOUR, state=State.FAILED) for number in range(3)]
    await write(journals[0], *new, row())
    since = str(hour_of(new[2]))
    await Table(storage, TABLE).merge([{"PartitionKey": SINCE, "RowKey": SINCE, "hour": since}])
    journal = journals[1]
    expected = [each.id for each in (*new, *old)]
    assert await shown(journal, Filter(state="failed")) == expected
    for position, each in enumerate(expected):
        assert await shown(journal, Filter(state="failed"), before=each) == expected[position + 1 :]
    assert await shown(journal, Filter(state="failed", since=NOON - 2 * HOUR)) == expected[:3]
    assert await shown(journal, Filter(state="failed", since=NOON - 4 * HOUR)) == expected[:5]


async def test_in_a_new_journal_rows_are_listed_two_hours_later(storage: Storage) -> None:
    """By then no process of an earlier version is left that lists none."""
    now = NOON
    journal = TableJournal(storage, days=30, now=lambda: now)
    await write(journal, row())
    table = Table(storage, TABLE)
    entity = await table.read(SINCE, SINCE)
    assert entity is not None
    assert int(entity["hour"]) == hour_of(row()) + 2
    assert len(await shown(journal, Filter(provider="azure"))) == 1
    await journal.close()


async def test_old_hours_are_deleted_with_their_rows(journals: list[TableJournal], storage: Storage) -> None:
    await write(journals[0], *(row(NOON - timedelta(days=days)) for days in (0, 29, 32, 40)))
    assert await journals[1].clean() == 2
    assert len(await TableJournal(storage, days=30, now=lambda: NOON).hours(NOON - timedelta(days=60))) == 2
    assert await Table(storage, TABLE).read(SINCE, SINCE) is not None


async def test_counts_and_lists_survive_a_store_that_was_away(
    journals: list[TableJournal], azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.05)
    await write(journals[0], row(NOON - HOUR))
    await azurite.stop()
    kept = row(state=State.FAILED)
    journals[0].write(kept)
    await eventually(lambda: "cannot be reached" in journals[0].fault())
    await azurite.start()
    await eventually(lambda: not journals[0].fault())
    await journals[0].close()
    assert await shown(journals[1], Filter(state="failed")) == [kept.id]
    assert await states(journals[1]) == {"refreshed": 1, "failed": 1}


async def test_a_write_without_an_answer_is_counted_once(
    journals: list[TableJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has written it, and its answer was lost on the way."""
    written = Table.replace
    lost = iter((True, False))

    async def replace(self: Table, entities: list[tuple[dict[str, str], str]]) -> list[str]:
        etags = await written(self, entities)
        if next(lost, False):
            raise StorageError("no answer")
        return etags

    monkeypatch.setattr(Table, "replace", replace)
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.05)
    journals[0].write(row())
    await eventually(lambda: "no answer" in journals[0].fault())
    await eventually(lambda: not journals[0].fault())
    await journals[0].close()
    assert await states(journals[1]) == {"refreshed": 1}


@pytest.mark.parametrize(
    "odd",
    [{"keys": 7}, {"keys0": 7}, {"names0": "x"}, {"names0": "eJw="}, {"rows0": '{"x":[1]}'}, {"tally0": "[[]]"}],
    ids=str,
)
async def test_a_segment_that_somebody_tampered_with_costs_no_other_one(
    journals: list[TableJournal], storage: Storage, odd: dict[str, object]
) -> None:
    await write(journals[0], row())
    await write(journals[1], known := row())
    table = Table(storage, TABLE)
    [one] = [
        entity
        async for page in table.pages(f"PartitionKey eq '{segments.partition_of(hour_of(known))}'")
        for entity in page
        if known.id not in str(dict(entity))
    ]
    await table.merge([{"PartitionKey": one["PartitionKey"], "RowKey": one["RowKey"], **odd}])
    assert known.id in await shown(journals[2], Filter(provider="azure", repository="team"))
    assert sum(sum(hour.states.values()) for hour in await journals[2].hours(NOON)) in {1, 2}


async def test_what_was_counted_survives_a_write_that_is_cancelled(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue(storage, days=30, now=lambda: NOON)
    for each in (row(NOON), row(NOON + HOUR)):
        await catalogue.announce([each])
        catalogue.settle(each, names(each), ())
    begun, merge = asyncio.Event(), Table.merge

    async def hang(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Table, "merge", hang)
    task = asyncio.create_task(catalogue.count())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    monkeypatch.setattr(Table, "merge", merge)
    await catalogue.close()
    another = Catalogue(storage, days=30, now=lambda: NOON)
    assert [sum(hour.states.values()) for hour in await another.hours(NOON - HOUR)] == [1, 1]
