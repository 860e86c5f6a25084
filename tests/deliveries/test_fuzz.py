"""Whatever stands in queues and tables: it is read, or skipped and logged; never does it stop who reads."""

import json
import os
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest

from receivers.deliveries.delivery import new_id
from receivers.journal import cosmos_journal
from receivers.journal.entities import inverted, partition_of, row_in
from receivers.journal.journal import Row, WarehouseRow
from receivers.journal.table_journal import TABLE
from receivers.journal.versions import Change
from receivers.local.azurite import Azurite
from receivers.retries import messages
from receivers.retries.messages import Attempt, Poisoned, UnreadableMessage
from receivers.retries.queue import POISON
from receivers.storage.tables import Entity
from testbed.servers import ApiServer
from tests.drill import furnish
from tests.examples import NOON, delivery, push, row, wanted
from tests.service import Service, running_service

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**32))
ODD: list[Any] = [
    *(None, True, 0, -1, 2**31, 10**30, 1e308, 0.1),
    *("", "x" * 5_000, "\u2028", "\ud800", "\x00", "'; --", "<script>", "../../pages", "%2e%2e", "\U0010ffff" * 100),
    *("2026-11-21T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "24:00"),
    *([], {}, [[[[]]]], [None], {"": None}, [0] * 1_000, {"kind": "image"}),
]


@pytest.fixture
def chance() -> Random:
    """Says how to repeat what failed: with FUZZ_SEED."""
    print(f"FUZZ_SEED={SEED}")
    return Random(SEED)  # noqa: S311 - to be repeated


def seconds() -> Iterator[int]:
    """Numbers, for as long as this may take."""
    until, number = time.monotonic() + SECONDS, 0
    while number == 0 or time.monotonic() < until:
        yield number
        number += 1
    print(f"{number} tried")


def changed(value: Any, chance: Random) -> Any:  # noqa: ANN401 - any JSON
    """The same, with something odd somewhere."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.1:
        return chance.choice(ODD)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key, copy = chance.choice(list(keys)), value.copy()
    match chance.randrange(8):
        case 0:
            del copy[key]
        case 1 if isinstance(copy, dict):
            copy[str(chance.choice(ODD))] = chance.choice(ODD)
        case _:
            copy[key] = changed(value[key], chance)
    return copy


def damaged(text: bytes, chance: Random) -> bytes:
    """Bytes of which some are others."""
    damaged = bytearray(text)
    for _ in range(chance.randrange(1, 4)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged[: chance.randrange(len(damaged))]) if chance.random() < 0.3 else bytes(damaged)


def message_texts(chance: Random) -> Iterator[bytes]:
    """What may stand in the queue."""
    (message,) = messages.of(delivery(push(), push(tag="2.0.0"), at=datetime.now(UTC)))
    sound = msgspec.to_builtins(message.tried(Attempt(at=NOON, refreshed=1, error="503")))
    for number in seconds():
        odd = changed(sound, chance)
        text = json.dumps(changed(odd, chance) if number % 3 == 0 else odd).encode()
        yield damaged(text, chance) if number % 5 == 0 else text


def entities(chance: Random, *, now: datetime = NOON) -> Iterator[tuple[str, Entity]]:
    """What may stand in the table, and under which id."""
    for number in seconds():
        told = row(now)
        told.warehouses = [warehouse_row() for _ in range(2)]
        told.handled_at = told.warehouses[0].handled_at = now
        text = json.dumps(changed(msgspec.to_builtins(told), chance) if number % 2 else msgspec.to_builtins(told))
        keys = {"PartitionKey": partition_of(told.id), "RowKey": inverted(told.id)}
        entity: dict[str, Any] = {**keys, "rows": 1, "row0": text, "provider": "azure", "state": "refreshed"}
        if number % 2 == 0:
            name = chance.choice(["rows", "row0", "attempts", "redelivered_as", "received_at"])
            entity[name] = chance.choice([0, -1, 7, 1.5, True, b"x", "", "x", "[{}]", "null", uuid.UUID(int=0), NOON])
        yield told.id, entity


def warehouse_row() -> WarehouseRow:
    decided = wanted()
    return WarehouseRow(project=decided.target.namespace, name=decided.target.name, refresh=True, reason=decided.reason)


def test_whatever_stands_in_the_queue_is_a_message_or_is_not(chance: Random) -> None:
    for text in message_texts(chance):
        poisoned = messages.decode_poisoned(text)
        try:
            message = messages.decode(text)
        except UnreadableMessage:
            assert poisoned.message is None or poisoned.reason
        else:
            assert messages.decode(messages.encode(message)) == message


def test_whatever_stands_in_the_table_is_a_row_or_is_left_out(chance: Random) -> None:
    for identifier, entity in entities(chance):
        found = row_in(entity)
        assert found is None or found.id == identifier


def test_whatever_stands_in_cosmos_db_is_a_row_or_is_left_out(chance: Random) -> None:
    """Where a document holds a delivery; others are not asked for."""
    for number in seconds():
        sound = cosmos_journal._document(Change(row(), "", ""), days=30)
        part = chance.choice(list(sound))
        odd = {**sound, part: changed(sound[part], chance)}
        found = cosmos_journal._row(odd)
        assert found is not None or part == "delivery", number
        assert found is None or msgspec.json.decode(msgspec.json.encode(found), type=Row) == found


@pytest.fixture
async def service(embedded_api_server: ApiServer, azurite: Azurite) -> AsyncIterator[Service]:
    """The whole service, with a journal and a retry queue."""
    await furnish(embedded_api_server)
    kubeconfig = embedded_api_server.kubeconfig("kargo-receivers")
    async with running_service(kubeconfig, AzureWebJobsStorage=azurite.connection_string) as running:
        yield running


async def test_whatever_stands_in_the_queue_ends_and_the_pages_show_it(service: Service, chance: Random) -> None:
    runtime = await service.runtime()
    assert runtime.retries is not None
    assert runtime.queue is not None
    await runtime.queue.poison(Poisoned(reason="it makes the queue"))
    for text in message_texts(chance):
        await runtime.retries.handle(text)
        (message,) = messages.of(delivery())
        given_up = json.dumps(changed(msgspec.to_builtins(Poisoned(reason="why", message=message)), chance)).encode()
        await put_as_it_is(service, given_up)
        assert (await service.ask("GET", "/queue")).status == 200
        assert (await service.ask("GET", "/queue?format=json")).status == 200
    assert (await service.ask("GET", "/deliveries")).status == 200


async def put_as_it_is(service: Service, text: bytes) -> None:
    """Into the poison queue, as anybody could who may write to the Storage account."""
    runtime = await service.runtime()
    assert runtime.storage is not None
    queue = await runtime.storage.queue(POISON)
    await queue.clear_messages()
    await queue.send_message(msgspec.json.encode(text).decode().strip('"'))  # as base64


async def test_whatever_stands_in_the_table_is_shown_or_left_out(service: Service, chance: Random) -> None:
    runtime = await service.runtime()
    assert runtime.storage is not None
    answer = await service.post("/azure/" + "0" * 64, {})
    assert answer.status == 404
    table = await runtime.storage.table(TABLE)
    await table.create_table()
    for identifier, entity in entities(chance, now=datetime.now(UTC)):
        await table.upsert_entity(dict(entity))
        for path in ("/deliveries", "/deliveries?format=json&since=1h", "/receivers"):
            assert (await service.ask("GET", path)).status == 200, (path, entity)
        if row_in(entity) is not None:
            for tab in ("decision", "request", "attempts"):
                path = f"/deliveries/{identifier}?tab={tab}"
                assert (await service.ask("GET", path)).status == 200, (path, entity)


def test_ids_of_rows_are_those_of_their_keys() -> None:
    """What the fuzzing builds is sound where nothing odd was put in."""
    sound = Row(id=new_id(NOON), received_at=NOON, provider="azure", state=row().state, status=200)
    keys = {"PartitionKey": partition_of(sound.id), "RowKey": inverted(sound.id)}
    assert row_in({**keys, "rows": 1, "row0": msgspec.json.encode(sound).decode()}) == sound
