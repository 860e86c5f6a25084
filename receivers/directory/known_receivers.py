"""Receivers whose URLs were verified before, for a process that starts while the cluster is away.

The table holds no token and no secret: a row is found by a hash of its URL's token. So only what the URL alone proves
can be accepted by it; a sender that signs has to wait until its secret can be read. And a row does no more than vouch:
what it vouched for is verified in the cluster before anything is refreshed.

The whole table is read at once and kept, so that looking a URL up costs nothing, whether anybody knows it or not.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster.tasks import Shared
from receivers.directory.directory import Verified, voucher_of
from receivers.directory.hints import Key, key_of
from receivers.events import Provider, Receiver
from receivers.providers import PROVIDERS, serving
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Entity, Table, batches, literal
from receivers.storage.write_behind import WriteBehind

TABLE = "receivers"
RENEWED = timedelta(seconds=limits.KNOWN_RENEWED)
EXPIRED = timedelta(days=limits.KNOWN_DAYS)
_VOUCHER_BYTES, _ROW_BYTES = 128, 1024  # in memory, beside what a row's receiver says


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    receiver: Receiver
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A row to write, or to delete where there is no entity."""

    provider: str
    voucher: str
    entity: Entity | None = None


class KnownReceivers:
    """A :class:`~receivers.deliveries.pipeline.KnownReceivers`, over Table Storage."""

    def __init__(
        self,
        storage: Storage,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = Table(storage, TABLE)
        self._now = now
        self._clock = clock
        self._writing: WriteBehind[_Change] = WriteBehind(self._store, what="known receiver")
        self._rows: Bounded[tuple[str, str], _Known] = Bounded(  # by provider and voucher
            entries=limits.KNOWN_RECEIVERS,
            size=limits.KNOWN_BYTES,
            age=limits.KNOWN_DAYS * 24 * 3600.0,
            clock=clock,
            on_forgotten=self._forgotten,
        )
        self._rows_of: dict[Key, set[tuple[str, str]]] = {}
        self._rows_in: dict[str | None, dict[tuple[str, str], datetime]] = {}  # by project: when seen
        self._told: Bounded[Key, tuple[str, frozenset[str]]] = Bounded(  # what the cluster said of each last: its kind
            entries=limits.KNOWN_RECEIVERS, size=limits.KNOWN_BYTES, age=limits.KNOWN_RENEWED, clock=clock
        )
        # Told of a URL that a receiver had when it was used last, and that the cluster says it has no longer
        self.on_refuted: Callable[[Receiver, str], None] = lambda _receiver, _voucher: None
        self._loading: Shared[None] | None = None
        self._loaded_at: float | None = None

    async def find(self, provider: Provider, path: str) -> Verified | None:
        """The receiver of a URL, if its URL alone proves the sender. Raises StorageError.

        To be asked only while the cluster cannot be.
        """
        voucher = voucher_of(path.rpartition("/")[2])
        known = self._rows.get((provider.name, voucher))
        if known is None and self._is_outdated():
            await self._load()
            known = self._rows.get((provider.name, voucher))
        if known is None or known.seen_at < self._now() - EXPIRED or provider.needs_secret(known.receiver):
            return None
        return Verified(receiver=known.receiver, voucher=voucher)

    def learn(self, provider: Provider, path: str, verified: Verified) -> None:
        """Remember a receiver that the cluster has just verified. Returns at once."""
        receiver, now = verified.receiver, self._now()
        if verified.voucher or receiver.secret is None:  # one of the settings is always known
            return
        receiver = replace(receiver, status_path="")  # which holds the token
        voucher = voucher_of(path.rpartition("/")[2])
        known = self._rows.get((provider.name, voucher))
        if provider.needs_secret(receiver):
            if known is not None:  # from a time when it did not
                self.refuted(provider.name, voucher)
            return
        if known is None or known.receiver != receiver or now - known.seen_at >= RENEWED:
            entity = _entity(provider, voucher, receiver, now)
            if len(entity["receiver"]) > limits.KNOWN_TEXT:
                if known is not None:
                    self.refuted(provider.name, voucher)
                return
            self._keep(provider.name, voucher, _Known(receiver=receiver, seen_at=now), size=len(entity["receiver"]))
            self._write(_Change(provider=provider.name, voucher=voucher, entity=entity))

    def has_vouchers(self, receiver: Receiver, vouchers: frozenset[str]) -> None:
        """The cluster says which URLs a receiver has: rows of others are deleted. Returns at once.

        Of one that demands more than its URL no row counts, also none from a time when it did not.
        """
        key, has_any = key_of(receiver), bool(vouchers)
        lost = [voucher for _, voucher in self._rows_of.get(key, ()) if has_any and voucher not in vouchers]
        if _needs_secret(receiver):
            vouchers = frozenset()
        self._told.put(key, (receiver.provider, vouchers), size=_VOUCHER_BYTES * (1 + len(vouchers)))
        for provider, voucher in list(self._rows_of.get(key, ())):
            if not _is_one_of(provider, voucher, receiver.provider, vouchers):
                self.refuted(provider, voucher)
        for voucher in lost:
            self.on_refuted(receiver, voucher)

    def refuted(self, provider: str, voucher: str) -> None:
        """This is no receiver's URL any more, or one too many of its project: its row is deleted. Returns at once."""
        self._forget(provider, voucher)
        self._write(_Change(provider=provider, voucher=voucher))

    def whose(self, provider: str, voucher: str) -> Receiver | None:
        """The receiver whose URL it was when it was used last, as far as the table was read; that proves nothing."""
        known = self._rows.get((provider, voucher))
        return known.receiver if known is not None else None

    async def warm_up(self) -> None:
        """Read the table, so that the first delivery need not wait for it."""
        with suppress(StorageError):  # whoever needs it will see
            await self._load()

    async def clean(self) -> int:
        """Forget receivers that are not used any more; how many they were. Raises StorageError."""
        oldest = (self._now() - EXPIRED).astimezone(UTC).isoformat()
        return await self._table.delete(f"seen_at lt {literal(oldest)}")

    async def close(self) -> None:
        """Write what waits."""
        if self._loading is not None:
            self._loading.cancel()
            await self._loading.ended()
        await self._writing.close()

    def _is_outdated(self) -> bool:
        return self._loaded_at is None or self._clock() - self._loaded_at >= limits.KNOWN_FRESH

    async def _load(self) -> None:
        """Read the table; who asks meanwhile shares it."""
        if self._loading is None or self._loading.done:
            self._loading = Shared(self._read())
        await self._loading.result()

    async def _read(self) -> None:
        rows = 0
        async for page in self._table.pages("", size=limits.KNOWN_PAGE):
            for entity in page:
                self._take(entity)
            rows += len(page)
            if rows >= limits.KNOWN_RECEIVERS:  # no more are kept
                break
        self._loaded_at = self._clock()

    def _take(self, entity: Entity) -> None:
        """Keep a row of the table, unless this process knows better; one that cannot be read is no row."""
        provider, voucher = entity["PartitionKey"], entity["RowKey"]
        if self._writing.get(f"{provider}/{voucher}") is not None:
            return
        with suppress(
            KeyError, ValueError, TypeError, OverflowError, RecursionError
        ):  # msgspec's errors are ValueErrors
            receiver = msgspec.json.decode(entity["receiver"], type=Receiver)
            seen_at = datetime.fromisoformat(entity["seen_at"]).astimezone(UTC)
            told = self._told.get(key_of(receiver))
            if (
                not PROVIDERS[provider].is_for(receiver)
                or PROVIDERS[provider].needs_secret(receiver)
                or (told is not None and not _is_one_of(provider, voucher, *told))
            ):
                self.refuted(provider, voucher)
                if told is not None and told[1] and voucher not in told[1]:
                    self.on_refuted(receiver, voucher)
            else:
                self._keep(provider, voucher, _Known(receiver=receiver, seen_at=seen_at), size=len(entity["receiver"]))

    def _keep(self, provider: str, voucher: str, known: _Known, *, size: int) -> None:
        self._forget(provider, voucher)
        row = (provider, voucher)
        if self._rows.put(row, known, size=size + _ROW_BYTES):
            self._rows_of.setdefault(key_of(known.receiver), set()).add(row)
            of_project = self._rows_in.setdefault(known.receiver.project, {})
            of_project[row] = known.seen_at
            if known.receiver.project is not None and len(of_project) > limits.KNOWN_PROJECT:
                self.refuted(*min(of_project, key=of_project.__getitem__))

    def _forget(self, provider: str, voucher: str) -> None:
        known = self._rows.pop((provider, voucher))
        if known is not None:
            self._forgotten((provider, voucher), known)

    def _forgotten(self, row: tuple[str, str], known: _Known) -> None:
        receiver = known.receiver
        rows, of_project = self._rows_of.get(key_of(receiver), set()), self._rows_in.get(receiver.project, {})
        rows.discard(row)
        of_project.pop(row, None)
        if not rows:
            self._rows_of.pop(key_of(receiver), None)
        if not of_project:
            self._rows_in.pop(receiver.project, None)

    def _write(self, change: _Change) -> None:
        self._writing.add(f"{change.provider}/{change.voucher}", change)

    async def _store(self, changes: list[_Change]) -> None:
        for batch in batches([change.entity for change in changes if change.entity is not None]):
            await self._table.merge(batch)
        for change in changes:
            if change.entity is None:
                await self._table.remove(change.provider, change.voucher)


def _needs_secret(receiver: Receiver) -> bool:
    return any(provider.needs_secret(receiver) for provider in serving(receiver.provider))


def _is_one_of(provider: str, voucher: str, kind: str, vouchers: frozenset[str]) -> bool:
    """Whether a row is of a URL that a receiver of a kind has; a URL says by its path for which provider it is."""
    return voucher in vouchers and kind in PROVIDERS[provider].kinds


def _entity(provider: Provider, voucher: str, receiver: Receiver, now: datetime) -> Entity:
    return {
        "PartitionKey": provider.name,
        "RowKey": voucher,
        "receiver": msgspec.json.encode(receiver).decode(),
        "seen_at": now.astimezone(UTC).isoformat(),
    }
