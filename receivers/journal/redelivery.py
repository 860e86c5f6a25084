"""Delivering again, on purpose: the events that the journal kept are matched and refreshed anew. No sender is involved.

What comes of it is a delivery of its own, journalled like any other.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from receivers.deliveries.delivery import Delivery, new_id
from receivers.deliveries.pipeline import Pipeline
from receivers.events import Receiver
from receivers.journal.journal import Filter, Journal, Row, State
from receivers.journal.recorder import Recorder


class NothingToRedeliver(Exception):
    """The row holds no events: its request was refused, or could not be understood. The text says so."""

    def __init__(self, row: Row) -> None:
        super().__init__(f"delivery {row.id} pushed nothing: there is nothing to deliver again")


class Redelivery:
    """Delivers again what the journal holds."""

    def __init__(
        self,
        pipeline: Pipeline,
        journal: Journal,
        recorder: Recorder,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pipeline = pipeline
        self._journal = journal
        self._recorder = recorder
        self._now = now

    async def redeliver(self, row: Row) -> Delivery:
        """Deliver a row's events again; the new delivery's ``answer`` says how it went.

        Raises :class:`NothingToRedeliver`.
        """
        if not row.events:
            raise NothingToRedeliver(row)
        now = self._now()
        delivery = Delivery(
            id=new_id(now),
            received_at=now,
            provider=row.provider,
            receiver=Receiver(
                provider=row.provider,
                name=row.receiver,
                project=row.project or None,
                source=row.source or "the journal",
            ),
            voucher=row.voucher,
            events=list(row.events),
            redelivery_of=row.id,
        )
        await self._pipeline.redeliver(delivery)
        self._recorder.redelivered(row, delivery.id)
        return delivery

    async def redeliver_failed(self, since: datetime) -> list[Delivery]:
        """Deliver again what failed since a time and was not delivered again yet. Returns the new deliveries.

        Raises StorageError when the journal cannot be read; what was delivered by then stays so.
        """
        return [await self.redeliver(row) async for row in self.failed(since)]

    async def failed(self, since: datetime) -> AsyncIterator[Row]:
        """What :meth:`redeliver_failed` would deliver again, the newest first. Raises StorageError."""
        async for row in self._journal.rows(Filter(state=State.FAILED, since=since)):
            if row.events and not row.redelivered_as:
                yield row
