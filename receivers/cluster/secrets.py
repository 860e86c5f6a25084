"""Secrets of receivers, read one by one and kept for seconds.

They are never listed or watched: an identity needs no more than ``get`` on Secrets, and only where receivers are.
"""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec

from receivers import limits
from receivers.cluster import records
from receivers.cluster.api import Api, ClusterError, RefusedError, UnreachableError
from receivers.cluster.availability import Availability
from receivers.cluster.tasks import retrieve_exception
from receivers.events import SecretReference

FORBIDDEN, NOT_FOUND = 403, 404


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret's data, or why there is none."""

    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    forbidden: bool = False  # this identity may not read it


@dataclass(slots=True)
class _Entry:
    secret: Secret
    read_at: float


class SecretReader:
    """Reads Secrets; at most one read of each at a time, and few at once."""

    def __init__(self, api: Api, availability: Availability, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._availability = availability
        self._clock = clock
        self._entries: dict[SecretReference, _Entry] = {}
        self._reads: dict[SecretReference, asyncio.Task[Secret]] = {}
        self._slots = asyncio.Semaphore(limits.SECRET_READS_IN_FLIGHT)

    async def read(self, reference: SecretReference, *, fresh: float = limits.SECRET_FRESH) -> Secret:
        """The Secret as it was at most ``fresh`` seconds ago. A missing one has no data.

        When the cluster cannot be asked, what was read before counts, however old. Raises :class:`ClusterError` when
        nothing was.
        """
        entry = self._entries.get(reference)
        if entry is not None and self._clock() - entry.read_at < fresh:
            return entry.secret
        try:
            async with asyncio.timeout(None if entry is None else limits.STALE_WAIT):
                return await self._availability.unless_gone(lambda: asyncio.shield(self._reading(reference)))
        except (ClusterError, TimeoutError):
            if entry is None:
                raise
            return entry.secret

    async def close(self) -> None:
        """Stop reading."""
        for read in self._reads.values():
            read.cancel()
        await asyncio.gather(*self._reads.values(), return_exceptions=True)

    def _reading(self, reference: SecretReference) -> asyncio.Task[Secret]:
        read = self._reads.get(reference)
        if read is None:
            read = asyncio.get_running_loop().create_task(self._read(reference))
            self._reads[reference] = read
            read.add_done_callback(lambda _: self._reads.pop(reference))
            read.add_done_callback(retrieve_exception)
        return read

    async def _read(self, reference: SecretReference) -> Secret:
        if not (_is_name(reference.namespace) and _is_name(reference.name)):
            return Secret()
        namespace, name = quote(reference.namespace, safe=""), quote(reference.name, safe="")
        async with self._slots:
            began = self._clock()
            try:
                path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
                with self._availability.observed():
                    body = await self._api.get(path, timeout=limits.SECRET_TIMEOUT)
                secret = Secret(_decode(body))
            except RefusedError as error:
                if error.status not in {FORBIDDEN, NOT_FOUND}:
                    raise
                secret = Secret(forbidden=error.status == FORBIDDEN)
        self._entries[reference] = _Entry(secret, began)
        return secret


def _is_name(text: str) -> bool:
    """Whether an object can have this name; in a path, others would ask for something else, as a list.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    """
    return text not in {"", ".", ".."} and "/" not in text and "%" not in text


def _decode(body: bytes) -> dict[str, bytes]:
    try:
        secret = msgspec.json.decode(body, type=records.Secret)
        return {key: base64.b64decode(value) for key, value in (secret.data or {}).items()}
    except (msgspec.DecodeError, ValueError):
        raise UnreachableError("a Secret cannot be read: the answer is not what an API server sends") from None
