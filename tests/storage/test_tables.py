"""Tables of an emulated Storage account."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from azure.data.tables.aio import TableClient

from receivers.local.azurite import Azurite
from receivers.settings import Settings
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Table, batches, literal


@pytest.fixture
def table(storage: Storage) -> Table:
    return Table(storage, "things")


def entity(number: int = 0, **properties: object) -> dict[str, object]:
    return {"PartitionKey": "partition", "RowKey": f"{number:04}", **properties}


async def entities(table: Table, query: str = "") -> list[dict[str, object]]:
    return [dict(each) async for page in table.pages(query) for each in page]


async def test_a_table_is_made_when_it_is_first_written_to(table: Table) -> None:
    assert await table.read("partition", "0000") is None
    assert await entities(table) == []
    await table.merge([entity()])
    assert await entities(table) == [entity()]


async def test_two_who_make_it_at_once_both_succeed(storage: Storage) -> None:
    await asyncio.gather(*(Table(storage, "things").merge([entity(number)]) for number in range(5)))
    assert len(await entities(Table(storage, "things"))) == 5


async def test_properties_that_are_not_named_stay(table: Table) -> None:
    await table.merge([entity(one="1", two="2")])
    await table.merge([entity(two="zwei", three=3)])
    assert await entities(table) == [entity(one="1", two="zwei", three=3)]


async def test_all_are_written_or_none(table: Table) -> None:
    await table.merge([entity(0, text="before")])
    with pytest.raises(StorageError, match="400"):
        await table.merge([entity(0, text="after"), entity(1, text="x" * 40_000)])  # too long for a property
    assert await entities(table) == [entity(0, text="before")]


async def test_what_matches_is_deleted_and_counted(table: Table) -> None:
    for batch in batches([entity(number, odd=str(number % 2)) for number in range(250)]):
        await table.merge(batch)
    assert await table.delete(f"odd eq {literal('1')}") == 125
    assert len(await entities(table)) == 125


def test_a_text_may_hold_a_quote() -> None:
    assert literal("it's") == "'it''s'"


def test_batches_are_of_one_partition_and_not_too_many() -> None:
    mixed = [{"PartitionKey": "ab"[number % 2], "RowKey": str(number)} for number in range(250)]
    found = batches(mixed)
    assert sorted(map(len, found)) == [25, 25, 100, 100]
    assert all(len({each["PartitionKey"] for each in batch}) == 1 for batch in found)


@pytest.fixture
async def stranger(azurite: Azurite) -> AsyncIterator[Storage]:
    """Somebody with a wrong key."""
    storage = Storage(Settings(storage_connection=azurite.connection_string.replace("AccountKey=", "AccountKey=AAAA")))
    yield storage
    await storage.close()


@pytest.mark.filterwarnings("ignore:Testing an element:DeprecationWarning")  # the library's own
async def test_a_table_that_may_not_be_made_is_an_error(
    table: Table, stranger: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await stranger.table("things")
    monkeypatch.setattr(TableClient, "create_table", staticmethod(client.create_table))
    with pytest.raises(StorageError, match=r"^403") as error:
        await table.merge([entity()])
    assert error.value.status == 403


@pytest.mark.filterwarnings("ignore:Testing an element:DeprecationWarning")  # the library's own
async def test_a_refusal_is_an_error_with_its_status(stranger: Storage) -> None:
    for refused in (Table(stranger, "things").merge([entity()]), Table(stranger, "things").read("a", "b")):
        with pytest.raises(StorageError, match="403") as error:
            await refused
        assert error.value.status == 403
