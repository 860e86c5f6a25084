"""Counts refused requests, writes a few lines a minute for them, and keeps the counts in a table for all instances.

A flood costs one write a minute: an entity for each hour and instance, which holds the hour's minutes.
"""

import asyncio
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from receivers import limits
from receivers.deliveries import refusals, report
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.refusals import HOUR, MINUTE, SHOWN, Minutes, Reason, Summary, minute_of
from receivers.sampled import Sample, Sampled
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Entity, Table, batches, literal
from receivers.storage.write_behind import WriteBehind
from receivers.text import printable

logger = logging.getLogger(__name__)
unreadable = Sampled(logger)

TABLE = "refusals"
_HOUR = "%Y-%m-%dT%H"
_Counted = dict[str, dict[str, int]]  # by reason, by minute of the hour


class RefusalCounter:
    """Observes deliveries. Without storage it knows those of this process alone."""

    def __init__(
        self,
        storage: Storage | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        interval: float = limits.REFUSALS_INTERVAL,
    ) -> None:
        self._table = Table(storage, TABLE) if storage else None
        self._now = now
        self._interval = interval
        self._instance = secrets.token_hex(8)
        self._minutes: Minutes = {}  # of this process, for a day
        self._unwritten: set[datetime] = set()  # hours that have news
        self._samples: defaultdict[Reason, Sample] = defaultdict(Sample)
        self._writing: WriteBehind[Entity] = WriteBehind(self._store, what="count of refused requests")
        self._timer: asyncio.TimerHandle | None = None
        self._read: tuple[float, Minutes] | None = None  # those of other instances, and when they were read

    def delivered(self, delivery: Delivery) -> None:
        """A delivery was answered: write its line, or count it."""
        reason = refusals.reason_of(delivery)
        if reason is None:
            report.log(delivery)
            return
        if self._samples[reason].passes():
            self._say_how_many_more(reason)
            report.log(delivery)
        minute = minute_of(delivery.received_at)
        if minute not in self._minutes:
            self._forget_old()
        self._minutes.setdefault(minute, Counter())[reason] += 1
        self._unwritten.add(minute.replace(minute=0))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._flush)

    async def summary(self) -> Summary:
        """What was counted within the last 24 hours, ten seconds ago at most; by this process, if storage is away."""
        minutes: Minutes = {}
        refusals.add(minutes, self._minutes)
        whole = False
        if self._table is not None:
            with suppress(StorageError):
                refusals.add(minutes, await self._others(self._table))
                whole = True
        return Summary(minutes, now=self._now(), whole=whole)

    async def clean(self) -> int:
        """Delete what is older than is shown; how many entities that were. Raises StorageError."""
        if self._table is None:
            return 0
        oldest = (self._now() - SHOWN - HOUR).astimezone(UTC)
        return await self._table.delete(f"PartitionKey lt {literal(f'{oldest:{_HOUR}}')}")

    async def close(self) -> None:
        """Write what was counted last."""
        if self._timer is not None:
            self._timer.cancel()
            self._flush()
        await self._writing.close()

    def _flush(self) -> None:
        """A minute after the first, and a little: what no request has said since, and have the counts stored."""
        self._timer = None
        for reason in self._samples:
            self._say_how_many_more(reason)
        if self._table is not None:
            for hour in self._unwritten:
                self._writing.add(f"{hour:{_HOUR}}", self._entity(hour))
        self._unwritten.clear()

    def _say_how_many_more(self, reason: Reason) -> None:
        if held_back := self._samples[reason].take():
            logger.info("%d more requests %s in the last minute", held_back, reason.phrase)

    def _forget_old(self) -> None:
        oldest = self._now() - SHOWN
        for minute in [minute for minute in self._minutes if minute < oldest]:
            del self._minutes[minute]

    def _entity(self, hour: datetime) -> Entity:
        counted: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for minute, reasons in self._minutes.items():
            if minute.replace(minute=0) == hour:
                for reason, count in reasons.items():
                    counted[reason.value][f"{minute.minute:02d}"] = count
        return {
            "PartitionKey": f"{hour:{_HOUR}}",
            "RowKey": self._instance,
            "minutes": msgspec.json.encode(counted).decode(),
        }

    async def _others(self, table: Table) -> Minutes:
        now = asyncio.get_running_loop().time()
        if self._read is not None and now - self._read[0] < limits.REFUSALS_FRESH:
            return self._read[1]
        minutes: Minutes = {}
        since = (self._now() - SHOWN).astimezone(UTC)
        async for page in table.pages(f"PartitionKey ge {literal(f'{since:{_HOUR}}')}"):
            for entity in page:
                if entity["RowKey"] != self._instance:
                    refusals.add(minutes, _minutes(entity))
        self._read = (now, minutes)
        return minutes

    async def _store(self, entities: list[Entity]) -> None:
        if self._table is not None:
            for batch in batches(entities):
                await self._table.merge(batch)


def _minutes(entity: Entity) -> Minutes:
    """What an instance counted within an hour; nothing where that cannot be read."""
    minutes: Minutes = {}
    try:
        hour = datetime.strptime(entity["PartitionKey"], _HOUR).replace(tzinfo=UTC)
        counted = msgspec.json.decode(entity["minutes"], type=_Counted)
        for reason, counts in counted.items():
            if reason in list(Reason):
                for minute, count in counts.items():
                    minutes.setdefault(hour + int(minute) % 60 * MINUTE, Counter())[Reason(reason)] += count
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, msgspec.DecodeError):
        unreadable.warn(
            "counts of refused requests cannot be read: %s", printable(str(entity.get("RowKey"))[: limits.ROW_KEY])
        )
        return {}
    return minutes
