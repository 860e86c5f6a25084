"""Refreshing: one annotation, patched so that Kargo discovers now, and never twice at once for the same object.

Group commit. While a patch of an object is under way, refreshes that arrive for it wait and then share *one* following
patch: under a burst a thousand deliveries cost a handful of patches, and each still gets a patch that began after it
asked. An idle object is patched at once.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster.api import KARGO, Api, ClusterError, NotFoundError, RefusedError, TimedOutError
from receivers.cluster.availability import Availability
from receivers.cluster.backoff import Backoff
from receivers.cluster.slots import Slots
from receivers.events import Target, TargetKind

logger = logging.getLogger(__name__)

ANNOTATION = "kargo.akuity.io/refresh"
_PLURALS = {TargetKind.WAREHOUSE: "warehouses", TargetKind.PROMOTION: "promotions"}
COVERED_SIZE = 2048  # bytes that one remembered refresh takes at most; Kubernetes allows names of 253 characters
CLOCK_SKEW = timedelta(seconds=limits.CLOCK_SKEW)
# What asking again cannot mend: the object or the request is not as the API server wants it.
FINAL = frozenset({400, 405, 406, 413, 415, 422})


TOO_LARGE = "request is too large"  # etcd's words, behind the API server's 500


class Result(StrEnum):
    """What became of a refresh."""

    REFRESHED = "refreshed"
    GONE = "gone"  # there is no such object any more
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a refresh ended."""

    result: Result
    attempts: int
    value: str = ""  # what was written into the annotation
    error: str = ""  # the last failure, if any


STOPPING = Outcome(result=Result.FAILED, attempts=0, error="this process is stopping")


@dataclass(slots=True)
class _Lane:
    """One object's refreshes: those that the patch under way serves, and those asked for since it began."""

    served: list[asyncio.Future[Outcome]]
    following: asyncio.Future[Outcome] | None = None
    struggles: bool = False  # its last patch failed, though the cluster was there

    def advance(self) -> bool:
        """A patch is about to begin: it also serves those who asked up to now. Returns whether there are any."""
        if self.following is None:
            return False
        self.served.append(self.following)
        self.following = None
        return True

    def end(self) -> None:
        """No patch follows: this process stops."""
        self.advance()
        self.settle(STOPPING)

    def settle(self, outcome: Outcome) -> None:
        """Tell those who were served."""
        for future in self.served:
            if not future.done():
                future.set_result(outcome)
        self.served.clear()


class Refresher:
    """Patches Warehouses and Promotions. A refresh once asked for goes on though its asker leaves."""

    def __init__(
        self,
        api: Api,
        availability: Availability,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._availability = availability
        self._clock = clock
        self._now = now
        self._lanes: dict[Target, _Lane] = {}
        self._covered: Bounded[Target, tuple[datetime, Outcome]] = Bounded(  # the last success; when its patch began
            entries=limits.COVERED, size=limits.COVERED * COVERED_SIZE, age=limits.COVERED_AGE, clock=clock
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._struggling: Counter[str] = Counter()  # lanes that struggle, by namespace
        self._slots = Slots(limits.PATCHES_IN_FLIGHT)
        self.on_settled: Callable[[Outcome, float], None] | None = None  # (how a refresh ended, seconds it took)

    def refresh(self, target: Target) -> asyncio.Future[Outcome]:
        """Ask for a refresh; the future holds the outcome of a patch that begins after this call.

        It never raises: failures are outcomes. Shield it where the wait may be cancelled: others share it.
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            stopping: asyncio.Future[Outcome] = loop.create_future()
            stopping.set_result(STOPPING)
            return stopping
        lane = self._lanes.get(target)
        if lane is None:
            lane = self._lanes[target] = _Lane(served=[])
            task = loop.create_task(self._serve(target, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if lane.following is None or lane.following.done():
            lane.following = loop.create_future()
        return lane.following

    def covered(self, target: Target, *, since: datetime) -> Outcome | None:
        """The refresh of an object by a patch of this process that surely began after ``since``, if there was one.

        ``since`` may have been read from another machine's clock, so a margin is kept. Only the latest refreshes are
        remembered, for an hour.
        """
        known = self._covered.get(target)
        return known[1] if known is not None and known[0] - since > CLOCK_SKEW else None

    def struggles(self, target: Target) -> bool:
        """Whether a patch of this object has failed though the cluster was there, and is tried again.

        So it is with all objects of a namespace that has several such: refreshes there may take minutes, and whoever
        waits for them can wait in a better place.
        """
        lane = self._lanes.get(target)
        return self._struggling[target.namespace] >= limits.STRUGGLING or (lane is not None and lane.struggles)

    @property
    def pending(self) -> int:
        """How many objects are being refreshed now."""
        return len(self._lanes)

    async def close(self, *, grace: float = limits.CLOSE_GRACE) -> None:
        """Let what is under way end, for ``grace`` seconds at most. Whoever asks after that is told of the stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self._lanes.values():  # of tasks that were cancelled before they began
            lane.end()
        self._lanes.clear()

    async def _serve(self, target: Target, lane: _Lane) -> None:
        """Patch one object until nobody waits for it."""
        try:
            while lane.following is not None:
                began = self._clock()
                outcome = await self._patch_until_settled(target, lane)
                lane.settle(outcome)
                self._note(target, lane, struggles=False)
                if self.on_settled is not None:
                    self.on_settled(outcome, self._clock() - began)
        finally:
            # Reached without a pause after the last settlement, so nobody can have joined in between.
            del self._lanes[target]
            self._note(target, lane, struggles=False)
            lane.end()

    def _note(self, target: Target, lane: _Lane, *, struggles: bool) -> None:
        if lane.struggles != struggles:
            lane.struggles = struggles
            self._struggling[target.namespace] += 1 if struggles else -1
            if not self._struggling[target.namespace]:
                del self._struggling[target.namespace]

    async def _patch_until_settled(self, target: Target, lane: _Lane) -> Outcome:
        backoff = Backoff()
        attempts, deadline = 0, 0.0
        while True:
            attempts += 1
            async with self._slots.of(target.namespace):
                if lane.advance():  # each who asks is tried for the whole time
                    deadline = self._clock() + limits.REFRESH_DEADLINE
                began = self._now()
                value = unique_value(began)
                try:
                    await self._patch(target, value)
                except ClusterError as error:
                    failure = error
                else:
                    outcome = Outcome(result=Result.REFRESHED, attempts=attempts, value=value)
                    self._covered.put(target, (began, outcome), size=COVERED_SIZE)
                    return outcome
            refused = failure if isinstance(failure, RefusedError) else None
            if isinstance(failure, NotFoundError):
                self._covered.pop(target)
                logger.info("%s %s is gone", target.kind, target)
                return Outcome(result=Result.GONE, attempts=attempts, error=str(failure))
            pause = backoff.next(refused.retry_after if refused else None)
            if (refused and _is_final(refused)) or self._clock() + pause > deadline:
                logger.warning("%s %s was not refreshed: %s", target.kind, target, failure)
                return Outcome(result=Result.FAILED, attempts=attempts, error=str(failure))
            self._note(target, lane, struggles=self._is_its_own(failure))
            await asyncio.sleep(pause)
            if self._availability.away_for is not None:
                self._note(target, lane, struggles=False)
                deadline += await self._wait_while_away()

    def _is_its_own(self, failure: ClusterError) -> bool:
        """Whether a failure is the object's, and not one of the cluster: what was cut off may be either, for now."""
        return isinstance(failure, RefusedError | TimedOutError) and self._availability.away_for is None

    async def _wait_while_away(self) -> float:
        """Wait until the cluster is there; the seconds that took."""
        began = self._clock()
        await self._availability.back()
        return self._clock() - began

    async def _patch(self, target: Target, value: str) -> None:
        path = f"{KARGO}/namespaces/{quote(target.namespace)}/{_PLURALS[target.kind]}/{quote(target.name)}"
        body = f'{{"metadata":{{"annotations":{{"{ANNOTATION}":"{value}"}}}}}}'
        with self._availability.observed():
            await self._api.merge_patch(path, body.encode(), timeout=limits.PATCH_TIMEOUT)


def _is_final(refused: RefusedError) -> bool:
    """Whether asking again cannot help. An object that fills all of etcd's limit takes no annotation more (a 500)."""
    return refused.status in FINAL or TOO_LARGE in str(refused)


def unique_value(now: datetime) -> str:
    """A value that no refresh had before: Kargo compares values as text and misses a repeated one.

    Kargo's own value is the time in whole seconds; every reader of it takes any text.
    """
    return f"{now:%Y-%m-%dT%H:%M:%S.%fZ}-{secrets.token_hex(3)}"
