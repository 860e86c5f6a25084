"""Storing a batch although the store refuses one item of it: halved until that one is found, which alone is dropped.

Who cannot be reached, or is busy, refuses nothing: then everything waits. An answer that may mean either, such as 500,
counts as a refusal of the item only while the store takes others.
"""

import logging
from collections.abc import Awaitable, Callable
from enum import Enum

from receivers.storage.account import StorageError

logger = logging.getLogger(__name__)

DOUBTS = 3  # unclear answers in a row before the batch is halved; doubled each time that nothing came of it
PROBES = 16  # calls without one success, after which the store and not an item is at fault
# No answer, no right to it, not there, busy: nothing that an item could be the reason of.
AWAY = frozenset({0, 401, 403, 404, 408, 409, 412, 429, 503})
ITS_OWN_FAULT = 500  # and above


class Fruitless(StorageError):
    """Nothing of a batch could be stored, though each item was tried alone. Other batches had better be tried first."""


class _Meaning(Enum):
    """What a failure says of the items."""

    REFUSED = "refused"  # they cannot be stored, today or later
    UNCLEAR = "unclear"
    AWAY = "away"  # nothing


class Storing[Item]:
    """Stores batches; ``on_dropped`` hears of each item that the store refuses, by its key, and why."""

    def __init__(
        self, store: Callable[[list[Item]], Awaitable[None]], *, on_dropped: Callable[[str, Exception], None]
    ) -> None:
        self._store = store
        self._on_dropped = on_dropped
        self._doubts = 0
        self._patience = DOUBTS
        self._suspects: set[str] = set()  # of batches of which nothing could be stored
        self._took_others = False  # since then

    async def store(self, batch: dict[str, Item]) -> None:
        """Store items, by key, and take from ``batch`` what was stored or dropped.

        Raises StorageError when the rest has to wait.
        """
        try:
            await self._send(batch, list(batch))
        except Exception as error:
            if not self._is_to_be_halved(error):
                raise
            await self._narrow(batch)
        self._doubts, self._patience = 0, DOUBTS

    def _is_to_be_halved(self, error: Exception) -> bool:
        match _meaning(error):
            case _Meaning.AWAY:
                return False
            case _Meaning.REFUSED:
                return True
        self._doubts += 1
        return self._doubts >= self._patience

    async def _narrow(self, batch: dict[str, Item]) -> None:
        """Store what can be stored of a batch that was refused."""
        proven = self._took_others and self._suspects.issuperset(batch)  # that the store is well
        parts, unclear = _halves(list(batch)), 0
        while parts:
            keys = parts.pop()
            failure = await self._failure(batch, keys)
            if failure is None:
                proven = True
            elif len(keys) > 1:
                parts += _halves(keys)
            elif _meaning(failure) == _Meaning.REFUSED:
                self._drop(batch, keys[0], failure)
            if failure is not None and _meaning(failure) == _Meaning.UNCLEAR:
                unclear += 1
                if not proven and (unclear >= PROBES or not parts):
                    raise self._suspected(batch, failure)
        for key in list(batch):  # those for which the answer was not clear: once more, as the store is well
            failure = await self._failure(batch, [key])
            if failure is not None:
                self._drop(batch, key, failure)

    def _suspected(self, batch: dict[str, Item], failure: Exception) -> Fruitless:
        """Nothing can be stored of this batch. Whether it is at fault, or the store, others will show."""
        self._suspects = set(batch)
        self._took_others = False
        self._doubts, self._patience = 0, self._patience * 2
        return Fruitless(str(failure), status=failure.status if isinstance(failure, StorageError) else 0)

    async def _failure(self, batch: dict[str, Item], keys: list[str]) -> Exception | None:
        """Why a part of a batch cannot be stored; None when it was. Raises StorageError when the store is away."""
        try:
            await self._send(batch, keys)
        except Exception as error:
            if _meaning(error) == _Meaning.AWAY:
                raise
            return error
        return None

    async def _send(self, batch: dict[str, Item], keys: list[str]) -> None:
        await self._store([batch[key] for key in keys])
        self._took_others |= not self._suspects.issuperset(keys)
        for key in keys:
            del batch[key]

    def _drop(self, batch: dict[str, Item], key: str, failure: Exception) -> None:
        if not isinstance(failure, StorageError):
            logger.error("a defect: it cannot be stored", exc_info=failure)
        del batch[key]
        self._on_dropped(key, failure)


def _halves(keys: list[str]) -> list[list[str]]:
    """The second half first, as a stack is read; one alone is tried again as it is."""
    middle = len(keys) // 2
    return [half for half in (keys[middle:], keys[:middle]) if half]


def _meaning(error: Exception) -> _Meaning:
    if not isinstance(error, StorageError):
        return _Meaning.REFUSED  # by our own code
    if error.status in AWAY:
        return _Meaning.AWAY
    return _Meaning.UNCLEAR if error.status >= ITS_OWN_FAULT else _Meaning.REFUSED
