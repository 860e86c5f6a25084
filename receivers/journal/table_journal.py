"""The journal in Azure Table Storage.

A partition holds one day, and both keys are inverted, so that a table, which can be read in one direction only, is read
from the newest row on. Both follow from a delivery's id. What is filtered by has properties of its own; the row itself
is JSON, in as many properties as it takes.
"""

import logging
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import msgspec

from receivers import limits
from receivers.journal import journal, rows
from receivers.journal.hours import Hour, Merged, Tally, hour_of
from receivers.journal.journal import Filter, Finding, Row, Searched
from receivers.retries.messages import Attempt
from receivers.sampled import Sampled
from receivers.storage.account import Storage
from receivers.storage.tables import Entity, Table, batches, literal
from receivers.storage.write_behind import WriteBehind
from receivers.text import printable

unreadable = Sampled(logging.getLogger(__name__))

TABLE = "deliveries"
CHUNK = 16_000  # characters in one property, which holds 32 Ki units of UTF-16
TRANSACTION = 250_000  # characters in one transaction, which holds 4 MiB; few rows are larger than 3,000
DAY = 24 * 3600 * 1000  # milliseconds
_INVERTED = str.maketrans("0123456789abcdef", "fedcba9876543210")


class _End(msgspec.Struct, array_like=True):
    """How the search for what was pushed ended for one Warehouse."""

    project: str
    name: str
    searched: Searched | None


class TableJournal:
    """A :class:`~receivers.journal.journal.Journal`."""

    def __init__(self, storage: Storage, *, days: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._table = Table(storage, TABLE)
        self._days = days
        self._now = now
        self._writing: WriteBehind[str] = WriteBehind(self._store, what="journal row", named=True)  # rows as JSON

    def write(self, row: Row) -> str:
        """Add a row as it is now, or replace the one with its id. Returns at once; the row is written soon."""
        text = journal.encode(row)
        self._writing.add(row.id, text, size=sys.getsizeof(text), rank=journal.rank(row))
        return text

    async def read(self, delivery: str) -> Row | None:
        """The row of a delivery. Raises StorageError."""
        unwritten = self._writing.get(delivery)
        if unwritten is not None:
            return journal.decode(unwritten)
        if not journal.is_id(delivery):
            return None
        entity = await self._table.read(partition_of(delivery), inverted(delivery))
        return _row(entity) if entity is not None else None

    async def rows(self, only: Filter, *, before: str = "") -> AsyncIterator[Row]:
        """Rows, newest first, older than the delivery ``before``. Raises StorageError."""
        async for page in self._table.pages(_query(only, before), size=limits.JOURNAL_PAGE):
            for entity in page:
                row = _row(entity)
                if row is None:
                    continue
                unwritten = self._writing.get(row.id)  # what is known of it, though not stored yet
                row = journal.decode(unwritten) if unwritten is not None else row
                if only.accepts(row):
                    yield row

    async def hours(self, since: datetime) -> list[Hour]:
        """Deliveries by hour and receiver, of all instances; oldest first. Raises StorageError."""
        merged = Merged()
        async for row in self.rows(Filter(since=since.replace(minute=0, second=0, microsecond=0))):
            tally = Tally()
            tally.change(row, ())
            merged.add(hour_of(row), tally)
        return merged.hours()

    async def clean(self) -> int:
        """Delete what is older than the settings keep; how many rows that were. Raises StorageError."""
        oldest = self._now() - timedelta(days=self._days)
        day = _partition(int(oldest.timestamp() * 1000))
        return await self._table.delete(f"PartitionKey gt {literal(day)}")

    def fault(self) -> str:
        """Why rows cannot be written at the moment; empty when they can."""
        return self._writing.fault()

    async def close(self) -> None:
        """Write what waits."""
        await self._writing.close()

    async def _store(self, texts: list[str]) -> None:
        for entities in batches([_entity(journal.decode(text), text) for text in texts]):
            for batch in _bounded(entities):
                await self._table.merge(batch)


def inverted(delivery: str) -> str:
    """The row key of a delivery."""
    return delivery.translate(_INVERTED)


def partition_of(delivery: str) -> str:
    """The partition key of a delivery."""
    return _partition(int(delivery[:12], 16))


def _partition(milliseconds: int) -> str:
    """Of the day that a time, in milliseconds since 1970, belongs to. Days of this millennium have five digits."""
    return f"{max(0, 99_999 - milliseconds // DAY):05d}"


def _query(only: Filter, before: str) -> str:
    """What Table Storage can filter by: anything but a part of a name."""
    conditions = [
        f"{name} eq {literal(value)}"
        for name, value in (
            ("provider", only.provider),
            ("project", only.project),
            ("state", only.state),
            ("finding", only.finding),
        )
        if value
    ]
    if journal.is_id(before):
        day, row = literal(partition_of(before)), literal(inverted(before))
        conditions.append(f"(PartitionKey gt {day} or (PartitionKey eq {day} and RowKey gt {row}))")
    if only.since is not None:
        day = literal(_partition(int(only.since.timestamp() * 1000)))
        conditions.append(f"PartitionKey le {day} and received_at ge {literal(_text(only.since))}")
    return " and ".join(conditions)


def _text(time: datetime) -> str:
    """A time as a text that sorts as times do."""
    return time.astimezone(UTC).isoformat()


def _entity(row: Row, text: str) -> Entity:
    entity = {
        "PartitionKey": partition_of(row.id),
        "RowKey": inverted(row.id),
        "provider": row.provider,
        "project": row.project,
        "state": row.state.value,
        "finding": row.finding.value if row.finding else "",
        "registry": row.registry,
        "repository": row.repository,
        "received_at": _text(row.received_at),
        "rows": -(-len(text) // CHUNK),
    }
    for number, start in enumerate(range(0, len(text), CHUNK)):
        entity[f"row{number}"] = text[start : start + CHUNK]
    # Another process may have noted these: one that does not know of them must not take them away.
    if row.attempts:
        entity["attempts"] = msgspec.json.encode(row.attempts).decode()
    if row.redelivered_as:
        entity["redelivered_as"] = row.redelivered_as
    ends = [_End(each.project, each.name, each.searched) for each in row.warehouses if _has_ended(each.searched)]
    searched = msgspec.json.encode(ends).decode()
    if ends and len(searched) <= CHUNK:
        entity["searched"] = searched
    return entity


def _has_ended(searched: Searched | None) -> bool:
    return searched is not None and searched.finding != Finding.SOUGHT


def _row(entity: Entity) -> Row | None:
    """None: a version of this service wrote it that this one does not understand, or somebody else."""
    try:
        return _read(entity)
    except (journal.Unreadable, KeyError, TypeError, UnicodeError, RecursionError, msgspec.DecodeError):
        unreadable.warn(
            "a row of the journal cannot be read: %s", printable(str(entity.get("RowKey"))[: limits.ROW_KEY])
        )
        return None


def _read(entity: Entity) -> Row:
    row = journal.decode("".join(entity[f"row{number}"] for number in range(entity["rows"])))
    if "attempts" in entity:
        row.attempts = msgspec.json.decode(entity["attempts"], type=list[Attempt])
    row.redelivered_as = msgspec.convert(entity.get("redelivered_as", ""), str)
    if inverted(row.id) != entity["RowKey"]:
        raise journal.Unreadable("it stands under the key of another one")
    if "searched" in entity:
        _overlay(row, msgspec.json.decode(entity["searched"], type=list[_End]))
    return row


def _overlay(row: Row, ends: list["_End"]) -> None:
    """What another process saw of what was looked for, where the row has no end of its own."""
    known = {(each.project, each.name): each.searched for each in ends}
    for warehouse in row.warehouses:
        searched = known.get((warehouse.project, warehouse.name))
        if searched is not None and not _has_ended(warehouse.searched):
            warehouse.searched = searched
    rows.conclude_search(row)
    journal.check(row)


def _bounded(entities: list[Entity]) -> list[list[Entity]]:
    """Groups of entities, each small enough for one transaction."""
    groups: list[list[Entity]] = [[]]
    used = 0
    for entity in entities:
        size = entity["rows"] * CHUNK
        if groups[-1] and used + size > TRANSACTION:
            groups.append([])
            used = 0
        groups[-1].append(entity)
        used += size
    return groups
