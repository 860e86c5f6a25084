"""What waits in the retry queue: the parsed events of a delivery and its receiver, not the sender's bytes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import msgspec

from receivers import limits
from receivers.deliveries.delivery import Delivery
from receivers.events import ArtifactPushed

VERSION = 1


class UnreadableMessage(Exception):
    """A message that this version cannot read. The text says why, and quotes nothing of it."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to refresh what a delivery is for."""

    at: datetime
    refreshed: int  # Warehouses
    error: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that waits."""

    version: int = VERSION
    delivery: str  # its id
    received_at: datetime
    provider: str
    receiver: str
    project: str | None
    events: list[ArtifactPushed]
    attempts: list[Attempt] = []

    def tried(self, attempt: Attempt) -> "Message":
        """The same, after one more try."""
        return msgspec.structs.replace(self, attempts=[*self.attempts, attempt])


class Poisoned(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up, and why."""

    reason: str
    message: str  # as it stood in the queue


class _Versioned(msgspec.Struct):
    version: int


def of(delivery: Delivery) -> list[Message]:
    """The messages for a delivery: one, unless its events are too many for one."""
    receiver = delivery.receiver
    if receiver is None:
        raise ValueError("a delivery without a receiver has nothing to refresh")
    return [
        Message(
            delivery=delivery.id,
            received_at=delivery.received_at,
            provider=delivery.provider,
            receiver=receiver.name,
            project=receiver.project,
            events=events,
        )
        for events in _fitting(delivery.pushes)
    ]


def encode(message: Message) -> str:
    """As it stands in the queue."""
    return msgspec.json.encode(message).decode()


def decode(text: bytes | str) -> Message:
    """Read a message. Raises :class:`UnreadableMessage`."""
    try:
        version = msgspec.json.decode(text, type=_Versioned).version
        if version != VERSION:
            raise UnreadableMessage(f"its version is {version}; this service reads version {VERSION}")
        return msgspec.json.decode(text, type=Message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableMessage("it is not a message of this service, or was damaged") from None


def poisoned(text: str, reason: str) -> str:
    """As it stands in the poison queue; what cannot be read is clipped to fit."""
    return msgspec.json.encode(Poisoned(reason=reason, message=text[: limits.QUEUE_MESSAGE // 2])).decode()


def slim(event: ArtifactPushed, *, size: int) -> ArtifactPushed:
    """The event, small enough for ``size`` bytes of JSON.

    Changed files go first, then qualifiers: without them more is refreshed than need be, which is safe.
    """
    for smaller in (
        event,
        replace(event, changed_files=frozenset()),
        replace(event, changed_files=frozenset(), qualifiers=()),
    ):
        if len(msgspec.json.encode(smaller)) <= size:
            return smaller
    return smaller


def _fitting(events: list[ArtifactPushed]) -> Iterator[list[ArtifactPushed]]:
    """Groups of events, each small enough for one message."""
    room = limits.QUEUE_MESSAGE - 16 * 1024  # the rest is for the receiver and the attempts
    group: list[ArtifactPushed] = []
    used = 0
    for event in events:
        fitting = slim(event, size=room)
        size = len(msgspec.json.encode(fitting)) + 1
        if group and used + size > room:
            yield group
            group, used = [], 0
        group.append(fitting)
        used += size
    yield group
