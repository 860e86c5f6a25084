"""Which deliveries a page lists: by what the journal filters by, and by what each row is looked at for, in bounds."""

import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from receivers.journal.journal import Filter, Journal, Reach, Row, warehouses_of
from receivers.pages import wording

SOUGHT = 5_000  # rows looked at for one page; the page says how far that was
LATEST = 253_402_300_799  # seconds since 1970: the end of the year 9999, after which Python has no times
OF_THE_JOURNAL = ("project", "receiver", "warehouse", "state", "finding", "repository")
ID = 24  # digits
_PREFIX = re.compile("[0-9a-f]{1,23}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for."""

    only: Filter
    providers: tuple[str, ...] = ()  # none: any
    text: str = ""  # in lower case
    until: str = ""  # an id that comes after all that is meant

    def accepts(self, row: Row) -> bool:
        """Whether a row that passed the journal's filter is meant."""
        return (not self.providers or row.provider in self.providers) and (not self.text or self._names(row))

    def _names(self, row: Row) -> bool:
        """Whether repository, tag, digest, a Warehouse or the beginning of the id has the text."""
        pushed = f"{row.registry}/{row.repository}:{row.tag}".lower()
        return (
            self.text in pushed
            or row.id.startswith(self.text)
            or self.text in row.digest.lower()
            or any(self.text in warehouse.lower() for warehouse in warehouses_of(row))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rows, newest first."""

    rows: list[Row] = field(default_factory=list)
    looked_to: str = ""  # the id of the last row that was looked at, where there may be more behind it


def of(chosen: Mapping[str, str], *, since: datetime | None, until: datetime | None) -> Search:
    """What a query looks for."""
    providers = wording.providers(chosen["provider"]) if chosen["provider"] else ()
    alone = providers[0] if len(providers) == 1 else ""
    return Search(
        only=Filter(provider=alone, since=since, **{name: chosen[name] for name in OF_THE_JOURNAL}),
        providers=() if alone else providers,
        text=chosen["search"].lower(),
        until=_first_at(until) if until else "",
    )


def _first_at(time: datetime) -> str:
    """The first id that a delivery of this time can have."""
    return f"{max(0, int(time.timestamp() * 1000)):012x}".ljust(ID, "0")


async def older(journal: Journal, search: Search, before: str, limit: int) -> Found:
    """The rows before an id, or the newest: one more than ``limit``, if there is one. Raises StorageError."""
    rows: list[Row] = []
    reach, looked = Reach(), 0
    until = min(filter(None, (before, search.until)), default="")
    async for row in journal.rows(search.only, before=until, reach=reach):
        looked += 1
        if search.accepts(row):
            rows.append(row)
        if len(rows) > limit:
            return Found(rows=rows)
        if looked >= SOUGHT:
            return Found(rows=rows, looked_to=row.id)
    return Found(rows=rows, looked_to=reach.until)


async def newer(journal: Journal, search: Search, after: str, limit: int) -> Found:
    """The rows just newer than an id, and one more; the newest where they are few or far. Raises StorageError."""
    found = await nearest(journal, search, after, limit)
    if len(found.rows) < limit or found.looked_to:
        return await older(journal, search, "", limit)
    return Found(rows=[*found.rows, found.rows[-1]])  # the last stands for the older ones, ``after`` among them


async def nearest(journal: Journal, search: Search, after: str, limit: int) -> Found:
    """The rows just newer than an id. A journal is read from its newest row on. Raises StorageError."""
    began = when_of(after)
    since = max(began, search.only.since) if search.only.since else began
    rows: deque[Row] = deque(maxlen=limit)
    looked = 0
    async for row in journal.rows(msgspec.structs.replace(search.only, since=since), before=search.until):
        looked += 1
        if row.id <= after:
            break
        if looked > SOUGHT:
            return Found(rows=list(rows), looked_to=row.id)
        if search.accepts(row):
            rows.append(row)
    return Found(rows=list(rows))


async def by_prefix(journal: Journal, prefix: str, *, most: int) -> list[Row]:
    """The newest deliveries whose ids begin so. Raises StorageError."""
    found: list[Row] = []
    async for row in _from(journal, prefix):
        if not row.id.startswith(prefix) or len(found) == most:
            break
        found.append(row)
    return found


def _from(journal: Journal, prefix: str) -> AsyncIterator[Row]:
    """Rows from the last id on that may begin so."""
    return journal.rows(Filter(since=when_of(prefix.ljust(ID, "0"))), before=prefix.ljust(ID, "f"))


def is_prefix(text: str) -> bool:
    """Whether ids can begin so."""
    return _PREFIX.fullmatch(text) is not None


def when_of(delivery: str) -> datetime:
    """When a delivery arrived, as its id tells."""
    return datetime.fromtimestamp(min(int(delivery[:12], 16) / 1000, LATEST), UTC)
