"""The segments of the journal in Azure Table Storage: each instance writes its own, and all are read.

A segment is written before the rows that it lists. A process that is killed between leaves a listed row that is not
there, which is passed over. Counts are written some seconds after the rows: a kill costs the differences of these
seconds, never a row.
"""

import asyncio
import logging
import secrets
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from receivers import limits
from receivers.journal import segments
from receivers.journal.counting import OVERLAP, Counting
from receivers.journal.hours import Hour, Merged, decoded, hour_at, hour_of
from receivers.journal.journal import Filter, Row, is_id
from receivers.journal.segments import Segment, Wanted
from receivers.sampled import Sampled
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Entity, Table, literal
from receivers.text import printable

logger = logging.getLogger(__name__)
unreadable = Sampled(logger)

TABLE = "hours"
SINCE = "since"  # partition and row of the hour since which every row is listed; behind all hours
TOO_LARGE = frozenset({400, 413})
_UNREADABLE = (KeyError, TypeError, ValueError, OverflowError, RecursionError, zlib.error, msgspec.DecodeError)

type _Matching = tuple[Entity, Wanted]  # a segment, and which of its values pass


class Catalogue:
    """Lists rows, and counts them."""

    def __init__(self, storage: Storage, *, days: int, now: Callable[[], datetime]) -> None:
        self._table = Table(storage, TABLE)
        self._days = days
        self._now = now
        self._instance = secrets.token_hex(8)
        self._number = 0
        self._segments: list[Segment] = []  # the latest of this process
        self._changed: dict[str, Segment] = {}  # not stored as they are now
        self._unlisted: dict[str, Segment] = {}  # of these, with rows that no stored one lists
        self._saving = asyncio.Lock()
        self._counting = Counting(lambda: self._save(list(self._changed.values())))
        self._since: int | None = None  # once known

    async def announce(self, rows: Iterable[Row]) -> None:
        """List rows that are about to be stored. Raises StorageError."""
        if self._since is None:
            await self._begin()
        for row in rows:
            segment = self._segment(row)
            if segment.add(row):
                self._unlisted[segment.name] = segment
        await self._save(list(self._unlisted.values()))

    def settle(self, row: Row, told: Iterable[str], before: Iterable[str]) -> None:
        """A row is stored, and counts for ``told`` instead of ``before``."""
        segment = self._segment(row)
        segment.tally.change(row, told, before)
        segment.settle(row)
        self._changed[segment.name] = segment
        self._counting.changed()

    async def count(self) -> None:
        """Write what was counted, unless that was done a few seconds ago: then it is done later."""
        await self._counting.count()

    async def listed(self, only: Filter, *, before: str) -> AsyncIterator[list[str]]:
        """Deliveries whose rows may pass a filter, newest first, some at a time. Raises StorageError."""
        conditions = [f"PartitionKey lt {literal(SINCE)}"]
        if is_id(before):
            conditions.append(f"PartitionKey ge {literal(segments.partition_of(int(before[:12], 16) // 3_600_000))}")
        if only.since is not None:
            conditions.append(f"PartitionKey le {literal(segments.partition_of(hour_at(only.since)))}")
        query, select = " and ".join(conditions), segments.head(only)
        matching: list[_Matching] = []
        at_once = 1
        async for page in self._table.pages(query, select=select, size=limits.SEGMENTS_PAGE):
            # The last hour of a page may go on in the next one.
            goes_on = page[-1]["PartitionKey"] if page else ""
            matching += [(entity, told) for entity in page if (told := _wanted(only, entity)) is not None]
            while ready := _first(matching, at_once, goes_on):
                del matching[: len(ready)]
                at_once = min(2 * at_once, limits.SEGMENTS_AT_ONCE)
                yield await self._deliveries(ready, before)
        while ready := _first(matching, limits.SEGMENTS_AT_ONCE, ""):
            del matching[: len(ready)]
            yield await self._deliveries(ready, before)

    async def hours(self, since: datetime) -> list[Hour]:
        """Deliveries by hour and receiver, oldest first. Raises StorageError."""
        first = hour_at(since)
        merged = Merged()
        here = dict(self._changed)
        query = f"PartitionKey le {literal(segments.partition_of(first))}"
        async for page in self._table.pages(
            query, select=["PartitionKey", "RowKey", *segments.properties("tally")], size=limits.SEGMENTS_PAGE
        ):
            for entity in page:
                if entity["RowKey"] not in here:
                    _add(merged, entity)
        for segment in here.values():
            if segment.hour >= first:
                merged.add(segment.hour, segment.tally)
        return merged.hours()

    async def since(self) -> int | None:
        """The hour since which every row that is kept is listed; None: none is. Raises StorageError."""
        if self._since is None:
            entity = await self._table.read(SINCE, SINCE)
            with suppress(*_UNREADABLE):
                self._since = int(entity["hour"]) if entity is not None else None
        return self._since

    async def clean(self) -> None:
        """Delete what is older than the settings keep. Raises StorageError."""
        oldest = literal(segments.partition_of(hour_at(self._now() - timedelta(days=self._days))))
        await self._table.delete(f"PartitionKey gt {oldest} and PartitionKey lt {literal(SINCE)}")

    async def close(self) -> None:
        """Write what was counted last."""
        await self._counting.close()

    async def _begin(self) -> None:
        if await self.since() is None:
            hour = hour_at(self._now()) + OVERLAP
            await self._table.merge([{"PartitionKey": SINCE, "RowKey": SINCE, "hour": str(hour)}])
            self._since = hour

    def _segment(self, row: Row) -> Segment:
        """Where a row is listed, or is to be."""
        hour = hour_of(row)
        of_hour = [each for each in self._segments if each.hour == hour]
        found = next((each for each in of_hour if row.id in each), None)
        found = found or next((each for each in of_hour if not each.is_full), None)
        if found is None:
            self._number += 1
            found = Segment(hour, f"{self._instance}-{self._number}")
            self._segments = [*self._segments[-limits.SEGMENTS_OPEN + 1 :], found]
        return found

    async def _save(self, changed: Iterable[Segment]) -> None:
        """Write segments as they are now. One that is too large is given up: no row shall wait for it."""
        async with self._saving:  # an earlier state must not follow a later one
            for segment in changed:
                self._changed.pop(segment.name, None)
                try:
                    await self._table.merge([segment.entity()])
                except BaseException as error:  # also where it is cancelled
                    if not isinstance(error, StorageError) or error.status not in TOO_LARGE:
                        self._changed[segment.name] = segment
                        raise
                    self._segments = [each for each in self._segments if each is not segment]
                    logger.error("rows of the journal cannot be found by filters: %s", error)  # noqa: TRY400 - no defect
                self._unlisted.pop(segment.name, None)

    async def _deliveries(self, matching: list[_Matching], before: str) -> list[str]:
        """Those of some hours that may pass, newest first."""
        listed = await asyncio.gather(*map(self._passing, matching))
        found = {each for deliveries in listed for each in deliveries if is_id(each)}
        return sorted((each for each in found if not is_id(before) or each < before), reverse=True)

    async def _passing(self, matching: _Matching) -> list[str]:
        head, told = matching
        entity = await self._table.read(head["PartitionKey"], head["RowKey"])
        try:
            return segments.passing(entity, told) if entity is not None else []
        except _UNREADABLE:
            _warn(head)
            return []


def _first(matching: list[_Matching], hours: int, goes_on: str) -> list[_Matching]:
    """The segments of so many hours, without the one that goes on."""
    partitions = list(dict.fromkeys(entity["PartitionKey"] for entity, _ in matching))
    chosen = {each for each in partitions[:hours] if each != goes_on}
    return [each for each in matching if each[0]["PartitionKey"] in chosen]


def _wanted(only: Filter, entity: Entity) -> Wanted | None:
    try:
        return segments.wanted(only, entity)
    except _UNREADABLE:
        _warn(entity)
        return None


def _add(merged: Merged, entity: Entity) -> None:
    try:
        merged.add(segments.hour_in(entity["PartitionKey"]), decoded(segments.tally(entity)))
    except _UNREADABLE:
        _warn(entity)


def _warn(entity: Entity) -> None:
    unreadable.warn("an hour of the journal cannot be read: %s", printable(str(entity.get("RowKey"))[: limits.ROW_KEY]))
