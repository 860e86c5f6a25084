"""The journal in Azure Table Storage: a table of rows, and one that lists and counts them by the hour."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from receivers import limits
from receivers.bounded import Bounded
from receivers.journal import entities, journal, segments
from receivers.journal.catalogue import Catalogue
from receivers.journal.entities import inverted, partition_at, partition_of, text_of
from receivers.journal.hours import Hour, names
from receivers.journal.journal import Filter, Reach, Row
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Entity, Table, batches, literal
from receivers.storage.write_behind import WriteBehind

TABLE = "deliveries"
CONFLICTS = frozenset({404, 409, 412})  # answers to who writes what somebody else has written or deleted
TRIES = 5  # of a batch of which others write something
STORED_SIZE = 600  # bytes to remember how a row was stored
HOUR = 3_600_000  # milliseconds
RECENT = 2  # days asked for at once, before all that is older


@dataclass(frozen=True, slots=True)
class _Stored:
    """How a row was stored last, as far as this process knows."""

    etag: str = ""  # empty: not at all
    counted: str = ""  # who wrote it, and what it counts for
    shared: bool = False  # another instance has written it too: what others hold of it may be behind


NOT_STORED = _Stored()


class TableJournal:
    """A :class:`~receivers.journal.journal.Journal`.

    A row is written where nobody else has written it since this process has seen it; otherwise the two are brought
    together first. So no news of another instance is lost, and each change is counted once.
    """

    def __init__(self, storage: Storage, *, days: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._table = Table(storage, TABLE)
        self._days = days
        self._now = now
        self._catalogue = Catalogue(storage, days=days, now=now)
        self._writing: WriteBehind[str] = WriteBehind(self._store, what="journal row", named=True)  # rows as JSON
        self._stored: Bounded[str, _Stored] = Bounded(
            entries=limits.JOURNAL_OPEN, size=limits.JOURNAL_OPEN * STORED_SIZE, age=limits.JOURNAL_OPEN_AGE
        )
        self._unsure: Bounded[str, tuple[str, _Stored]] = Bounded(  # writes without an answer, and what was before
            entries=limits.JOURNAL_WAITING, size=limits.JOURNAL_WAITING * STORED_SIZE, age=limits.JOURNAL_OPEN_AGE
        )
        self._instance = secrets.token_hex(4)
        self._writes = 0

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
        if delivery not in self._stored:  # else somebody here may hold the row as it was then
            self._note_stored(delivery, entity, shared=False)
        return entities.row_in(entity) if entity is not None else None

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
        return f"{since * HOUR:012x}{0:012x}" if since * HOUR > kept else ""

    async def _store(self, texts: list[str]) -> None:
        """List rows, then write them, then count them: whoever is stopped between has lost no row that is listed."""
        rows = {row.id: row for row in map(journal.decode, texts)}
        await self._catalogue.announce(rows.values())
        written = [entities.entity_of(row, text, counted="") for row, text in zip(rows.values(), texts, strict=True)]
        for partition in batches(written):
            for batch in _bounded(partition):
                await self._put([rows[inverted(entity["RowKey"])] for entity in batch])
        await self._catalogue.count()

    async def _put(self, rows: list[Row]) -> None:
        """Write rows of one day in one transaction."""
        for attempt in range(1, TRIES + 1):
            counted = [self._counted(row) for row in rows]
            before = [self._stored.get(row.id) or NOT_STORED for row in rows]
            changes = [
                (entities.entity_of(row, journal.encode(row), counted=told), stored.etag)
                for row, told, stored in zip(rows, counted, before, strict=True)
            ]
            try:
                etags = await self._table.replace(changes)
            except StorageError as error:
                if error.status not in CONFLICTS or attempt == TRIES:
                    if error.status not in CONFLICTS:
                        self._doubt(rows, counted, before)
                    raise
                rows = list(await asyncio.gather(*map(self._reconciled, rows)))
            else:
                self._note_written(rows, counted, before, etags)
                return

    def _counted(self, row: Row) -> str:
        self._writes += 1
        return " ".join((f"{self._instance}-{self._writes}", *names(row)))

    def _note_written(self, rows: list[Row], counted: list[str], before: list[_Stored], etags: list[str]) -> None:
        for position, row in enumerate(rows):
            self._unsure.pop(row.id)
            stored = NOT_STORED
            if before[position].shared:  # the next write brings the two together again
                stored = _Stored(shared=True)
            elif etags:
                stored = _Stored(etags[position], counted[position])
            self._stored.put(row.id, stored, size=STORED_SIZE)
            self._catalogue.settle(row, _names(counted[position]), _names(before[position].counted))

    def _doubt(self, rows: list[Row], counted: list[str], before: list[_Stored]) -> None:
        """Nobody said whether these were written."""
        for row, told, stored in zip(rows, counted, before, strict=True):
            self._unsure.put(row.id, (told, stored), size=STORED_SIZE)
            self._stored.pop(row.id)

    async def _reconciled(self, row: Row) -> Row:
        """A row with what others have written of it. Raises StorageError."""
        entity = await self._table.read(partition_of(row.id), inverted(row.id))
        by = str((entity or {}).get("counted", ""))
        known = self._stored.get(row.id) or NOT_STORED
        self._note_stored(row.id, entity, shared=known.shared or not by.startswith(self._instance))
        other = entities.row_in(entity) if entity is not None else None
        if other is None:
            return row
        told, before = self._unsure.pop(row.id) or ("", NOT_STORED)
        if told and by == told:  # it was written after all
            self._catalogue.settle(other, _names(told), _names(before.counted))
        return entities.brought_together(row, other)

    def _note_stored(self, delivery: str, entity: Entity | None, *, shared: bool) -> None:
        self._stored.pop(delivery)
        if entity is not None:
            etag = str(getattr(entity, "metadata", {}).get("etag") or "")
            stored = _Stored(etag, str(entity.get("counted", "")), shared)
            self._stored.put(delivery, stored, size=STORED_SIZE)


def _names(counted: str) -> list[str]:
    return counted.split(" ")[1:]


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
