"""How an object of the cluster gets into a store, so that one which cannot be read harms no other."""

import logging
import traceback
from pathlib import Path
from typing import Protocol

import msgspec

from receivers.cluster import scanning
from receivers.cluster.records import Identified, Identity, Key, UnreadableError
from receivers.cluster.turns import Turns
from receivers.cluster.unreadable import Unreadable

UNDECODABLE = "it is too large, or nested too deeply"

logger = logging.getLogger(__name__)


class Store(Protocol):
    """Where objects of one kind are kept. ``apply`` may raise anything for an odd one."""

    unreadable: Unreadable

    def apply(self, encoded: msgspec.Raw) -> Identity:
        """Take a new or changed object and tell which one it is."""

    def delete(self, key: Key) -> None:
        """Forget an object."""

    def known(self) -> list[Key]:
        """What is kept at this moment, in no particular order."""


async def retain(store: Store, keys: set[Key]) -> None:
    """Forget every object whose key is not among these, giving other tasks their turn: a whole list was read."""
    turns = Turns()
    for key in store.known():
        if key not in keys:
            store.delete(key)
        await turns.take()
    store.unreadable.retain(keys)


async def put(store: Store, encoded: msgspec.Raw) -> Identity:
    """Put an object into a store, or note that it cannot be read. Then what was known of it before stays."""
    try:
        identity = store.apply(encoded)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one object must not end the work on all others
        identity = await scanning.of_object(bytes(encoded))
        note(store, identity, _reason(error))
    else:
        if identity.key is not None:
            store.unreadable.forget(identity.key)
    return identity


def note(store: Store, identity: Identity, reason: str) -> None:
    """Note, and log once, that an object cannot be read."""
    if store.unreadable.note(identity.key, reason):
        logger.warning("%s cannot be read: %s", _name(identity.key), reason)


async def identify(encoded: msgspec.Raw) -> Identity:
    """Which object this is; None and "" where that cannot be read."""
    try:
        return msgspec.json.decode(encoded, type=Identified).metadata.identity
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableError):
        return await scanning.of_object(bytes(encoded))


def _reason(error: Exception) -> str:
    """What is wrong with an object, for people. It quotes nothing of the object."""
    match error:
        case UnreadableError():
            return str(error)
        case RecursionError():
            return UNDECODABLE
        case msgspec.ValidationError():
            return f"it is not as Kargo defines it: {error}"
        case msgspec.DecodeError() | UnicodeDecodeError():
            return "it is not JSON as an API server writes it"
        case _:
            return f"a defect of this service: {_place(error)}"


def _place(error: Exception) -> str:
    """The kind of an error, and where it came from; its text might quote the object."""
    (last,) = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def _name(key: Key | None) -> str:
    return "an object of the cluster" if key is None else f"{key.namespace}/{key.name}"
