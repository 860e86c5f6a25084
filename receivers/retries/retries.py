"""Later tries of deliveries that wait in the retry queue."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.cluster.availability import Availability, AwayError
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Refresher, Result
from receivers.deliveries import matching
from receivers.deliveries.matching import Match, Refreshes
from receivers.events import Pushed
from receivers.providers import segment
from receivers.retries import messages
from receivers.retries.messages import Attempt, Message, Poisoned
from receivers.retries.queue import RetryQueue
from receivers.storage.account import StorageError
from receivers.text import clipped

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """Who is told how a try ended."""

    def tried(self, message: Message, match: Match | None, refreshes: Refreshes, *, given_up: bool) -> None:
        """``message`` holds the try as its last attempt; ``match`` is None when the cluster was not there to match."""

    def refused(self, message: Message, reason: str) -> None:
        """The cluster says that the delivery came by a URL that is none."""


class Searches(Protocol):
    """Who looks whether Kargo finds what was pushed."""

    def tried(self, message: Message, refreshes: Refreshes) -> None:
        """A delivery was tried again."""


class Directory(Protocol):
    """Who knows which URLs receivers have."""

    async def confirms(self, provider: str, *, source: str, name: str, voucher: str) -> bool:
        """Whether the URL that something vouched for is one of that receiver's. Raises ClusterError."""


class KnownReceivers(Protocol):
    """Who vouched."""

    def refuted(self, provider: str, voucher: str) -> None:
        """The cluster says that this is no receiver's URL any more. Returns at once."""


REFUTED = "its URL is none of this receiver's any more: it was accepted while the cluster could not be asked"


class _RefutedError(Exception):
    """The cluster says that a delivery's URL is none."""


class Retries:
    """Tries waiting deliveries.

    A try waits for its refreshes, so that it can tell what became of them; but not for one that fails again and again,
    and for none of a namespace with several such: however many deliveries of that project there are, they keep others'
    waiting for the first few tries alone.

    One that the cluster verified on arrival counts, whatever became of its receiver since. One that something else
    vouched for is verified now, before anything is refreshed.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        mirror: Mirror,
        refresher: Refresher,
        availability: Availability,
        queue: RetryQueue,
        known: KnownReceivers | None = None,
        recorder: Recorder | None = None,
        searches: Searches | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._known = known
        self._mirror = mirror
        self._refresher = refresher
        self._availability = availability
        self._queue = queue
        self._recorder = recorder
        self._searches = searches
        self._now = now
        self._releasing: set[asyncio.Task[None]] = set()
        availability.on_back = self.cluster_is_back

    async def handle(self, text: bytes) -> None:
        """Try one message of the queue.

        When this returns the message may be deleted: it is done, put back, or in the poison queue. Raises StorageError
        when it could not be put anywhere; the queue then offers it again by itself.
        """
        if text == messages.HERALD:
            async with self._queue.insured(text):
                await self._look_for_the_cluster()
            return
        try:
            message = messages.decode(text)
        except messages.UnreadableMessage as unreadable:
            logger.error("a message of the retry queue was set aside: %s", unreadable)  # noqa: TRY400 - says it all
            await self._queue.poison(Poisoned(reason=str(unreadable), unreadable=text))
            return
        async with self._queue.insured(text):
            await self._handle(message)

    def cluster_is_back(self) -> None:
        """Have everything tried that was parked while it was away. Returns at once."""
        task = asyncio.get_running_loop().create_task(self._release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def close(self) -> None:
        """Stop releasing: what is left stays parked, and the herald sees to it."""
        for task in self._releasing:
            task.cancel()
        if self._releasing:
            await asyncio.wait(self._releasing)

    async def _look_for_the_cluster(self) -> None:
        """What the herald is for. Another one follows until nothing is parked any more."""
        if await self._availability.is_away():
            await self._queue.send_herald()
        elif await self._queue.release():
            await self._queue.send_herald()  # another process may not have seen the cluster yet, and park more

    async def _release(self) -> None:
        try:
            released = await self._queue.release()
        except StorageError as error:
            logger.warning("what waited for the cluster is released later: %s", error)
        else:
            if released:
                logger.info("the cluster is back: %d deliveries that waited for it are tried now", released)

    async def _handle(self, message: Message) -> None:
        try:
            message, match, refreshes, error = await self._try(message)
        except _RefutedError:
            self._refuse(message)
            return
        refreshed = sum(outcome.result == Result.REFRESHED for outcome in refreshes.outcomes.values())
        message = message.tried(Attempt(at=self._now(), refreshed=refreshed, error=clipped(error)))
        given_up = bool(error) and not await self._keep(message)
        self._report(message, given_up=given_up)
        if self._recorder is not None:
            self._recorder.tried(message, match, refreshes, given_up=given_up)
        if self._searches is not None:
            self._searches.tried(message, refreshes)

    async def _try(self, message: Message) -> tuple[Message, Match | None, Refreshes, str]:
        """Verify the message if need be, match anew and refresh.

        Returns the message, verified once the cluster has said so, and what is still missing: empty when nothing is.
        """
        until = asyncio.get_running_loop().time() + limits.RETRY_WAIT
        try:
            async with asyncio.timeout_at(until):
                if (self._availability.away_for or 0.0) >= limits.RETRY_WAIT:
                    raise AwayError
                await self._availability.back()  # it may be back in a moment
                message = await self._verified(message)
                match = await matching.match(self._mirror, message.events, project=message.project)
        except (ClusterError, TimeoutError) as error:
            return message, None, Refreshes(), str(error) or "the cluster did not answer in time"
        with self._availability.gone() as gone:
            refreshes = await matching.refresh(
                self._refresher, match.targets, since=message.received_at, until=until, unless=gone, patient=False
            )
        return message, match, refreshes, _missing(refreshes)

    async def _keep(self, message: Message) -> bool:
        """Keep a message for another try; False when it was given up."""
        if not await self._availability.is_away():
            return await self._queue.put_back(message)
        await self._queue.park(message)
        return True

    async def _verified(self, message: Message) -> Message:
        if not message.voucher:
            return message
        if not await self._directory.confirms(
            segment(message.provider), source=message.source, name=message.receiver, voucher=message.voucher
        ):
            raise _RefutedError
        return msgspec.structs.replace(message, voucher="", source="")

    def _refuse(self, message: Message) -> None:
        logger.warning("delivery %s is refused: %s", message.delivery, REFUTED)
        if self._known is not None:
            self._known.refuted(segment(message.provider), message.voucher)
        if self._recorder is not None:
            self._recorder.refused(message, REFUTED)

    def _report(self, message: Message, *, given_up: bool) -> None:
        attempt = message.attempts[-1]
        became = f"refreshed {attempt.refreshed} {_things(message)}"
        if attempt.error:
            became += f"; {attempt.error}; " + ("given up" if given_up else "tried again later")
        logger.log(
            logging.WARNING if given_up else logging.INFO,
            "delivery %s, try %d: %s",
            message.delivery,
            message.tries,
            became,
        )


def _things(message: Message) -> str:
    """What a delivery refreshes: Promotions where it tells of pull requests alone."""
    return "Warehouse(s)" if any(isinstance(event, Pushed) for event in message.events) else "Promotion(s)"


def _missing(refreshes: Refreshes) -> str:
    failures = [outcome.error for outcome in refreshes.outcomes.values() if outcome.result == Result.FAILED]
    if failures:
        return failures[0]
    return f"{len(refreshes.waiting)} refresh(es) not done in time" if refreshes.waiting else ""
