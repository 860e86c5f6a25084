"""Secrets of receivers, read one by one and kept for seconds.

They are never listed or watched: an identity needs no more than ``get`` on Secrets, and only where receivers are.
"""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster import records
from receivers.cluster.api import Api, ClusterError, NotFoundError, RefusedError, UnreachableError
from receivers.cluster.availability import Availability
from receivers.cluster.tasks import Shared
from receivers.events import SecretReference

FORBIDDEN = 403

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAMESPACE_LONGEST, _NAME_LONGEST = 63, 253  # characters


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret's data, or why there is none."""

    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    forbidden: bool = False  # this identity may not read it
    missing: bool = field(default=False, compare=False)  # there is no such Secret
    stale: bool = False  # the cluster could not be asked: this is how it was before
    read_at: float = field(default=0.0, compare=False)  # by the reader's clock
    reading: int = field(default=0, compare=False)  # the reader's how manieth; 0: none


NONE = Secret(missing=True)


class SecretReader:
    """Reads Secrets; at most one read of each at a time, and few at once.

    ``keys`` are the data keys that are kept, None: all. What else a Secret holds is its owner's matter.
    """

    def __init__(
        self,
        api: Api,
        availability: Availability,
        *,
        keys: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._availability = availability
        self._keys = keys
        self._clock = clock
        self._known: Bounded[SecretReference, Secret] = Bounded(
            entries=limits.SECRETS_KEPT, size=limits.SECRETS_BYTES, age=limits.SECRET_KEPT, clock=clock
        )
        self._reads: dict[tuple[SecretReference, bool], Shared[Secret]] = {}  # by what is urgent, too
        self._readings = 0
        self._slots = asyncio.Semaphore(limits.SECRET_READS_IN_FLIGHT)
        self._slots_behind = asyncio.Semaphore(limits.SECRET_READS_BEHIND)

    async def read(
        self, reference: SecretReference, *, fresh: float = limits.SECRET_FRESH, urgent: bool = True
    ) -> Secret:
        """The Secret as it was at most ``fresh`` seconds ago. A missing one has no data, nor has one that cannot exist.

        When the cluster cannot be asked, what was read before is returned as ``stale``. Raises :class:`ClusterError`
        when nothing was. What is not ``urgent`` never delays what is.
        """
        if not can_exist(reference):
            return NONE
        known = self._known.get(reference)
        if known is not None and self._clock() - known.read_at < fresh:
            return known
        try:
            async with asyncio.timeout(None if known is None else limits.SECRET_WAIT):
                return await self._availability.unless_gone(lambda: self._reading(reference, urgent=urgent))
        except (ClusterError, TimeoutError):
            if known is None:
                raise
            return replace(known, stale=True)

    async def close(self) -> None:
        """Stop reading."""
        reads = list(self._reads.values())
        for read in reads:
            read.cancel()
        for read in reads:
            await read.ended()

    async def _reading(self, reference: SecretReference, *, urgent: bool) -> Secret:
        """Read it, or wait for who is reading it."""
        read = self._reads.get((reference, urgent))
        if read is None or read.done:
            read = self._reads[reference, urgent] = Shared(self._read(reference, urgent=urgent))
        return await read.result()

    async def _read(self, reference: SecretReference, *, urgent: bool) -> Secret:
        async with self._slots if urgent else self._slots_behind:
            began = self._clock()
            self._readings += 1
            reading = self._readings
            try:
                path = f"/api/v1/namespaces/{reference.namespace}/secrets/{reference.name}"
                with self._availability.observed():
                    body = await self._api.get(path, timeout=limits.SECRET_TIMEOUT)
                secret = Secret(self._decode(body), read_at=began, reading=reading)
            except NotFoundError:
                secret = Secret(missing=True, read_at=began, reading=reading)
            except RefusedError as error:
                if error.status != FORBIDDEN:
                    raise
                secret = Secret(forbidden=True, read_at=began, reading=reading)
            finally:
                del self._reads[reference, urgent]
        sizes = [len(value) for value in secret.data.values()]
        if max(sizes, default=0) <= limits.SECRET_VALUE:
            self._known.put(reference, secret, size=sum(sizes))
        else:
            self._known.pop(reference)
        return secret

    def _decode(self, body: bytes) -> dict[str, bytes]:
        try:
            data = msgspec.json.decode(body, type=records.Secret).data or {}
            return {key: base64.b64decode(data[key]) for key in data if self._keys is None or key in self._keys}
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise UnreachableError("a Secret cannot be read: the answer is not what an API server sends") from None


def can_exist(reference: SecretReference) -> bool:
    """Whether Kubernetes allows a Secret of this name: no call is made for another.

    A name is chosen by a tenant; an odd one, in a path, would ask for something else, or be too long to be answered.
    """
    return (
        len(reference.namespace) <= _NAMESPACE_LONGEST
        and len(reference.name) <= _NAME_LONGEST
        and _NAMESPACE.fullmatch(reference.namespace) is not None
        and _NAME.fullmatch(reference.name) is not None
    )
