"""One resource of the cluster, kept in step: list it, watch it, resume, list again when the watch has expired.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from receivers import limits
from receivers.cluster import records
from receivers.cluster.api import Api, ClusterError, RefusedError, UnreachableError
from receivers.cluster.backoff import Backoff
from receivers.cluster.tasks import retrieve_exception

logger = logging.getLogger(__name__)

DENIED = (401, 403, 404)  # no right to list, or Kargo's resources are not installed
GONE = 410
OBJECTS_PER_TURN = 50  # decoded before other tasks of the event loop get their turn


class Store(Protocol):
    """Where a reflector puts what it reads. ``apply`` and ``delete`` raise msgspec.DecodeError for an odd object."""

    def apply(self, encoded: msgspec.Raw) -> Hashable:
        """Take a new or changed object and return its key."""

    def delete(self, encoded: msgspec.Raw) -> None:
        """Forget an object."""

    def retain(self, keys: set[Hashable]) -> None:
        """Forget every object whose key is not among these: a whole list was read."""


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
        on_failure: Callable[[ClusterError], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.synced = False  # a whole list was read once
        self.watching = False
        self.fault = ""  # why it is not watching
        self.refused = 0  # one of DENIED, while the API server answers the first list so
        self.unreadable = 0  # objects of the last list that could not be decoded
        self._api = api
        self._store = store
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._on_failure = on_failure
        self._version = ""
        self._contact: float | None = None
        self._listing: asyncio.Task[None] | None = None
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
        if self._listing is None or self._listing.done():
            self._listing = asyncio.get_running_loop().create_task(self._list())
            self._listing.add_done_callback(retrieve_exception)
        await asyncio.shield(self._listing)

    async def run(self) -> None:
        """List and watch until cancelled. Failures are logged once, shown in ``fault``, and tried again."""
        try:
            while True:
                await self._list_and_watch()
        finally:
            if self._listing is not None:
                self._listing.cancel()

    async def _list_and_watch(self) -> None:
        """Until the watch ends; after a failure with a pause."""
        retry_after = None
        try:
            if not self._version:
                await self.list_now()
            await self._watch()
        except ClusterError as error:
            self._note(error)
            self._on_failure(error)
            retry_after = error.retry_after if isinstance(error, RefusedError) else None
        except Exception:
            logger.exception("%s: a defect of this service; listing anew", self.path)
            self.fault, self._version = "a defect of this service; its log has the details", ""
        else:
            return
        await asyncio.sleep(self._backoff.next(retry_after))

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
        listing = await read_list(self._api, self.path, self._store)
        self._store.retain(listing.keys)
        self._version = listing.version
        self._contact = self._clock()
        self.synced, self.refused, self.unreadable = True, 0, listing.unreadable
        self._attempted.set()

    async def _watch(self) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(limits.WATCH_TIMEOUT),
        }
        began = self._clock()
        try:
            watch = self._api.watch(self.path, params=query, silence=limits.WATCH_SILENCE)
            async with contextlib.aclosing(watch) as lines:
                async for line in lines:
                    self._stands()
                    if line:
                        await self._listing_ended()
                        self._handle(_decode(line, records.WatchEvent))
        finally:
            self.watching = False
        if self._clock() - began < limits.WATCH_SHORTEST:
            raise UnreachableError("the watch was closed at once")
        self._backoff.reset()

    async def _listing_ended(self) -> None:
        """Events come after a list that is under way: it would put older objects over theirs."""
        if self._listing is not None and not self._listing.done():
            await asyncio.wait([self._listing])

    def _stands(self) -> None:
        self._contact = self._clock()
        if not self.watching:
            self.watching = True
            if self.fault:
                logger.info("%s: watching again", self.path)
            self.fault = ""

    def _handle(self, event: records.WatchEvent) -> None:
        self._backoff.reset()
        if event.type == "ERROR":
            failure = _decode(event.object, records.Failure)
            raise RefusedError(failure.code, failure.message or "error in the watch")
        try:
            if event.type == "DELETED":
                self._store.delete(event.object)
            elif event.type in {"ADDED", "MODIFIED"}:
                self._store.apply(event.object)
        except msgspec.DecodeError:
            logger.warning("%s: an object cannot be read and is left out", self.path)
        self._version = _decode(event.object, records.Bookmark).metadata.resource_version or self._version


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A whole list, read into a store."""

    keys: set[Hashable]
    version: str  # from which a watch continues
    unreadable: int  # items that could not be decoded


async def read_list(api: Api, path: str, store: Store) -> Listing:
    """Read all pages of a list into a store, giving other tasks their turn. Raises :class:`ClusterError`."""
    keys: set[Hashable] = set()
    unreadable = 0
    query = {"limit": str(limits.PAGE)}
    while True:
        body = await api.get(path, params=query, timeout=limits.LIST_TIMEOUT)
        page = _decode(body, records.Page)
        for position, item in enumerate(page.items or ()):
            if position % OBJECTS_PER_TURN == 0:
                await asyncio.sleep(0)
            try:
                keys.add(store.apply(item))
            except msgspec.DecodeError:
                unreadable += 1
        if not page.metadata.continue_token:
            return Listing(keys=keys, version=page.metadata.resource_version, unreadable=unreadable)
        query = {"limit": _next_limit(query["limit"], len(body)), "continue": page.metadata.continue_token}


def _next_limit(limit: str, page_size: int) -> str:
    """Pages that are large to parse are followed by smaller ones."""
    return str(max(OBJECTS_PER_TURN, int(limit) // 2)) if page_size > limits.PAGE_BYTES else limit


def _decode[T](encoded: bytes | msgspec.Raw, model: type[T]) -> T:
    try:
        return msgspec.json.decode(encoded, type=model)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreachableError("the answer is not what an API server sends") from None
