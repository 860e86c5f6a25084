"""The journal in Table Storage, on an emulated Storage account."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from receivers import limits
from receivers.journal.entities import inverted, partition_of
from receivers.journal.journal import Filter, Finding, Row, Searched, State, WarehouseRow
from receivers.journal.table_journal import TABLE, TableJournal
from receivers.local.azurite import Azurite
from receivers.retries.messages import Attempt
from receivers.sampled import Sampled
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Table
from testbed.waiting import eventually
from tests.examples import NOON, push, row

ATTEMPT = Attempt(at=NOON, refreshed=1)


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other test has used up this minute's lines."""
    monkeypatch.setattr("receivers.journal.entities.unreadable", Sampled(logging.getLogger("unreadable")))


@pytest.fixture
async def journal(storage: Storage) -> AsyncIterator[TableJournal]:
    journal = TableJournal(storage, days=30, now=lambda: NOON)
    yield journal
    await journal.close()


async def write(journal: TableJournal, *rows: Row) -> None:
    for each in rows:
        journal.write(each)
    await journal.close()  # which writes what waits


async def shown(journal: TableJournal, only: Filter | None = None, *, before: str = "") -> list[Row]:
    return [each async for each in journal.rows(only or Filter(), before=before)]


def hours_ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


async def test_a_row_is_read_by_its_id_as_it_was_written(journal: TableJournal) -> None:
    warehouses = [
        WarehouseRow(project="p", name="w", refresh=True, reason="why", state=State.REFRESHED, handled_at=NOON)
    ]
    written = msgspec.structs.replace(row(), warehouses=warehouses, attempts=[ATTEMPT], duplicate_of="x", unlisted=2)
    await write(journal, written)
    assert await journal.read(written.id) == written


async def test_a_row_can_be_read_before_it_is_written(journal: TableJournal) -> None:
    waiting = row()
    journal.write(waiting)
    assert await journal.read(waiting.id) == waiting


@pytest.mark.parametrize("delivery", ["0" * 24, "", "x", "' or true", "0" * 23 + "'", "f" * 24])
async def test_there_may_be_no_such_row(journal: TableJournal, delivery: str) -> None:
    assert await journal.read(delivery) is None
    await write(journal, row())
    assert await journal.read(delivery) is None


async def test_rows_come_newest_first_across_days(journal: TableJournal) -> None:
    rows = [row(hours_ago(hours)) for hours in (30, 1, 50, 0, 12, 13)]
    await write(journal, *rows)
    newest_first = sorted(rows, key=lambda each: each.received_at, reverse=True)
    assert [each.id for each in await shown(journal)] == [each.id for each in newest_first]


async def test_rows_of_one_moment_come_in_the_order_of_their_ids(journal: TableJournal) -> None:
    rows = [row(NOON) for _ in range(20)]
    await write(journal, *rows)
    ids = [each.id for each in await shown(journal)]
    assert ids == sorted(ids, reverse=True)


async def test_reading_goes_on_where_a_page_ended(journal: TableJournal) -> None:
    await write(journal, *(row(hours_ago(hours)) for hours in range(60)))
    whole = [each.id for each in await shown(journal)]
    for position in (0, 11, 12, 35, 59):
        assert [each.id for each in await shown(journal, before=whole[position])] == whole[position + 1 :]


async def test_reading_goes_on_from_an_id_that_is_not_there(journal: TableJournal) -> None:
    await write(journal, row(hours_ago(3)), row(hours_ago(1)))
    between = row(hours_ago(2)).id
    assert [each.received_at for each in await shown(journal, before=between)] == [hours_ago(3)]


async def test_more_rows_than_a_page_are_read(journal: TableJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JOURNAL_PAGE", 3)
    await write(journal, *(row(hours_ago(hours)) for hours in range(10)))
    assert len(await shown(journal)) == 10


@pytest.mark.parametrize(
    ("only", "count"),
    [
        (Filter(), 4),
        (Filter(provider="quay"), 1),
        (Filter(project="it's"), 1),
        (Filter(state="failed"), 1),
        (Filter(repository="TEAM"), 4),
        (Filter(repository="azurecr.io/team/app"), 4),
        (Filter(repository="other"), 0),
        (Filter(since=hours_ago(1.5)), 2),
        (Filter(since=hours_ago(1)), 2),
        (Filter(since=hours_ago(1).astimezone(timezone(timedelta(hours=-9)))), 2),
        (Filter(since=hours_ago(13)), 3),
        (Filter(provider="azure", project="it's", state="refreshed", repository="app", since=hours_ago(2)), 1),
    ],
)
async def test_rows_can_be_filtered(journal: TableJournal, only: Filter, count: int) -> None:
    await write(
        journal,
        row(hours_ago(0.5), provider="quay"),
        row(hours_ago(1), project="it's"),
        row(hours_ago(12), state=State.FAILED),
        row(hours_ago(30)),
    )
    assert len(await shown(journal, only)) == count


async def test_filters_and_pages_go_together(journal: TableJournal) -> None:
    await write(journal, *(row(hours_ago(hours), provider="azure" if hours % 2 else "quay") for hours in range(40)))
    azure = [each.id for each in await shown(journal, Filter(provider="azure"))]
    assert len(azure) == 20
    assert [each.id for each in await shown(journal, Filter(provider="azure"), before=azure[7])] == azure[8:]


async def test_a_row_written_again_replaces_the_earlier_one(journal: TableJournal) -> None:
    queued = row(state=State.QUEUED)
    await write(journal, queued)
    await write(journal, msgspec.structs.replace(queued, state=State.REFRESHED))
    assert [each.state for each in await shown(journal)] == [State.REFRESHED]
    assert await shown(journal, Filter(state="queued")) == []


async def test_a_shorter_row_replaces_a_longer_one(journal: TableJournal) -> None:
    long = msgspec.structs.replace(row(), warehouses=[listed(number) for number in range(500)])
    await write(journal, long)
    short = msgspec.structs.replace(long, warehouses=[])
    await write(journal, short)
    assert await journal.read(long.id) == short


async def test_a_process_that_does_not_know_what_was_found_does_not_take_it_away(journal: TableJournal) -> None:
    sought, found = (
        Searched(finding=each, at=NOON + timedelta(seconds=number))
        for number, each in enumerate((Finding.SOUGHT, Finding.FOUND))
    )
    known = row()
    known.warehouses = [listed(0), listed(1)]
    known.warehouses[0].searched, known.warehouses[1].searched = sought, None
    other = msgspec.json.decode(msgspec.json.encode(known), type=Row)
    other.warehouses[0].searched = found
    await write(journal, other)
    await write(journal, known)
    read = await journal.read(known.id)
    assert read is not None
    assert [each.searched for each in read.warehouses] == [found, None]
    assert (read.finding, read.found_at) == (Finding.FOUND, found.at)


async def test_a_process_that_does_not_know_of_attempts_does_not_take_them_away(journal: TableJournal) -> None:
    known = row()
    await write(journal, msgspec.structs.replace(known, attempts=[ATTEMPT], redelivered_as="later"))
    await write(journal, msgspec.structs.replace(known, handled_at=NOON))
    found = await journal.read(known.id)
    assert found is not None
    assert (found.attempts, found.redelivered_as, found.handled_at) == ([ATTEMPT], "later", NOON)


def listed(number: int, *, refresh: bool = True) -> WarehouseRow:
    return WarehouseRow(project="p" * 63, name=f"wäre-\U0001f600-{number}", refresh=refresh, reason="r" * 200)


async def test_a_row_takes_as_many_properties_as_it_needs(journal: TableJournal) -> None:
    large = msgspec.structs.replace(row(), warehouses=[listed(number) for number in range(600)])
    await write(journal, large)
    assert await journal.read(large.id) == large


async def test_a_row_that_is_too_large_for_the_table_leaves_out_warehouses_that_did_not_want_it(
    journal: TableJournal,
) -> None:
    warehouses = [listed(number, refresh=number % 10 == 0) for number in range(3_000)]
    large = msgspec.structs.replace(row(), warehouses=warehouses)
    await write(journal, large)
    found = await journal.read(large.id)
    assert found is not None
    assert len(found.warehouses) + found.unlisted == 3_000
    assert sum(each.refresh for each in found.warehouses) == 300
    assert journal.fault() == ""


async def test_large_rows_that_come_together_are_written_all(journal: TableJournal) -> None:
    large = [msgspec.structs.replace(row(), warehouses=[listed(number) for number in range(600)]) for _ in range(20)]
    await write(journal, *large)
    assert len(await shown(journal)) == 20


async def test_more_rows_than_a_transaction_takes_are_written_all(journal: TableJournal) -> None:
    await write(journal, *(row(hours_ago(number / 100)) for number in range(250)))
    assert len(await shown(journal)) == 250


async def test_any_text_of_a_sender_can_be_written(journal: TableJournal) -> None:
    text = "'\"\\<&\r\n--changes_of_this_service--\r\nHTTP/1.1 500 \x00\x7f\ufffd\U0001f600"
    odd = msgspec.structs.replace(row(provider=text, project=text), repository=text, events=[push(tag=text)])
    await write(journal, odd)
    assert await journal.read(odd.id) == odd
    assert await shown(journal, Filter(project=text)) == [odd]


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\u0085", "\u00e4", "\ufeff", "\ufffe", "\ud7ff", "\U0010ffff"])
async def test_a_letter_that_may_end_a_line_stops_no_row(journal: TableJournal, letter: str) -> None:
    """The emulator, and who knows who else, splits what is written into lines, and answers 500."""
    text = f"a{letter}b{letter}"
    odd = msgspec.structs.replace(
        row(provider=text, project=text), repository=text, tag=text, reason=text, events=[push(tag=text)]
    )
    await write(journal, row(), odd)
    assert await journal.read(odd.id) == odd
    assert journal.fault() == ""


async def test_one_row_that_the_store_refuses_costs_no_other_one(
    journal: TableJournal, storage: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two properties of 64 KiB are one too large for a table, as Azure's emulator knows too."""
    refused = msgspec.structs.replace(row(), warehouses=[listed(number) for number in range(400)])
    others = [row() for _ in range(20)]
    monkeypatch.setattr("receivers.journal.entities.CHUNK", 40_000)
    await write(journal, *others[:7], refused, *others[7:])
    assert {each.id for each in await shown(journal)} == {each.id for each in others}
    assert f"the store refuses {refused.id}: 400" in journal.fault()
    assert f"1 journal row was dropped: the store refuses {refused.id}: 400" in caplog.text


async def test_a_row_with_an_invalid_id_costs_no_other_one(journal: TableJournal) -> None:
    """A tampered message of the retry queue had one, until ids were checked when they are read."""
    others = [row() for _ in range(5)]
    await write(journal, *others[:2], msgspec.structs.replace(row(), id="'); no id"), *others[2:])
    assert {each.id for each in await shown(journal)} == {each.id for each in others}
    assert journal.fault().startswith("1 journal row was dropped")


@pytest.mark.parametrize(
    "odd",
    [
        {"rows": "1"},
        {"rows": 10**9},
        {"rows": -1},
        {"rows": 1.5},
        {"row0": 7},
        {"row0": "[" * 30_000},
        {"attempts": 7},
        {"searched": 7},
        {"searched": "[" * 30_000},
        {"searched": '[["kargo-demo","app-0",{"finding":"lost","at":"2026-11-21T12:00:00Z"}]]'},
        {"attempts": "[" * 30_000},
        {"attempts": '[{"at":"0001-01-01T00:00:00+14:00","refreshed":0}]'},
        {"redelivered_as": 7},
    ],
    ids=lambda odd: str(odd)[:40],
)
async def test_a_row_that_somebody_tampered_with_is_left_out(
    journal: TableJournal, storage: Storage, caplog: pytest.LogCaptureFixture, odd: dict[str, object]
) -> None:
    known, tampered = row(), row()
    await write(journal, known, tampered)
    entity = {"PartitionKey": partition_of(tampered.id), "RowKey": inverted(tampered.id), **odd}
    client = await storage.table(TABLE)
    await client.upsert_entity(entity)
    assert await shown(journal) == [known]
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    "times",
    [
        {"received_at": "2026-11-21T12:00:00"},
        {"received_at": "0001-01-01T00:00:00+14:00"},
        {"handled_at": "9999-12-31T23:59:59-14:00"},
        {"id": "../../pages"},
    ],
    ids=str,
)
async def test_a_row_that_could_not_be_shown_is_left_out(
    journal: TableJournal, storage: Storage, times: dict[str, str]
) -> None:
    known, tampered = row(), row()
    await write(journal, known, tampered)
    text = msgspec.json.encode(msgspec.to_builtins(tampered) | times).decode()
    client = await storage.table(TABLE)
    keys = {"PartitionKey": partition_of(tampered.id), "RowKey": inverted(tampered.id)}
    await client.upsert_entity({**keys, "rows": 1, "row0": text})
    assert await shown(journal) == [known]


async def test_rows_that_cannot_be_read_are_logged_a_few_times_a_minute(
    journal: TableJournal, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    strange = [row() for _ in range(20)]
    keys = [{"PartitionKey": partition_of(each.id), "RowKey": inverted(each.id)} for each in strange]
    await Table(storage, TABLE).merge([{**key, "rows": 1, "row0": "{}"} for key in keys])
    assert await shown(journal) == []
    assert 0 < len([line for line in caplog.messages if "cannot be read" in line]) <= limits.SAMPLE


async def test_nothing_is_shown_of_a_table_that_is_not_there(journal: TableJournal) -> None:
    assert await shown(journal) == []
    assert await journal.clean() == 0


async def test_rows_are_deleted_after_the_days_that_they_are_kept(journal: TableJournal) -> None:
    await write(journal, *(row(NOON - timedelta(days=days)) for days in range(40) for _ in range(3)))
    assert await journal.clean() == 27
    assert min(each.received_at for each in await shown(journal)) == NOON - timedelta(days=30)


async def test_many_old_rows_are_deleted(journal: TableJournal) -> None:
    await write(journal, *(row(NOON - timedelta(days=60, seconds=number)) for number in range(250)))
    assert await journal.clean() == 250
    assert await shown(journal) == []


async def test_a_row_that_another_version_wrote_is_left_out(
    journal: TableJournal, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    known, strange = row(), row(state=State.FAILED)
    await write(journal, known)
    keys = {"PartitionKey": partition_of(strange.id), "RowKey": inverted(strange.id)}
    await Table(storage, TABLE).merge([{**keys, "rows": 1, "row0": '{"id":"other"}'}])
    assert await shown(journal) == [known]
    assert await journal.read(strange.id) is None
    assert "cannot be read" in caplog.text


async def test_a_journal_that_is_away_keeps_its_rows_and_says_so(
    journal: TableJournal, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.05)
    await azurite.stop()
    kept = row()
    journal.write(kept)
    await eventually(lambda: "cannot be reached" in journal.fault())
    assert await journal.read(kept.id) == kept
    with pytest.raises(StorageError):
        await shown(journal)
    await azurite.start()
    await eventually(lambda: not journal.fault())
    assert [each.id for each in await shown(journal)] == [kept.id]


def test_keys_sort_the_other_way_than_times_do() -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=7 * number) for number in range(600)]
    rows = [row(time) for time in times]
    keys = [(partition_of(each.id), inverted(each.id)) for each in rows]
    assert keys == sorted(keys, reverse=True)
