"""A list of the cluster, page by page, however large its objects are, and whatever they hold.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

import asyncio
from dataclasses import dataclass, field

import msgspec

from receivers import limits
from receivers.cluster import objects, records, scanning
from receivers.cluster.api import Api, RefusedError, TimedOutError, TooLargeError, UnreachableError
from receivers.cluster.objects import Store
from receivers.cluster.records import Identity, Key, ListMetadata
from receivers.cluster.settling import Settling
from receivers.cluster.tasks import Shared
from receivers.cluster.turns import Turns

GONE = 410
NO_API_SERVER = "the answer is not what an API server sends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A whole list, read into a store."""

    keys: set[Key]
    version: str  # from which a watch continues


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    metadata: ListMetadata
    items: list[msgspec.Raw] = field(default_factory=list)
    unreadable: Identity | None = None  # the one item of a page that cannot be decoded


class Lister:
    """Reads one list into a store, any number of times.

    A page that is larger than ``limits.PAGE_BYTES``, or cannot be decoded because of one of its objects, is asked for
    in smaller parts, at last object by object. An object that cannot be decoded even then is noted in the store as
    unreadable, and the list goes on behind it.
    """

    def __init__(self, api: Api, path: str, store: Store) -> None:
        self._api = api
        self._path = path
        self._store = store
        self._limit = limits.PAGE  # objects to ask for in a page; what was learned of their size stays

    async def read(self) -> Listing:
        """Read all pages, giving other tasks their turn. Raises ClusterError.

        When the list has grown too old to go on, it is begun again, once.
        """
        try:
            return await self._read()
        except RefusedError as error:
            if error.status != GONE:
                raise
        return await self._read()

    async def _read(self) -> Listing:
        keys: set[Key] = set()
        turns, settling = Turns(), Settling()
        page = await self._page("")
        while True:
            coming = self._coming(page.metadata.continue_token)
            try:
                if coming is not None:
                    await asyncio.sleep(0)  # the API server gets to work on it
                for identity in await self._put(page, turns, settling):
                    if identity.key is not None:
                        keys.add(identity.key)
                if coming is None:
                    settling.end()
                    return Listing(keys=keys, version=page.metadata.resource_version)
                page = await coming.result()
            finally:
                if coming is not None:
                    coming.cancel()

    def _coming(self, following: str) -> Shared[_Page] | None:
        """The page that follows, on its way while its predecessor is being read; None behind the last."""
        return Shared(self._page(following)) if following else None

    async def _put(self, page: _Page, turns: Turns, settling: Settling) -> list[Identity]:
        """Put a page into the store, and tell what was on it."""
        found = [] if page.unreadable is None else [page.unreadable]
        for identity in found:
            objects.note(self._store, identity, objects.UNDECODABLE)
        for item in page.items:
            await turns.take()
            found.append(await objects.put(self._store, item))
            settling.count()
        return found

    async def _page(self, following: str) -> _Page:
        while True:
            try:
                body = await self._api.get(
                    self._path, params=self._query(following), timeout=limits.LIST_TIMEOUT, at_most=limits.PAGE_BYTES
                )
                page = msgspec.json.decode(body, type=records.Page)
            except TimedOutError:
                self._ask_for_less()  # at the next try, after a pause
                raise
            except (TooLargeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if self._limit == 1:
                    return await self._odd_object(following)
                self._ask_for_less()
            else:
                items = page.items or []
                self._ask_for_as_much_as_fits(len(items), len(body))
                return _Page(metadata=page.metadata, items=items)

    async def _odd_object(self, following: str) -> _Page:
        """The page of one object that cannot be decoded: where the list goes on, and the object's name."""
        head, tail = await self._api.get_ends(self._path, params=self._query(following), timeout=limits.LIST_TIMEOUT)
        try:
            identity, metadata = await scanning.of_page(head, tail)
        except scanning.UnscannableError:
            raise UnreachableError(NO_API_SERVER) from None
        return _Page(metadata=metadata, unreadable=identity)

    def _query(self, following: str) -> dict[str, str]:
        return {"limit": str(self._limit)} | ({"continue": following} if following else {})

    def _ask_for_less(self) -> None:
        self._limit = max(1, self._limit // 4)

    def _ask_for_as_much_as_fits(self, count: int, size: int) -> None:
        """So many objects fill half a page if they are as large as these; but grow slowly, since they may not be."""
        fitting = count * (limits.PAGE_BYTES // 2) // size or 1
        self._limit = min(limits.PAGE, 2 * self._limit, fitting) if count else self._limit
