"""Rows of the journal as entities of Azure Table Storage, and back.

A partition holds one day, and both keys are inverted, so that a table, which can be read in one direction only, is read
from the newest row on. Both follow from a delivery's id. What is filtered by has properties of its own; the row itself
is JSON, in as many properties as it takes.
"""

import logging
from datetime import UTC, datetime

import msgspec

from receivers import limits
from receivers.journal import journal, rows
from receivers.journal.journal import Finding, Row, Searched
from receivers.retries.messages import Attempt
from receivers.sampled import Sampled
from receivers.storage.tables import Entity
from receivers.text import printable

unreadable = Sampled(logging.getLogger(__name__))

CHUNK = 16_000  # characters in one property, which holds 32 Ki units of UTF-16
TRANSACTION = 250_000  # characters in one transaction, which holds 4 MiB; few rows are larger than 3,000
DAY = 24 * 3600 * 1000  # milliseconds
_INVERTED = str.maketrans("0123456789abcdef", "fedcba9876543210")


class _End(msgspec.Struct, array_like=True):
    """How the search for what was pushed ended for one Warehouse."""

    project: str
    name: str
    searched: Searched | None


def inverted(delivery: str) -> str:
    """The row key of a delivery."""
    return delivery.translate(_INVERTED)


def partition_of(delivery: str) -> str:
    """The partition key of a delivery."""
    return partition_at(int(delivery[:12], 16))


def partition_at(milliseconds: int) -> str:
    """Of the day that a time, in milliseconds since 1970, belongs to. Days of this millennium have five digits."""
    return f"{max(0, 99_999 - milliseconds // DAY):05d}"


def text_of(time: datetime) -> str:
    """A time as a text that sorts as times do."""
    return time.astimezone(UTC).isoformat()


def entity_of(row: Row, text: str, *, counted: str) -> Entity:
    """A row, of which ``text`` is the JSON. ``counted``: who wrote it, and what it counts for."""
    entity = {
        "PartitionKey": partition_of(row.id),
        "RowKey": inverted(row.id),
        "provider": row.provider,
        "project": row.project,
        "state": row.state.value,
        "finding": row.finding.value if row.finding else "",
        "registry": row.registry,
        "repository": row.repository,
        "received_at": text_of(row.received_at),
        "counted": counted,
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


def row_in(entity: Entity) -> Row | None:
    """The row of an entity.

    None: a version of this service wrote it that this one does not understand, or somebody else."""
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


def brought_together(row: Row, other: Row) -> Row:
    """One row of two that have begun as the same one: what only one of them knows is kept."""
    row, news = (other, row) if _tried(other) > _tried(row) else (row, other)
    known = {each.target: each for each in news.warehouses}
    for warehouse in row.warehouses:
        told = known.get(warehouse.target)
        if told is None or told.value != warehouse.value:
            continue
        warehouse.handled_at = warehouse.handled_at or told.handled_at
        if told.searched is not None and (warehouse.searched is None or told.searched.at > warehouse.searched.at):
            rows.note_searched(warehouse, told.searched)
    row.attempts = row.attempts or news.attempts
    row.redelivered_as = row.redelivered_as or news.redelivered_as
    rows.conclude(row)
    return row


def _tried(row: Row) -> float:
    return row.attempts[-1].at.timestamp() if row.attempts else 0.0
