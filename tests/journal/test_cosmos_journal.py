"""The journal in Azure Cosmos DB, on an emulated account."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from receivers import limits
from receivers.journal.cosmos_journal import CosmosJournal
from receivers.journal.journal import Filter, Row, State, WarehouseRow
from receivers.retries.messages import Attempt
from receivers.sampled import Sampled
from receivers.settings import Settings
from receivers.storage.account import StorageError
from testbed.waiting import eventually
from tests.examples import NOON, row
from tests.journal.cosmos import OPTIONS, cosmos_db

# The emulator's certificate is its own.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


WAREHOUSES = [
    WarehouseRow(project="kargo-demo", name=name, refresh=name == "app", reason="why") for name in ("app", "none")
]


@pytest.fixture(autouse=True)
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is logged a few lines a minute, each test may write its own."""
    monkeypatch.setattr("receivers.journal.cosmos_journal.unreadable", Sampled(logging.getLogger("unreadable")))


@pytest.fixture(scope="module")
def account() -> Iterator[Settings]:
    with cosmos_db() as settings:
        yield settings


@pytest.fixture
async def journal(account: Settings, request: pytest.FixtureRequest) -> AsyncIterator[CosmosJournal]:
    """An empty journal: each test has a database of its own."""
    before = sockets()
    journal = CosmosJournal(replace(account, cosmos_database=request.node.name[:60]), options=OPTIONS)
    yield journal
    await journal.close()
    await eventually(lambda: sockets() <= before)  # the library's close returns before its connections are closed


def sockets() -> int:
    """How many the event loop listens to."""
    return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]  # of the usual loop


async def write(journal: CosmosJournal, *rows: Row) -> None:
    for each in rows:
        journal.write(each)
    await journal._writing.close()  # which writes what waits


async def shown(journal: CosmosJournal, only: Filter | None = None, *, before: str = "") -> list[Row]:
    return [each async for each in journal.rows(only or Filter(), before=before)]


async def container(journal: CosmosJournal) -> ContainerProxy:
    return await journal._container()


async def test_a_row_is_read_by_its_id_as_it_was_written(journal: CosmosJournal) -> None:
    written = msgspec.structs.replace(row(), attempts=[Attempt(at=NOON, refreshed=1)], handled_at=NOON)
    await write(journal, written)
    assert await journal.read(written.id) == written


async def test_a_document_begins_with_what_a_list_of_pushes_shows(journal: CosmosJournal) -> None:
    written = row()
    await write(journal, written)
    document = await (await container(journal)).read_item(written.id, partition_key=written.id)
    assert list(document)[:6] == ["id", "loginServer", "action", "timeStamp", "image", "tag"]
    assert document["loginServer"] == "registry.azurecr.io"
    assert document["action"] == "push"
    assert document["timeStamp"] == NOON.isoformat()
    assert (document["image"], document["tag"], document["receiver"]) == ("team/app", "1.2.3", "acr")
    assert document["ttl"] == 30 * 24 * 3600


async def test_the_container_is_made_as_the_journal_needs_it(journal: CosmosJournal) -> None:
    await write(journal, row())
    properties = await (await container(journal)).read()
    assert properties["partitionKey"]["paths"] == ["/id"]
    assert properties["defaultTtl"] == -1


async def test_a_row_can_be_read_before_it_is_written(journal: CosmosJournal) -> None:
    waiting = row()
    journal.write(waiting)
    assert await journal.read(waiting.id) == waiting
    assert await journal.read("no id") is None


async def test_nothing_is_shown_of_a_container_that_is_not_there(journal: CosmosJournal) -> None:
    assert await journal.read("0" * 24) is None
    assert await shown(journal) == []


async def test_a_refusal_is_an_error(journal: CosmosJournal) -> None:
    """The emulator refuses to look for a document that is not there; Azure says that it is not."""
    await write(journal, row())
    with pytest.raises(StorageError, match="500 Internal Server Error"):
        await journal.read("0" * 24)


async def test_rows_come_newest_first_and_reading_goes_on_where_a_page_ended(
    journal: CosmosJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_PAGE", 4)
    await write(journal, *(row(NOON - timedelta(hours=hours)) for hours in range(10)))
    ids = [each.id for each in await shown(journal)]
    assert len(ids) == 10
    assert ids == sorted(ids, reverse=True)
    assert [each.id for each in await shown(journal, before=ids[3])] == ids[4:]


@pytest.mark.parametrize(
    ("only", "count"),
    [
        (Filter(), 3),
        (Filter(provider="quay"), 1),
        (Filter(project="it's"), 1),
        (Filter(state="failed"), 1),
        (Filter(repository="AZURECR.io/Team"), 3),
        (Filter(repository="other"), 0),
        (Filter(receiver="acr"), 3),
        (Filter(receiver="other"), 0),
        (Filter(warehouse="kargo-demo/app"), 1),
        (Filter(warehouse="kargo-demo/none"), 0),
        (Filter(since=NOON - timedelta(hours=1)), 2),
        (Filter(provider="azure", project="it's", state="refreshed", repository="app"), 1),
    ],
)
async def test_rows_can_be_filtered(journal: CosmosJournal, only: Filter, count: int) -> None:
    await write(
        journal,
        row(NOON, provider="quay"),
        row(NOON - timedelta(hours=1), project="it's"),
        msgspec.structs.replace(row(NOON - timedelta(hours=2), state=State.FAILED), warehouses=WAREHOUSES),
    )
    assert len(await shown(journal, only)) == count


async def test_rows_are_counted_by_the_hour(journal: CosmosJournal) -> None:
    late = msgspec.structs.replace(row(NOON - timedelta(hours=2)), handled_at=NOON)
    await write(journal, row(NOON), row(NOON, provider="quay"), late, row(NOON - timedelta(days=2)))
    hours = await journal.hours(NOON - timedelta(hours=1.5))
    assert [(hour.began, hour.provider, hour.states) for hour in hours] == [
        (NOON - timedelta(hours=2), "azure", {"refreshed": 1}),
        (NOON, "azure", {"refreshed": 1}),
        (NOON, "quay", {"refreshed": 1}),
    ]
    assert [sum(hour.handled) for hour in hours] == [1, 0, 0]


async def test_a_row_written_again_replaces_the_earlier_one(journal: CosmosJournal) -> None:
    queued = row(state=State.QUEUED)
    await write(journal, queued)
    await write(journal, msgspec.structs.replace(queued, state=State.REFRESHED))
    assert [each.state for each in await shown(journal)] == [State.REFRESHED]


async def test_documents_of_others_are_left_alone(journal: CosmosJournal, caplog: pytest.LogCaptureFixture) -> None:
    await write(journal, row())
    theirs = {"loginServer": "registry.azurecr.io", "action": "push", "image": "team/app", "tag": "1.0.0"}
    await (await container(journal)).upsert_item({"id": "1" * 24, **theirs})
    await (await container(journal)).upsert_item({"id": "2" * 24, "delivery": {"of": "another version"}})
    assert len(await shown(journal)) == 1
    assert await journal.read("2" * 24) is None
    assert "cannot be read" in caplog.text


async def test_cosmos_db_itself_deletes_what_is_old(journal: CosmosJournal) -> None:
    assert await journal.clean() == 0


async def test_an_account_that_is_away_is_reported_and_rows_wait(
    account: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.01)
    journal = CosmosJournal(replace(account, cosmos_endpoint="https://127.0.0.1:1"), options=OPTIONS)
    journal.write(row())
    await eventually(lambda: "1 journal rows wait" in journal.fault())
    assert "cannot be reached" in journal.fault()
    with pytest.raises(StorageError, match="cannot be reached"):
        await shown(journal)
    await journal.close()
    assert "1 journal rows are lost" in caplog.text


async def test_a_managed_identity_needs_no_key(account: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none here, so asking it for a token fails, which is how it is seen that it was asked."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    journal = CosmosJournal(replace(account, cosmos_key="", storage_client_id="some-client"), options=OPTIONS)
    with pytest.raises(StorageError):
        await shown(journal)
    assert type(journal._credential).__name__ == "ManagedIdentityCredential"
    await journal.close()


ODD = ("\u2028", "\x85", "é", "\U0001f680", "'; --", "\\", '"', "a/b?c#d", "x" * 5_000)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))  # the database is named after the test
async def test_a_row_with_odd_letters_is_read_as_it_was_written(journal: CosmosJournal, odd: str) -> None:
    written = msgspec.structs.replace(row(), repository=odd, tag=odd)
    await write(journal, written)
    assert await journal.read(written.id) == written
    assert await shown(journal) == [written]


async def test_a_row_that_the_account_refuses_holds_up_no_other(
    journal: CosmosJournal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That it refuses one is made up: the emulator takes everything."""
    rows = [msgspec.structs.replace(row(NOON + timedelta(seconds=number)), tag=str(number)) for number in range(9)]
    upsert = ContainerProxy.upsert_item

    async def refuse(self: ContainerProxy, body: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401 - as it is
        if body["tag"] == "4":
            raise CosmosHttpResponseError(status_code=400)  # type: ignore[no-untyped-call]  # as the library has it
        return await upsert(self, body, **options)

    monkeypatch.setattr(ContainerProxy, "upsert_item", refuse)
    await write(journal, *rows)
    assert [each.tag for each in await shown(journal)] == ["8", "7", "6", "5", "3", "2", "1", "0"]
    assert [line for line in caplog.messages if "dropped" in line]
