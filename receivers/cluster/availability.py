"""Whether the cluster answers at all. While it does not, nobody need wait to find that out again."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from receivers import limits
from receivers.cluster.api import KARGO, Api, ClusterError, RefusedError
from receivers.cluster.backoff import Backoff
from receivers.cluster.tasks import Waiters

logger = logging.getLogger(__name__)

# A read that the API server must ask its database for, and that costs both nothing.
PROBE = f"{KARGO}/clusterconfigs"
SERVER_ERROR = 500


class AwayError(ClusterError):
    """The cluster is known to be away, so it was not asked, or its answer not waited for."""

    def __init__(self) -> None:
        super().__init__("the cluster is away")


class Availability:
    """Believes that the cluster is there until a probe fails, and then probes until it is back."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._away_since: float | None = None
        self._looked_at = -limits.PROBE_FRESH
        self._leaving = Waiters()  # for the cluster to be away
        self._asking = Waiters()  # for the next probe's end
        self._back = asyncio.Event()
        self._back.set()
        self._probing: asyncio.Task[None] | None = None
        self.on_back: Callable[[], None] | None = None  # told once the cluster is back

    @property
    def away_for(self) -> float | None:
        """Seconds since the cluster was found away; None while it is there."""
        return None if self._away_since is None else self._clock() - self._away_since

    @contextlib.contextmanager
    def gone(self) -> Iterator[asyncio.Future[None]]:
        """A future that is done once the cluster is away, for one who may leave then. Any number may have one each."""
        with self._leaving.one() as gone:
            if self._away_since is not None:
                gone.set_result(None)
            yield gone

    async def is_away(self) -> bool:
        """Whether the cluster is away, by a probe that ends after this call began, unless it is known to be away."""
        if self._away_since is None:
            self.suspect()
            with self._asking.one() as probed:
                await probed
        return self._away_since is not None

    async def look(self) -> None:
        """Find out whether the cluster is there, for somebody who only wants to see it; after a moment at most.

        A watch that hears nothing would notice after a minute and more. What was found a moment ago is not asked again.
        """
        if self._away_since is None and self._clock() - self._looked_at >= limits.PROBE_FRESH:
            self._looked_at = self._clock()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.PROBE_WAIT):
                    await self.is_away()

    async def back(self) -> None:
        """Wait until the cluster is there."""
        await self._back.wait()

    async def unless_gone[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the cluster, and leave as soon as it is away: then nothing is asked, or the call cancelled.

        Raises :class:`AwayError`, and whatever the call raises.
        """
        if self.away_for is not None:
            raise AwayError
        asked = asyncio.ensure_future(call())
        try:
            with self.gone() as gone:
                either: set[asyncio.Future[Any]] = {asked, gone}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise AwayError
            return asked.result()
        finally:
            if not asked.cancel() and not asked.cancelled():
                asked.exception()  # seen, though its waiter may just have left

    @contextlib.contextmanager
    def observed(self) -> Iterator[None]:
        """Around one call: when it takes long, or fails as if there was no cluster, find out whether there is one."""
        slow = asyncio.get_running_loop().call_later(limits.CALL_SLOW, self.suspect)
        try:
            yield
        except ClusterError as error:
            self.failed(error)
            raise
        finally:
            slow.cancel()

    def failed(self, error: ClusterError) -> None:
        """A call failed: find out whether the cluster is there, unless the error is an answer of it."""
        if not _is_answer(error):
            self.suspect()

    def suspect(self) -> None:
        """Find out whether the cluster is there."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _probe(self) -> None:
        backoff = Backoff(last=limits.PROBE_INTERVAL)
        while (failure := await self._failure()) is not None:
            if self._away_since is None:
                logger.warning("the cluster is away: %s", failure)
                self._away_since = self._clock()
                self._back.clear()
                self._leaving.tell()
            self._asking.tell()
            await asyncio.sleep(backoff.next())
        if self._away_since is not None:
            logger.warning("the cluster is back after %.1f s", self._clock() - self._away_since)
            self._away_since = None
            self._back.set()
            if self.on_back is not None:
                self.on_back()
        self._asking.tell()

    async def _failure(self) -> ClusterError | None:
        """What a probe failed with, if it did."""
        try:
            await self._api.get(PROBE, params={"limit": "1"}, timeout=limits.PROBE_TIMEOUT)
        except ClusterError as error:
            return None if _is_answer(error) else error
        return None


def _is_answer(error: ClusterError) -> bool:
    """Whether there is a cluster that refuses. One that answers 429 is there too."""
    return isinstance(error, RefusedError) and error.status < SERVER_ERROR
