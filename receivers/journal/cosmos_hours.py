"""Counts by the hour in Azure Cosmos DB: documents beside those of the rows, of each instance its own.

They are written some seconds after the rows, and merged when they are read. One document says since which hour every
row is counted: those of earlier hours, which an earlier version may have written, are counted when they are read.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from receivers import limits
from receivers.journal.cosmos_pages import pages
from receivers.journal.counting import OVERLAP, Counting
from receivers.journal.hours import Merged, Tally, decoded, hour_at, hour_of
from receivers.journal.journal import Row
from receivers.sampled import Sampled
from receivers.storage.account import NotFoundError, StorageError, calling
from receivers.text import printable

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

unreadable = Sampled(logging.getLogger(__name__))

SINCE = "since"  # id of the document that says since when
FOR_EVER = -1  # time to live
CONFLICT = 409
HOURS = range(10_000_000)  # since 1970: what Python has times for


@dataclass(frozen=True, slots=True)
class _Counted:
    """One document: differences of one hour."""

    hour: int
    id: str
    tally: Tally = field(default_factory=Tally)


class CosmosHours:
    """Counts rows. ``days``: how long each document is kept after it was written last."""

    def __init__(
        self, container: Callable[[], Awaitable["ContainerProxy"]], *, days: int, now: Callable[[], datetime]
    ) -> None:
        self._container = container
        self._days = days
        self._now = now
        self._instance = secrets.token_hex(8)
        self._number = 0
        self._latest: dict[int, _Counted] = {}  # by hour
        self._changed: dict[str, _Counted] = {}  # not stored as they are now
        self._saving = asyncio.Lock()
        self._counting = Counting(self._save)
        self._since: int | None = None  # once known

    async def begin(self) -> None:
        """Say since when rows are counted, before the first one is written.

        Raises StorageError; NotFoundError where the container is not there.
        """
        if self._since is not None:
            return
        hour = hour_at(self._now()) + OVERLAP
        container = await self._container()
        try:
            async with calling():
                await container.create_item({"id": SINCE, SINCE: hour, "ttl": FOR_EVER}, no_response=True)
        except StorageError as error:
            if error.status != CONFLICT:
                raise
            await self.since()
        else:
            self._since = hour

    async def since(self) -> int | None:
        """The hour since which every row is counted; None: none is. Raises StorageError."""
        if self._since is None:
            container = await self._container()
            query = f"SELECT c.{SINCE} FROM c WHERE c.id = '{SINCE}'"  # noqa: S608 - of the text above
            with suppress(NotFoundError):
                async with calling():
                    async for found in container.query_items(query, partition_key=SINCE):
                        self._since = _hour(found.get(SINCE))
        return self._since

    def settle(self, row: Row, told: Iterable[str], before: Iterable[str]) -> None:
        """A row is stored, and counts for ``told`` instead of ``before``."""
        counted = self._counted(hour_of(row))
        counted.tally.change(row, told, before)
        self._changed[counted.id] = counted
        self._counting.changed()

    async def count(self) -> None:
        """Write what was counted, unless that was done a few seconds ago: then it is done later."""
        await self._counting.count()

    async def add(self, merged: Merged, *, first: int) -> None:
        """Add what was counted of an hour and of those after it. Raises StorageError."""
        here = dict(self._changed)
        container = await self._container()
        query = "SELECT c.id, c.hour, c.tally FROM c WHERE IS_DEFINED(c.tally) AND c.hour >= @first"
        parameters = [{"name": "@first", "value": first}]
        async for documents in pages(container, query, parameters, size=limits.SEGMENTS_PAGE):
            for document in documents:
                if document["id"] not in here:
                    _add(merged, document)
        for counted in here.values():
            if counted.hour >= first:
                merged.add(counted.hour, counted.tally)

    async def close(self) -> None:
        """Write what was counted last."""
        await self._counting.close()

    def _counted(self, hour: int) -> _Counted:
        found = self._latest.get(hour)
        if found is None:
            self._number += 1
            found = _Counted(hour, f"hour-{hour}-{self._instance}-{self._number}")
            self._latest[hour] = found
            while len(self._latest) > limits.SEGMENTS_OPEN:
                del self._latest[next(iter(self._latest))]
        return found

    async def _save(self) -> None:
        async with self._saving:  # an earlier state must not follow a later one
            for counted in list(self._changed.values()):
                del self._changed[counted.id]
                try:
                    await self._write(counted)
                except BaseException:  # also where it is cancelled
                    self._changed[counted.id] = counted
                    raise

    async def _write(self, counted: _Counted) -> None:
        document = {
            "id": counted.id,
            "hour": counted.hour,
            "tally": counted.tally.encoded(),
            "ttl": self._days * 24 * 3600,
        }
        container = await self._container()
        async with calling():
            await container.upsert_item(document, no_response=True)


def _hour(value: object) -> int | None:
    """None: somebody has tampered with it."""
    return value if isinstance(value, int) and value in HOURS else None


def _add(merged: Merged, document: Mapping[str, Any]) -> None:
    hour = _hour(document["hour"])
    try:
        told = decoded(document["tally"]) if hour is not None else None
    except (TypeError, UnicodeError, RecursionError, msgspec.DecodeError):
        told = None
    if hour is None or told is None:
        name = printable(str(document["id"])[: limits.ROW_KEY])
        unreadable.warn("an hour of the journal cannot be read: %s", name)
    else:
        merged.add(hour, told)
