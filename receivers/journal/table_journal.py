"""The journal in Azure Table Storage: a table of rows, and one that lists and counts them by the hour."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from receivers import limits
from receivers.journal import entities, journal, segments
from receivers.journal.catalogue import Catalogue
from receivers.journal.entities import inverted, partition_at, partition_of, text_of
from receivers.journal.hours import Hour, first_id
from receivers.journal.journal import Filter, Reach, Row
from receivers.journal.versions import Change, Found, Versions
from receivers.storage.account import Storage
from receivers.storage.tables import Entity, Table, batches, literal
from receivers.storage.write_behind import WriteBehind

TABLE = "deliveries"
HOUR = 3_600_000  # milliseconds
RECENT = 2  # days asked for at once, before all that is older


class TableJournal:
    """A :class:`~receivers.journal.journal.Journal`."""

    def __init__(self, storage: Storage, *, days: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._table = Table(storage, TABLE)
        self._days = days
        self._now = now
        self._catalogue = Catalogue(storage, days=days, now=now)
        self._writing: WriteBehind[str] = WriteBehind(self._store, what="journal row", named=True)  # rows as JSON
        self._versions = Versions(replace=self._replace, find=self._find, settle=self._catalogue.settle)

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
        found = await self._find(delivery)
        self._versions.note_read(delivery, found)
        return found.row if found is not None else None

    async def rows(self, only: Filter, *, before: str = "", reach: Reach | None = None) -> AsyncIterator[Row]:
        """Rows, newest first, older than the delivery ``before``; as far as ``reach`` lets it look.

        Raises StorageError.
        """
        reach = reach or Reach(rows=sys.maxsize, seconds=float("inf"))
        if segments.has_keys(only):
            since = await self._unlisted_before()
            async for row in self._listed(only, before, since, reach):
                yield row
            before = min(filter(None, (before if journal.is_id(before) else "", since)), default="")
            if reach.until or not since or (only.since is not None and since <= _first_id(only.since)):
                return
        async for row in self._scanned(only, before, reach):
            yield row

    async def hours(self, since: datetime) -> list[Hour]:
        """Deliveries by hour and receiver, of all instances, from the hour of ``since`` on; oldest first.

        Raises StorageError.
        """
        return await self._catalogue.hours(since)

    async def clean(self) -> int:
        """Delete what is older than the settings keep; how many rows that were. Raises StorageError."""
        oldest = self._now() - timedelta(days=self._days)
        day = partition_at(int(oldest.timestamp() * 1000))
        await self._catalogue.clean()
        return await self._table.delete(f"PartitionKey gt {literal(day)}")

    def fault(self) -> str:
        """Why rows cannot be written at the moment; empty when they can."""
        return self._writing.fault()

    async def close(self) -> None:
        """Write what waits."""
        await self._writing.close()
        await self._catalogue.close()

    async def _listed(self, only: Filter, before: str, since: str, reach: Reach) -> AsyncIterator[Row]:
        """Rows that the catalogue lists, none before the id ``since``."""
        async for found in self._catalogue.listed(only, before=before):
            deliveries = [each for each in found if each >= since]
            for start in range(0, len(deliveries), limits.JOURNAL_AT_ONCE):
                chunk = deliveries[start : start + limits.JOURNAL_AT_ONCE]
                for row in await asyncio.gather(*map(self._latest, chunk)):
                    if row is not None and only.accepts(row):
                        yield row
                if reach.is_over(chunk[-1], looked=len(chunk)):
                    return
            if len(deliveries) < len(found):
                return

    async def _latest(self, delivery: str) -> Row | None:
        unwritten = self._writing.get(delivery)
        if unwritten is not None:
            return journal.decode(unwritten)
        entity = await self._table.read(partition_of(delivery), inverted(delivery))
        return entities.row_in(entity) if entity is not None else None

    async def _scanned(self, only: Filter, before: str, reach: Reach) -> AsyncIterator[Row]:
        """Rows as they stand in their table."""
        today = int(partition_at(int(self._now().timestamp() * 1000)))
        for window in _windows(only, before, today):
            query = " and ".join((window, *_conditions(only)))
            async for page in self._table.pages(query, size=limits.JOURNAL_PAGE):
                row = None
                for entity in page:
                    row = entities.row_in(entity)
                    if row is None:
                        continue
                    unwritten = self._writing.get(row.id)  # what is known of it, though not stored yet
                    row = journal.decode(unwritten) if unwritten is not None else row
                    if only.accepts(row):
                        yield row
                if row is not None and reach.is_over(row.id, looked=len(page)):
                    return

    async def _unlisted_before(self) -> str:
        """The id before which rows may not be listed; empty where every one that is kept is."""
        since = await self._catalogue.since()
        if since is None:
            return "f" * 24
        kept = int((self._now() - timedelta(days=self._days)).timestamp() * 1000)
        return first_id(since) if since * HOUR > kept else ""

    async def _store(self, texts: list[str]) -> None:
        """List rows, then write them, then count them: whoever is stopped between has lost no row that is listed."""
        rows = {row.id: row for row in map(journal.decode, texts)}
        await self._catalogue.announce(rows.values())
        written = [entities.entity_of(row, text, counted="") for row, text in zip(rows.values(), texts, strict=True)]
        for partition in batches(written):
            for batch in _bounded(partition):
                await self._versions.put([rows[inverted(entity["RowKey"])] for entity in batch])
        await self._catalogue.count()

    async def _replace(self, changes: Sequence[Change]) -> list[str]:
        """Write rows of one day in one transaction."""
        return await self._table.replace(
            [
                (entities.entity_of(change.row, journal.encode(change.row), counted=change.counted), change.etag)
                for change in changes
            ]
        )

    async def _find(self, delivery: str) -> Found | None:
        entity = await self._table.read(partition_of(delivery), inverted(delivery))
        if entity is None:
            return None
        etag = str(getattr(entity, "metadata", {}).get("etag") or "")
        return Found(entities.row_in(entity), str(entity.get("counted", "")), etag)


def _first_id(time: datetime) -> str:
    """Of a moment: every delivery that arrived since has a later one."""
    return f"{max(0, int(time.timestamp() * 1000)):012x}"


def _windows(only: Filter, before: str, today: int) -> Iterator[str]:
    """Ranges of days, newest first, as filters: a day, the next two, and all that is older.

    One range would do for Azure, which reads it in order. Its emulator sorts all that is in one.
    """
    day = today
    if journal.is_id(before):
        day = int(partition_of(before))
        yield f"PartitionKey eq {literal(f'{day:05d}')} and RowKey gt {literal(inverted(before))}"
    else:
        yield f"PartitionKey le {literal(f'{day:05d}')}"
    last = int(partition_at(int(only.since.timestamp() * 1000))) if only.since is not None else 99_999
    for end in (min(day + RECENT, last), last):
        if day < end:
            yield f"PartitionKey gt {literal(f'{day:05d}')} and PartitionKey le {literal(f'{end:05d}')}"
            day = end


def _conditions(only: Filter) -> Iterable[str]:
    """What Table Storage can filter by: anything but a part of a name."""
    for name in ("provider", "project"):
        if value := getattr(only, name):
            yield f"{name} eq {literal(value)}"
    if only.since is not None:
        yield f"received_at ge {literal(text_of(only.since))}"


def _bounded(group: list[Entity]) -> list[list[Entity]]:
    """Groups of entities, each small enough for one transaction."""
    groups: list[list[Entity]] = [[]]
    used = 0
    for entity in group:
        size = entity["rows"] * entities.CHUNK
        if groups[-1] and used + size > entities.TRANSACTION:
            groups.append([])
            used = 0
        groups[-1].append(entity)
        used += size
    return groups
