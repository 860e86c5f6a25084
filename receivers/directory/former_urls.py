"""URLs that were receivers' until their Secret was rotated or they were deleted: who still posts there can be told so.

Nothing is accepted by them: they are looked up once the cluster has said that a URL is none, and the sender is answered
as to any other. The table holds no token: a row is found by a hash of its URL's token. Looking one up costs nothing,
whether it is known or not. What is kept is bounded for each project, whose tenants can rotate as they like, and over
all: then the project that has the most loses its oldest one.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster.tasks import Shared
from receivers.directory.directory import voucher_of
from receivers.directory.former import Asked, Former, Standing, Why
from receivers.directory.shares import Shares
from receivers.events import Provider, Receiver
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Entity, Table, batches, literal
from receivers.storage.write_behind import WriteBehind

TABLE = "formerurls"
KEPT = timedelta(days=limits.FORMER_DAYS)
LATELY = timedelta(seconds=limits.FORMER_LATELY)
AGAIN = timedelta(seconds=limits.FORMER_AGAIN)
_AT_ONCE = 20  # rows taken; where each pushes out another that is a few milliseconds

type Key = tuple[str, str]  # kind of receiver, voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A row to write, or to delete where there is no entity."""

    key: Key
    entity: Entity | None = None


class FormerUrls:
    """Remembers them; without storage as long as this process lives."""

    def __init__(
        self,
        storage: Storage | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = Table(storage, TABLE) if storage else None
        self._now = now
        self._clock = clock
        self._writing: WriteBehind[_Change] = WriteBehind(self._store, what="former URL")
        self._rows: Bounded[Key, Former] = Bounded(
            entries=limits.FORMER_URLS + 1,  # one more, until it is chosen which goes
            size=limits.FORMER_BYTES + limits.FORMER_SIZE,
            age=KEPT.total_seconds(),
            clock=clock,
            on_forgotten=self._forgotten,
        )
        self._shares: Shares[Key] = Shares()  # of projects
        self._loading: Shared[None] | None = None
        self._loaded_at: float | None = None
        # Tells of a provider and a voucher whose URL that was, of a receiver that there is no longer
        self.known_before: Callable[[str, str], Receiver | None] = lambda _provider, _voucher: None
        # Tells by project and name what there is of a receiver now: the remedy depends on it
        self.standing: Callable[[str | None, str], Standing] = lambda _project, _name: Standing.UNKNOWN

    def lost(self, receiver: Receiver, vouchers: frozenset[str], why: Why) -> None:
        """The cluster says that a receiver has these URLs no longer. Returns at once."""
        for voucher in vouchers:
            key = (receiver.provider, voucher)
            if key not in self._rows:
                former = Former.of(receiver, voucher, why=why, now=self._now())
                self._keep(former)
                self._write(former)

    def has_vouchers(self, receiver: Receiver, vouchers: frozenset[str]) -> None:
        """The cluster says that a receiver has these URLs: they are no former ones, even if they were."""
        for voucher in vouchers:
            self._drop((receiver.provider, voucher))

    def asked(self, provider: Provider, path: str) -> Asked | None:
        """Whose a URL was that the cluster says is none. Returns at once; None: nobody's, as far as is known.

        What another process has noted is known within a minute.
        """
        voucher = voucher_of(path.rpartition("/")[2])
        former = self._find(provider, voucher)
        if former is None:
            self._load_soon()
            return None
        now = self._now()
        is_news = former.asked_at is None or now - former.asked_at >= AGAIN
        if is_news:
            former = replace(former, asked_at=now)
            self._keep(former)
            self._write(former)
        return Asked(former=self._as_it_stands(former), is_news=is_news)

    async def lately(self) -> list[Former]:
        """Those to which something was posted within an hour, at any process, the latest first."""
        if self._table is not None and self._is_older_than(limits.FORMER_FRESH):
            with suppress(StorageError):  # then what this process knows
                await self._load(self._table)
        now = self._now()
        asked = [(each.asked_at, each) for _, each in self._rows.items() if each.asked_at is not None]
        recent = [(at, each) for at, each in asked if now - at <= LATELY]
        return [self._as_it_stands(each) for _, each in sorted(recent, key=lambda one: one[0], reverse=True)]

    async def warm_up(self) -> None:
        """Read the table."""
        if self._table is not None:
            with suppress(StorageError):
                await self._load(self._table)

    async def clean(self) -> int:
        """Delete rows that are too old; how many they were. Raises StorageError."""
        if self._table is None:
            return 0
        oldest = (self._now() - KEPT).astimezone(UTC).isoformat()
        return await self._table.delete(f"until lt {literal(oldest)}")

    async def close(self) -> None:
        """Write what waits."""
        if self._loading is not None:
            self._loading.cancel()
            await self._loading.ended()
        await self._writing.close()

    def _find(self, provider: Provider, voucher: str) -> Former | None:
        for kind in provider.kinds:
            former = self._rows.get((kind, voucher))
            if former is not None:
                return former if self._now() - former.until <= KEPT else None
        receiver = self.known_before(provider.name, voucher)
        if receiver is None:
            return None
        self.lost(receiver, frozenset({voucher}), Why.DELETED)
        return self._rows.get((receiver.provider, voucher))

    def _as_it_stands(self, former: Former) -> Former:
        return replace(former, why=former.why.given(self.standing(former.project, former.name)))

    def _is_older_than(self, seconds: float) -> bool:
        return self._loaded_at is None or self._clock() - self._loaded_at >= seconds

    def _load_soon(self) -> None:
        if self._table is not None and self._is_older_than(limits.FORMER_RELOADED):
            self._begin_loading(self._table)

    async def _load(self, table: Table) -> None:
        """Read the table; who asks meanwhile shares it."""
        await self._begin_loading(table).result()

    def _begin_loading(self, table: Table) -> Shared[None]:
        if self._loading is None or self._loading.done:
            self._loaded_at = self._clock()
            self._loading = Shared(self._read(table))
        return self._loading

    async def _read(self, table: Table) -> None:
        """Take what others noted, and forget what they deleted."""
        unseen = {key for key in self._rows if self._writing.get("/".join(key)) is None}
        rows = 0
        async for page in table.pages("", size=limits.KNOWN_PAGE):
            for position, entity in enumerate(page):
                if position % _AT_ONCE == 0:
                    await asyncio.sleep(0)  # others may go on
                self._take(entity)
                unseen.discard((entity["PartitionKey"], entity["RowKey"]))
            rows += len(page)
            if rows >= limits.FORMER_READ:
                return
        for key in unseen:
            if self._writing.get("/".join(key)) is None:
                self._forget(key)

    def _take(self, entity: Entity) -> None:
        """Keep a row of the table, unless this process knows better; one that cannot be read is no row."""
        with suppress(KeyError, ValueError, TypeError, OverflowError):
            former = _former(entity, now=self._now())
            key = (former.kind, former.voucher)
            mine = self._rows.get(key)
            if self._writing.get("/".join(key)) is None and (mine is None or _asked(mine) < _asked(former)):
                self._keep(former)

    def _keep(self, former: Former) -> None:
        key = (former.kind, former.voucher)
        self._forget(key)
        self._rows.put(key, former, size=limits.FORMER_SIZE)
        self._shares.add(former.project, key, max(former.until.timestamp(), _asked(former)))
        if self._shares.count(former.project) > limits.FORMER_PROJECT:
            self._drop(self._shares.oldest(former.project))
        elif len(self._rows) > limits.FORMER_URLS:
            self._drop(self._shares.oldest(self._shares.largest()))

    def _drop(self, key: Key) -> None:
        if self._forget(key):
            self._writing.add("/".join(key), _Change(key=key))

    def _forget(self, key: Key) -> bool:
        former = self._rows.pop(key)
        if former is None:
            return False
        self._forgotten(key, former)
        return True

    def _forgotten(self, key: Key, former: Former) -> None:
        self._shares.remove(former.project, key)

    def _write(self, former: Former) -> None:
        key = (former.kind, former.voucher)
        self._writing.add("/".join(key), _Change(key=key, entity=_entity(former)))

    async def _store(self, changes: list[_Change]) -> None:
        if self._table is None:
            return
        for batch in batches([change.entity for change in changes if change.entity is not None]):
            await self._table.merge(batch)
        for change in changes:
            if change.entity is None:
                await self._table.remove(*change.key)


def _asked(former: Former) -> float:
    return former.asked_at.timestamp() if former.asked_at else 0.0


def _entity(former: Former) -> Entity:
    return {
        "PartitionKey": former.kind,
        "RowKey": former.voucher,
        "project": former.project or "",
        "name": former.name,
        "until": former.until.astimezone(UTC).isoformat(),
        "why": former.why.value,
        "asked_at": former.asked_at.astimezone(UTC).isoformat() if former.asked_at else "",
    }


def _former(entity: Entity, *, now: datetime) -> Former:
    """Raises KeyError, TypeError, ValueError or OverflowError where somebody else wrote it."""
    until = datetime.fromisoformat(entity["until"]).astimezone(UTC)
    asked_at = datetime.fromisoformat(entity["asked_at"]).astimezone(UTC) if entity["asked_at"] else None
    soon = now + AGAIN  # clocks differ a little
    if until > soon:
        raise ValueError
    return Former(
        voucher=entity["RowKey"],
        kind=entity["PartitionKey"],
        project=_name(entity["project"]) or None,
        name=_name(entity["name"]),
        until=until,
        why=Why(entity["why"]),
        asked_at=asked_at if asked_at is not None and asked_at <= soon else None,
    )


def _name(text: object) -> str:
    if not isinstance(text, str) or len(text) > limits.OBJECT_NAME:
        raise TypeError
    return text
