"""A journal that keeps its rows in memory, for tests that are not about how they are stored."""

from collections.abc import AsyncIterator
from datetime import datetime

from receivers.journal.hours import Hour, Merged, full_hour
from receivers.journal.journal import Filter, Reach, Row, encode
from receivers.journal.journal import decode as decoded
from receivers.storage.account import StorageError


class Shelf:
    """A :class:`~receivers.journal.journal.Journal`. ``written`` counts; ``away`` makes reading fail."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}
        self.written = 0
        self.away = False
        self.closed = False

    def write(self, row: Row) -> str:
        self.written += 1
        self._rows[row.id] = encode(row)
        return self._rows[row.id]

    async def read(self, delivery: str) -> Row | None:
        if self.away:
            raise StorageError("cannot be reached")
        return decoded(self._rows[delivery]) if delivery in self._rows else None

    async def rows(self, only: Filter, *, before: str = "", reach: Reach | None = None) -> AsyncIterator[Row]:
        for delivery in sorted(self._rows, reverse=True):
            row = decoded(self._rows[delivery])
            if only.accepts(row) and (not before or delivery < before):
                yield row
            if reach is not None and reach.is_over(delivery):
                return

    async def hours(self, since: datetime) -> list[Hour]:
        merged = Merged()
        await merged.add_rows(self.rows(Filter(since=full_hour(since))))
        return merged.hours()

    async def clean(self) -> int:
        return 0

    def fault(self) -> str:
        return ""

    async def close(self) -> None:
        self.closed = True

    def __getitem__(self, delivery: str) -> Row:
        return decoded(self._rows[delivery])

    def __len__(self) -> int:
        return len(self._rows)
