"""Receivers whose URLs were verified before, for a process that starts while the cluster is away.

The table holds no token and no secret: a row is found by a hash of its URL's token. So only what the URL alone proves
can be accepted by it; a sender that signs has to wait until its secret can be read.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec

from receivers import limits
from receivers.deliveries.directory import Verified
from receivers.deliveries.storage import Storage, StorageError
from receivers.deliveries.tables import Entity, Table, batches, literal
from receivers.deliveries.write_behind import WriteBehind
from receivers.events import Provider, Receiver

TABLE = "receivers"
RENEWED = timedelta(seconds=limits.KNOWN_RENEWED)
EXPIRED = timedelta(days=limits.KNOWN_DAYS)


class KnownReceivers:
    """A :class:`~receivers.deliveries.pipeline.KnownReceivers`, over Table Storage."""

    def __init__(self, storage: Storage, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._table = Table(storage, TABLE)
        self._now = now
        self._writing = WriteBehind(self._store, what="known receiver")
        self._noted: dict[str, tuple[Receiver, datetime]] = {}

    async def find(self, provider: Provider, path: str) -> Verified | None:
        """The receiver of a URL, if its URL alone proves the sender. Raises StorageError."""
        if provider.needs_secret:
            return None
        entity = await self._table.read(provider.name, _key(path))
        if entity is None or datetime.fromisoformat(entity["seen_at"]) < self._now() - EXPIRED:
            return None
        return Verified(receiver=msgspec.json.decode(entity["receiver"], type=Receiver))

    def learn(self, provider: Provider, path: str, verified: Verified) -> None:
        """Remember a receiver that was found in the cluster. Returns at once."""
        receiver, now = verified.receiver, self._now()
        if provider.needs_secret or receiver.secret is None:  # one of the settings is always known
            return
        key = _key(path)
        noted, noted_at = self._noted.get(key, (None, now))
        if noted != receiver or now - noted_at >= RENEWED:
            self._noted[key] = (receiver, now)
            self._writing.add(f"{provider.name}/{key}", _entity(provider, key, receiver, now))

    async def warm_up(self) -> None:
        """Make the connection, so that the first delivery need not wait for it."""
        with suppress(StorageError):  # whoever needs it will see
            await self._table.read("", "")

    async def clean(self) -> int:
        """Forget receivers that are not used any more; how many they were. Raises StorageError."""
        oldest = (self._now() - EXPIRED).astimezone(UTC).isoformat()
        return await self._table.delete(f"seen_at lt {literal(oldest)}")

    async def close(self) -> None:
        """Write what waits."""
        await self._writing.close()

    async def _store(self, entities: list[Entity]) -> None:
        for batch in batches(entities):
            await self._table.merge(batch)


def _key(path: str) -> str:
    """A hash of the URL's token. The token cannot be had from it, as long as the receiver's secret is not guessable."""
    return sha256(path.rpartition("/")[2].encode()).hexdigest()


def _entity(provider: Provider, key: str, receiver: Receiver, now: datetime) -> Entity:
    known = replace(receiver, status_path="")  # which holds the token
    return {
        "PartitionKey": provider.name,
        "RowKey": key,
        "receiver": msgspec.json.encode(known).decode(),
        "seen_at": now.astimezone(UTC).isoformat(),
    }
