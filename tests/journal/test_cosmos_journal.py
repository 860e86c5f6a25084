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
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceNotFoundError

from receivers import limits
from receivers.journal.cosmos_hours import SINCE
from receivers.journal.cosmos_journal import CosmosJournal
from receivers.journal.hours import hour_of
from receivers.journal.journal import Filter, Row, State, WarehouseRow
from receivers.retries.messages import Attempt
from receivers.sampled import Sampled
from receivers.settings import Settings
from receivers.storage.account import StorageError
from testbed.waiting import eventually
from tests.examples import NOON, row
from tests.journal import two_instances
from tests.journal.cosmos import OPTIONS, cosmos_db

# The emulator's certificate is its own.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


WAREHOUSES = [
    WarehouseRow(project="kargo-demo", name=name, refresh=name == "app", reason="why") for name in ("app", "none")
]


@pytest.fixture(autouse=True)
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is logged a few lines a minute, each test may write its own."""
    for module in ("cosmos_journal", "cosmos_hours"):
        monkeypatch.setattr(f"receivers.journal.{module}.unreadable", Sampled(logging.getLogger("unreadable")))


@pytest.fixture(scope="module")
def account() -> Iterator[Settings]:
    with cosmos_db() as settings:
        yield settings


@pytest.fixture
async def journals(account: Settings, request: pytest.FixtureRequest) -> AsyncIterator[list[CosmosJournal]]:
    """Those of three instances, empty: each test has a database of its own."""
    before = sockets()
    settings = replace(account, cosmos_database=request.node.name[:60])
    journals = [CosmosJournal(settings, options=OPTIONS, now=lambda: NOON) for _ in range(3)]
    yield journals
    for journal in journals:
        await journal.close()
    await eventually(lambda: sockets() <= before)  # the library's close returns before its connections are closed


@pytest.fixture
def journal(journals: list[CosmosJournal]) -> CosmosJournal:
    """An empty journal."""
    return journals[0]


@pytest.fixture
async def counting(journals: list[CosmosJournal]) -> list[CosmosJournal]:
    """Those of three instances, which read what was counted for all but the oldest rows."""
    await write(journals[0], row(NOON - timedelta(days=60)))
    await since(journals[0], 1)
    journals[0]._hours._since = None
    return journals


def sockets() -> int:
    """How many the event loop listens to."""
    return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]  # of the usual loop


async def write(journal: CosmosJournal, *rows: Row) -> None:
    for each in rows:
        journal.write(each)
    await journal._writing.close()  # which writes what waits
    await journal._hours.close()


async def shown(journal: CosmosJournal, only: Filter | None = None, *, before: str = "") -> list[Row]:
    return [each async for each in journal.rows(only or Filter(), before=before)]


async def container(journal: CosmosJournal) -> ContainerProxy:
    return await journal._container()


async def since(journal: CosmosJournal, hour: object) -> None:
    """Have it that every row is counted since this hour."""
    await (await container(journal)).upsert_item({"id": SINCE, "since": hour, "ttl": -1})


async def documents(journal: CosmosJournal) -> list[dict[str, Any]]:
    """Everything in the container."""
    return [each async for each in (await container(journal)).query_items("SELECT * FROM c")]


async def states(journal: CosmosJournal) -> dict[str, int]:
    hours = await journal.hours(NOON - timedelta(hours=100))
    return {state: count for hour in hours for state, count in hour.states.items() if count}


def warehouse(name: str, state: State) -> WarehouseRow:
    return WarehouseRow(project="kargo-demo", name=name, refresh=True, reason="why", value="1", state=state)


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


async def test_counts_of_an_hour_are_read_instead_of_its_rows(
    counting: list[CosmosJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = msgspec.structs.replace(row(NOON - timedelta(hours=2)), handled_at=NOON)
    await write(counting[0], row(NOON), late)
    await write(counting[1], row(NOON, provider="quay"), row(NOON), row(NOON - timedelta(days=2)))
    monkeypatch.setattr(CosmosJournal, "rows", None)
    for journal in counting:
        hours = await journal.hours(NOON - timedelta(hours=1.5))
        assert [(hour.began, hour.provider, hour.states) for hour in hours] == [
            (NOON - timedelta(hours=2), "azure", {"refreshed": 1}),
            (NOON, "azure", {"refreshed": 2}),
            (NOON, "quay", {"refreshed": 1}),
        ]
        assert [sum(hour.handled) for hour in hours] == [1, 0, 0]


async def test_each_instance_has_one_document_for_an_hour_which_is_kept_as_long_as_rows_are(
    counting: list[CosmosJournal],
) -> None:
    for number in range(4):
        await write(counting[number % 2], row(NOON), row(NOON + timedelta(minutes=number)))
    found = [each for each in await documents(counting[2]) if each.get("hour") == hour_of(row(NOON))]
    assert len(found) == 2
    assert {each["ttl"] for each in found} == {30 * 24 * 3600}
    assert await states(counting[2]) == {"refreshed": 8}
    assert len(await shown(counting[2], Filter(since=NOON))) == 8


async def test_what_is_counted_and_not_written_yet_is_counted_here(counting: list[CosmosJournal]) -> None:
    await write(counting[0], row())
    counting[0].write(row())
    await counting[0]._writing.close()
    assert await states(counting[0]) == {"refreshed": 2}
    assert await states(counting[1]) == {"refreshed": 1}


async def test_an_hour_that_this_process_has_long_left_is_counted_on(
    counting: list[CosmosJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENTS_OPEN", 2)
    queued = [row(NOON - timedelta(hours=hours), state=State.QUEUED) for hours in range(5)]
    await write(counting[0], *queued)
    await write(counting[0], *(msgspec.structs.replace(each, state=State.FAILED) for each in queued))
    assert len(counting[0]._hours._latest) == 2
    assert await counting[1].hours(NOON - timedelta(hours=5)) == await counting[0].hours(NOON - timedelta(hours=5))
    assert [hour.states for hour in await counting[1].hours(NOON - timedelta(hours=5))] == [{"failed": 1}] * 5


async def test_rows_of_an_earlier_version_are_counted_when_they_are_read(journals: list[CosmosJournal]) -> None:
    """It wrote documents of rows alone; those that it may have written after ours began count once, too."""
    rows = [row(NOON - timedelta(hours=hours)) for hours in range(6)]
    await write(journals[0], *rows[:3])
    await since(journals[0], hour_of(rows[1]))
    for each in await documents(journals[0]):
        if each["id"] == rows[2].id:
            for old in rows[3:]:
                theirs = {**each, "id": old.id, "timeStamp": old.received_at.isoformat()}
                theirs["delivery"] = msgspec.to_builtins(old)
                del theirs["counted"]
                await (await container(journals[0])).create_item(theirs)
    hours = await journals[1].hours(NOON - timedelta(hours=4))
    assert [(hour.began, hour.states) for hour in hours] == [
        (NOON - timedelta(hours=hours), {"refreshed": 1}) for hours in (4, 3, 2, 1, 0)
    ]
    for old in rows[3:]:
        read = await journals[1].read(old.id)
        assert read == old
        await write(journals[1], msgspec.structs.replace(old, state=State.NOTHING))
    assert await states(journals[1]) == {"refreshed": 1, "nothing": 1}
    assert len(await journals[1].hours(NOON - timedelta(hours=100))) == 6


async def test_in_a_new_journal_rows_are_counted_two_hours_later(journals: list[CosmosJournal]) -> None:
    """By then no process of an earlier version is left that counts none."""
    assert await journals[0].hours(NOON) == []
    await write(journals[0], row())
    await write(journals[1], row())
    assert await journals[1]._hours.since() == await journals[2]._hours.since() == hour_of(row(NOON)) + 2
    assert await states(journals[2]) == {"refreshed": 2}


@pytest.mark.parametrize(
    "odd",
    [{"hour": 10**12}, {"hour": 600_000.5}, {"tally": 7}, {"tally": "[[]]"}, {"tally": "[" * 30_000}],
    ids=range(5),
)
async def test_an_hour_that_was_tampered_with_costs_no_other(
    counting: list[CosmosJournal], odd: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    await write(counting[0], row())
    theirs = {"id": "hour-theirs", "hour": hour_of(row(NOON)), "tally": "[]", **odd}
    await (await container(counting[0])).upsert_item(theirs)
    assert await states(counting[1]) == {"refreshed": 1}
    assert "an hour of the journal cannot be read: hour-theirs" in caplog.text


async def test_what_somebody_made_of_since_when_rows_are_counted_costs_time_alone(
    journals: list[CosmosJournal],
) -> None:
    await write(journals[0], row())
    await since(journals[0], "yesterday")
    assert await states(journals[1]) == {"refreshed": 1}
    await write(journals[1], row())
    assert await states(journals[1]) == {"refreshed": 2}


async def test_what_two_instances_note_of_a_row_is_kept_and_counted_once(counting: list[CosmosJournal]) -> None:
    await two_instances.note(counting, write)


async def test_counts_are_those_of_the_rows_whatever_happens_to_them(counting: list[CosmosJournal]) -> None:
    rows = [row(NOON - timedelta(minutes=number * 9), state=State.QUEUED) for number in range(40)]
    await write(counting[0], *rows)
    for number, each in enumerate(rows):
        counting[number % 3].write(msgspec.structs.replace(each, state=State.FAILED if number % 4 else State.REFRESHED))
    await asyncio.gather(*(write(journal) for journal in counting))
    assert [each.state for each in await shown(counting[1], Filter(since=NOON - timedelta(days=1)))] == [
        State.FAILED if number % 4 else State.REFRESHED for number in range(40)
    ]
    hours = await counting[1].hours(NOON - timedelta(hours=100))
    assert sum(hour.states.get("failed", 0) for hour in hours) == 30
    assert sum(hour.states.get("refreshed", 0) for hour in hours) == 10
    assert sum(hour.states.get("queued", 0) for hour in hours) == 0
    assert sum(sum(hour.answered) for hour in hours) == 40


async def test_a_write_without_an_answer_is_counted_once(
    counting: list[CosmosJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account has written it, and its answer was lost on the way."""
    create, lost = ContainerProxy.create_item, iter((True, False))

    async def without_answer(self: ContainerProxy, body: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401
        stored = await create(self, body, **options)
        if "delivery" in body and next(lost, False):
            raise TimeoutError
        return stored

    monkeypatch.setattr(ContainerProxy, "create_item", without_answer)
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.05)
    counting[0].write(row())
    await eventually(lambda: "no answer" in counting[0].fault())
    await eventually(lambda: not counting[0].fault())
    await write(counting[0])
    assert await states(counting[1]) == {"refreshed": 1}


async def test_a_row_that_was_deleted_is_written_anew(
    counting: list[CosmosJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator refuses to look for a document that is not there; Azure says that it is not."""
    known = row(state=State.QUEUED)
    await write(counting[0], known)
    await (await container(counting[0])).delete_item(known.id, partition_key=known.id)

    async def missing(*_: object, **_options: object) -> None:
        raise CosmosResourceNotFoundError(status_code=404)  # type: ignore[no-untyped-call]  # as the library has it

    with monkeypatch.context() as azure:
        azure.setattr(ContainerProxy, "read_item", missing)
        await write(counting[0], msgspec.structs.replace(known, state=State.REFRESHED))
    assert [each.state for each in await shown(counting[1], Filter(since=NOON))] == [State.REFRESHED]


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
    create = ContainerProxy.create_item

    async def refuse(self: ContainerProxy, body: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401 - as it is
        if body.get("tag") == "4":
            raise CosmosHttpResponseError(status_code=400)  # type: ignore[no-untyped-call]  # as the library has it
        return await create(self, body, **options)

    monkeypatch.setattr(ContainerProxy, "create_item", refuse)
    await write(journal, *rows)
    assert [each.tag for each in await shown(journal)] == ["8", "7", "6", "5", "3", "2", "1", "0"]
    assert [line for line in caplog.messages if "dropped" in line]
