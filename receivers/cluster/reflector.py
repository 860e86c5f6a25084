"""One resource of the cluster, kept in step: list it, watch it, resume, list again when the watch has expired.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from receivers import limits
from receivers.cluster import objects, records, scanning
from receivers.cluster.api import Api, ClusterError, RefusedError, UnreachableError
from receivers.cluster.backoff import Backoff
from receivers.cluster.listing import GONE, Lister
from receivers.cluster.objects import Store
from receivers.cluster.records import Identity
from receivers.cluster.tasks import Shared
from receivers.cluster.turns import Turns
from receivers.text import clipped

logger = logging.getLogger(__name__)

DENIED = (401, 403, 404)  # no right to list, or Kargo's resources are not installed
WATCHES_BEFORE_LIST = 3  # that stop at the same event


class LostTrackError(UnreachableError):
    """An event tells neither its object nor its version, so what the store holds may be wrong from here on."""

    def __init__(self) -> None:
        super().__init__("an event of the watch is not what an API server sends")


class _Event(NamedTuple):
    """One line of a watch. ``encoded`` is None where only the identity can be read."""

    type: str
    identity: Identity
    encoded: msgspec.Raw | None


class Reflector:
    """Keeps a :class:`Store` equal to the resource at ``path``, for as long as :meth:`run` runs."""

    def __init__(
        self,
        api: Api,
        path: str,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
        relist_backoff: Backoff | None = None,
        on_failure: Callable[[ClusterError], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.synced = False  # a whole list was read once
        self.watching = False
        self.fault = ""  # why it is not watching
        self.refused = 0  # one of DENIED, while the API server answers the first list so
        self._api = api
        self._store = store
        self._lister = Lister(api, path, store)
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._relist_backoff = relist_backoff or Backoff(last=limits.RELIST_LAST)
        self._on_failure = on_failure
        self._version = ""
        self._lost = 0  # how often an event of the present version could not be followed
        self._contact: float | None = None
        self._took = 0.0  # seconds, the last list
        self._listing: Shared[None] | None = None
        self._attempted = asyncio.Event()

    @property
    def age(self) -> float | None:
        """Seconds since the cluster last confirmed what the store holds; 0 while watching; None before that."""
        if self.watching:
            return 0.0
        return None if self._contact is None else self._clock() - self._contact

    @property
    def trusted(self) -> bool:
        """Whether the store may be used as it is."""
        age = self.age
        return self.synced and age is not None and age < limits.STALE_AFTER

    async def attempted(self) -> None:
        """Wait until the first list has succeeded or was refused."""
        await self._attempted.wait()

    async def list_now(self) -> None:
        """Read the whole list; callers at the same time share one. Raises :class:`ClusterError`."""
        if self._listing is None or self._listing.done:
            self._listing = Shared(self._list())
        await self._listing.result()

    async def run(self) -> None:
        """List and watch until cancelled. Failures are logged once, shown in ``fault``, and tried again."""
        try:
            while True:
                pause = await self._try_to_follow()
                await asyncio.sleep(pause)
        finally:
            if self._listing is not None:
                self._listing.cancel()

    async def _try_to_follow(self) -> float:
        """Until the watch ends, for whatever reason; the seconds to wait before the next try."""
        try:
            return await self._list_and_watch()
        except Exception:
            logger.exception("%s: a defect of this service; listing anew", self.path)
            self.fault, self._version = "a defect of this service; its log has the details", ""
            return self._relist_backoff.next()

    async def _list_and_watch(self) -> float:
        try:
            if not self._version:
                await self.list_now()
            await self._watch()
        except LostTrackError as error:
            self._note(error)
            return self._after_losing_track()
        except ClusterError as error:
            self._note(error)
            self._on_failure(error)
            asked = error.retry_after if isinstance(error, RefusedError) else None
            return self._backoff.next(asked, spread=self._spread())
        return 0.0

    def _spread(self) -> float:
        """Seconds over which the lists of all instances are spread, whose watches have expired at the same moment."""
        return 0.0 if self._version or not self.synced else min(limits.RELIST_SPREAD, 2 * self._took)

    def _after_losing_track(self) -> float:
        """What the network garbled comes whole when the watch is resumed; what stays so makes a list necessary."""
        self._lost += 1
        if self._lost < WATCHES_BEFORE_LIST:
            return self._backoff.next()
        self._lost, self._version = 0, ""
        return self._relist_backoff.next()

    def _note(self, error: ClusterError) -> None:
        if isinstance(error, RefusedError):
            if error.status == GONE:
                self._version = ""
                return
            if error.status in DENIED and not self.synced:
                self.refused = error.status
                self._attempted.set()
        fault = str(error)
        if fault != self.fault:
            logger.warning("%s: %s", self.path, fault)
        self.fault = fault

    async def _list(self) -> None:
        began = self._clock()
        self._store.unreadable.begin_list()
        listing = await self._lister.read()
        await objects.retain(self._store, listing.keys)
        self._version = listing.version
        self._contact = self._clock()
        self._took = self._contact - began
        self.synced, self.refused = True, 0
        self._attempted.set()

    async def _watch(self) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(limits.WATCH_TIMEOUT),
        }
        began, turns = self._clock(), Turns()
        try:
            watch = self._api.watch(self.path, params=query, silence=limits.WATCH_SILENCE)
            async with contextlib.aclosing(watch) as lines:
                async for line in lines:
                    self._stands()
                    if line:
                        await self._listing_ended()
                        event = await _read_event(line)
                        await turns.take()
                        await self._handle(event)
                        await turns.take()
        finally:
            self.watching = False
        if self._clock() - began < limits.WATCH_SHORTEST:
            raise UnreachableError("the watch was closed at once")
        self._backoff.reset()
        self._relist_backoff.reset()

    async def _listing_ended(self) -> None:
        """Events come after a list that is under way: it would put older objects over theirs."""
        if self._listing is not None and not self._listing.done:
            await self._listing.ended()

    def _stands(self) -> None:
        self._contact = self._clock()
        if not self.watching:
            self.watching = True
            if self.fault:
                logger.info("%s: watching again", self.path)
            self.fault = ""

    async def _handle(self, event: _Event) -> None:
        self._backoff.reset()
        if event.type == "ERROR":
            raise _failure(event.encoded)
        identity = event.identity
        if event.type in {"ADDED", "MODIFIED"}:
            identity = await self._put(event)
        elif event.encoded is not None:
            identity = await objects.identify(event.encoded)
        if event.type == "DELETED":
            self._delete(identity)
        if not identity.version:
            raise LostTrackError
        self._version, self._lost = identity.version, 0

    async def _put(self, event: _Event) -> Identity:
        if event.encoded is not None:
            return await objects.put(self._store, event.encoded)
        objects.note(self._store, event.identity, objects.UNDECODABLE)
        return event.identity

    def _delete(self, identity: Identity) -> None:
        if identity.key is None:
            raise LostTrackError
        self._store.delete(identity.key)
        self._store.unreadable.forget(identity.key)


async def _read_event(line: bytes) -> _Event:
    """Read a line, whatever object it holds. Raises :class:`LostTrackError`."""
    try:
        event = msgspec.json.decode(line, type=records.WatchEvent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            kind, identity = await scanning.of_event(line)
        except scanning.UnscannableError:
            raise LostTrackError from None
        return _Event(kind, identity, None)
    return _Event(event.type, Identity(None, ""), event.object)


def _failure(encoded: msgspec.Raw | None) -> RefusedError:
    """What an ERROR event tells."""
    try:
        failure = msgspec.json.decode(encoded or b"{}", type=records.Failure)
    except (msgspec.DecodeError, UnicodeDecodeError):
        failure = records.Failure()
    return RefusedError(failure.code, clipped(failure.message) or "error in the watch")
