"""The keys that identity tokens are signed with, fetched from where their issuer publishes them.

They are kept as long as the issuer allows, within bounds. While they cannot be fetched those from before count on, a
day in all; without any nothing is proven, and the sender has to try again.
"""

import asyncio
import logging
import re
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from receivers import limits
from receivers.cluster.tasks import Shared
from receivers.events import PublicKeys
from receivers.http_answer import HttpError
from receivers.http_client import Server
from receivers.wire.identity_tokens import read_keys

logger = logging.getLogger(__name__)

_MAX_AGE = re.compile(r'(?:^|[\s,])max-age="?([0-9]{1,9})', re.IGNORECASE)


class KeysError(Exception):
    """There are no keys to verify a token with, as they cannot be fetched."""


class _Place:
    """What is known of one URL. Times are the clock's."""

    def __init__(self) -> None:
        self.keys: PublicKeys = {}
        self.fresh_until = self.good_until = float("-inf")
        self.tried_at = float("-inf")
        self.fetching: Shared[None] | None = None
        self.server: Server | None = None


class SigningKeys:
    """Fetches keys, each place's once for all who wait."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places: dict[str, _Place] = {}  # the URLs that providers name: a few

    async def of(self, url: str, *, until: float) -> PublicKeys:
        """The keys that are published at a URL. Waits ``until`` then. Raises :class:`KeysError`."""
        place = self._places.setdefault(url, _Place())
        if self._clock() < place.fresh_until:
            return place.keys
        return await self._renewed(url, place, after=limits.KEYS_RETRY, until=until)

    async def newer(self, url: str, *, until: float) -> PublicKeys:
        """The same, for who knows a key that is not among them: fetched anew, unless that was done just now."""
        place = self._places.setdefault(url, _Place())
        return await self._renewed(url, place, after=limits.KEYS_UNKNOWN, until=until)

    async def close(self) -> None:
        """Stop fetching."""
        for place in self._places.values():
            if place.fetching is not None:
                place.fetching.cancel()
                await place.fetching.ended()
            if place.server is not None:
                await place.server.close()

    async def _renewed(self, url: str, place: _Place, *, after: float, until: float) -> PublicKeys:
        """The keys once they were fetched, if nobody has tried so lately; else those there are."""
        fetching, now = place.fetching, self._clock()
        if fetching is None or (fetching.done and now - place.tried_at >= after):
            place.tried_at = now
            fetching = place.fetching = Shared(self._fetch(url, place))
        with suppress(KeysError, TimeoutError):
            async with asyncio.timeout_at(until):
                await fetching.result()
        if self._clock() >= place.good_until:
            raise KeysError("the keys that its token is signed with cannot be fetched")
        return place.keys

    async def _fetch(self, url: str, place: _Place) -> None:
        try:
            parts = urlsplit(url)
            if place.server is None:
                tls = await asyncio.to_thread(ssl.create_default_context)
                place.server = Server(f"{parts.scheme}://{parts.netloc}", called="their issuer", tls=tls, gzip=False)
            async with asyncio.timeout(limits.KEYS_TIMEOUT):
                age, document = await _get(place.server, parts)
            place.keys = await asyncio.to_thread(read_keys, document)
        except (HttpError, OSError, ValueError) as error:  # TimeoutError is an OSError
            problem = str(error) if type(error) in {ValueError, HttpError} else type(error).__name__
            logger.warning("the keys of identity tokens cannot be fetched: %s", problem)
            raise KeysError(problem) from None
        place.fresh_until = self._clock() + min(max(age, limits.KEYS_SHORTEST), limits.KEYS_LONGEST)
        place.good_until = self._clock() + limits.KEYS_LONGEST


async def _get(server: Server, url: SplitResult) -> tuple[float, bytes]:
    """How long they may be kept, and the document."""
    answer = await server.ask("GET", url.path, query=url.query, headers={"Accept": "application/json"})
    try:
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"the status is {answer.status}")
        age = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        document = bytearray()
        while chunk := await answer.chunk():
            document += chunk
            if len(document) > limits.KEYS_BYTES:
                raise ValueError(f"there are more than {limits.KEYS_BYTES} bytes")
        return float(age[1]) if age else 0.0, bytes(document)
    finally:
        answer.leave()
