"""Rows are written where nobody else has written them since this process has seen them.

Otherwise the two are brought together first. So no news of another instance is lost, and each change is counted once.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from receivers import limits
from receivers.bounded import Bounded
from receivers.journal import entities
from receivers.journal.hours import names
from receivers.journal.journal import Row
from receivers.storage.account import StorageError

NOT_FOUND = 404
CONFLICTS = frozenset({NOT_FOUND, 409, 412})  # answers to who writes what somebody else has written or deleted
TRIES = 5  # of a batch of which others write something
STORED_SIZE = 600  # bytes to remember how a row was stored


class Change(NamedTuple):
    """A row that is to be written."""

    row: Row
    counted: str  # who writes it, and what it counts for
    etag: str  # of what it replaces; empty: nothing is there


class Found(NamedTuple):
    """What is stored of a delivery."""

    row: Row | None  # None: it cannot be read
    counted: str  # empty: a version of this service wrote it that counts nothing
    etag: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """How a row was stored last, as far as this process knows."""

    etag: str = ""  # empty: not at all
    counted: str = ""  # who wrote it, and what it counts for
    shared: bool = False  # another instance has written it too: what others hold of it may be behind


NOT_STORED = _Stored()

type Replace = Callable[[Sequence[Change]], Awaitable[list[str]]]
type Find = Callable[[str], Awaitable[Found | None]]
type Settle = Callable[[Row, Iterable[str], Iterable[str]], None]


class Versions:
    """Writes rows of a store.

    ``replace`` writes all or none where each is as its ETag says, and returns the new ETags, or none where they are not
    told; status 404, 409 or 412 says that somebody else has written one. ``find`` tells what is stored of a delivery,
    if anything. ``settle`` counts a row that is stored for what it tells now instead of what it told before.
    """

    def __init__(self, *, replace: Replace, find: Find, settle: Settle) -> None:
        self._replace = replace
        self._find = find
        self._settle = settle
        self._stored: Bounded[str, _Stored] = Bounded(
            entries=limits.JOURNAL_OPEN, size=limits.JOURNAL_OPEN * STORED_SIZE, age=limits.JOURNAL_OPEN_AGE
        )
        self._unsure: Bounded[str, tuple[str, _Stored]] = Bounded(  # first writes without an answer, what was before
            entries=limits.JOURNAL_WAITING, size=limits.JOURNAL_WAITING * STORED_SIZE, age=limits.JOURNAL_OPEN_AGE
        )
        self._instance = secrets.token_hex(4)
        self._writes = 0

    def note_read(self, delivery: str, found: Found | None) -> None:
        """Somebody here has read a row, and may write what follows from it."""
        if delivery not in self._stored:  # else somebody here may hold the row as it was then
            self._note_stored(delivery, found, shared=False)

    async def put(self, rows: list[Row]) -> None:
        """Write rows, all or none. Raises StorageError."""
        for attempt in range(1, TRIES + 1):
            before = [self._stored.get(row.id) or NOT_STORED for row in rows]
            changes = [Change(row, self._counted(row), stored.etag) for row, stored in zip(rows, before, strict=True)]
            try:
                etags = await self._replace(changes)
            except StorageError as error:
                conflict = _is_conflict(error, changes)
                if not conflict or attempt == TRIES:
                    if not conflict:
                        self._doubt(changes, before)
                    raise
                rows = list(await asyncio.gather(*map(self._reconciled, rows)))
            except BaseException:  # it is cancelled on its way
                self._doubt(changes, before)
                raise
            else:
                self._note_written(changes, before, etags)
                return

    def _counted(self, row: Row) -> str:
        self._writes += 1
        return " ".join((f"{self._instance}-{self._writes}", *names(row)))

    def _note_written(self, changes: list[Change], before: list[_Stored], etags: list[str]) -> None:
        for position, (row, counted, _) in enumerate(changes):
            self._unsure.pop(row.id)
            stored = NOT_STORED
            if before[position].shared:  # the next write brings the two together again
                stored = _Stored(shared=True)
            elif etags:
                stored = _Stored(etags[position], counted)
            self._stored.put(row.id, stored, size=STORED_SIZE)
            self._settle(row, _names(counted), _names(before[position].counted))

    def _doubt(self, changes: list[Change], before: list[_Stored]) -> None:
        """Nobody said whether these were written. What follows before that is known can only add what is not there."""
        for (row, counted, _), stored in zip(changes, before, strict=True):
            if row.id not in self._unsure:
                self._unsure.put(row.id, (counted, stored), size=STORED_SIZE)
            self._stored.pop(row.id)

    async def _reconciled(self, row: Row) -> Row:
        """A row with what others have written of it. Raises StorageError."""
        found = await self._find(row.id)
        by = found.counted if found is not None else ""
        known = self._stored.get(row.id) or NOT_STORED
        self._note_stored(row.id, found, shared=known.shared or not by.startswith(self._instance))
        if found is None or found.row is None:
            return row
        doubt = self._unsure.pop(row.id)
        if doubt is not None and by.startswith(self._instance) and by != doubt[1].counted:  # one was written after all
            first, before = doubt
            self._settle(found.row, _names(by), _names(before.counted) if by == first else ())
        return entities.brought_together(row, found.row)

    def _note_stored(self, delivery: str, found: Found | None, *, shared: bool) -> None:
        self._stored.pop(delivery)
        if found is not None:
            self._stored.put(delivery, _Stored(found.etag, found.counted, shared), size=STORED_SIZE)


def _is_conflict(error: StorageError, changes: list[Change]) -> bool:
    """Where nothing was to be there, what is missing is the place for it."""
    return error.status in CONFLICTS and (error.status != NOT_FOUND or any(change.etag for change in changes))


def _names(counted: str) -> list[str]:
    return counted.split(" ")[1:]
