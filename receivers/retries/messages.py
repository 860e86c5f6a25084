"""What waits in the retry queue: the parsed events of a delivery and its receiver, not the sender's bytes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec

from receivers import limits
from receivers.deliveries.delivery import Delivery
from receivers.events import Pushed, Trigger

VERSION = 2  # 1 told of pushes alone, without their tag
HERALD = b'{"herald":1}'  # a message that is no delivery: while it is there, somebody looks for the cluster

type Time = Annotated[datetime, msgspec.Meta(tz=True)]
type Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{24}\\Z")]
FIRST_YEAR, LAST_YEAR = 2, 9998  # in any other year a change of the zone can leave what Python has times for


class UnreadableMessage(Exception):
    """A message that this version cannot read. The text says why, and quotes nothing of it."""


def refuse_odd(time: datetime) -> None:
    """Refuse a time that cannot be told in every zone. Raises ValueError."""
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise ValueError("a time is of no year in which this service was there")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to refresh what a delivery is for."""

    at: Time
    refreshed: int  # Warehouses
    error: str = ""

    def __post_init__(self) -> None:
        """What is decoded is refused where this raises ValueError."""
        refuse_odd(self.at)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that waits."""

    version: int = VERSION
    delivery: Id
    received_at: Time
    provider: str
    receiver: str
    project: str | None
    # Where the cluster could not prove the receiver's URL on arrival: what is to be confirmed before any refresh.
    voucher: str = ""
    source: str = ""
    events: list[Trigger]
    parts: int = 1  # the messages among which the delivery's events are spread
    tries: Annotated[int, msgspec.Meta(ge=0)] = 0
    attempts: list[Attempt] = []  # the latest ones

    def __post_init__(self) -> None:
        """What is decoded is refused where this raises ValueError."""
        refuse_odd(self.received_at)

    def tried(self, attempt: Attempt) -> "Message":
        """The same, after one more try."""
        attempts = [*self.attempts, attempt][-limits.ATTEMPTS_SHOWN :]
        return msgspec.structs.replace(self, tries=self.tries + 1, attempts=attempts)


class _First(Message, frozen=True, kw_only=True):
    """A message of version 1."""

    events: list[Pushed]  # type: ignore[assignment]  # all that there was to refresh for


class Poisoned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that was given up, and why."""

    reason: str
    message: Message | None = None  # None: it could not be read
    unreadable: bytes = b""


class _Poison(msgspec.Struct):
    """The same as it is read: its message may be of the version before."""

    reason: str
    message: msgspec.Raw = msgspec.Raw()
    unreadable: bytes = b""


class _Waiting(Message, frozen=True, kw_only=True):
    """A message as it waits. When it is due concerns the queue alone."""

    due_at: Time


class _Due(msgspec.Struct):
    due_at: Time | None = None  # older versions did not say


class _Versioned(msgspec.Struct):
    version: int


def of(delivery: Delivery) -> list[Message]:
    """The messages for a delivery: one, unless its events are too many for one."""
    receiver = delivery.receiver
    if receiver is None:
        raise ValueError("a delivery without a receiver has nothing to refresh")
    groups = list(_fitting(delivery.triggers))
    return [
        Message(
            delivery=delivery.id,
            received_at=delivery.received_at,
            provider=delivery.provider,
            receiver=receiver.name,
            project=receiver.project,
            voucher=delivery.voucher,
            source=receiver.source if delivery.voucher else "",
            events=events,
            parts=len(groups),
        )
        for events in groups
    ]


def encode(message: Message, *, due_at: datetime | None = None) -> bytes:
    """As it stands in the queue, where it also says when it is due."""
    if due_at is None:
        return msgspec.json.encode(message)
    return msgspec.json.encode(_Waiting(**msgspec.structs.asdict(message), due_at=due_at))


def due_at(text: bytes) -> datetime | None:
    """When a message in the queue became due; None where it does not say."""
    try:
        return msgspec.json.decode(text, type=_Due).due_at
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode(text: bytes) -> Message:
    """Read a message. Raises :class:`UnreadableMessage`."""
    try:
        match msgspec.json.decode(text, type=_Versioned).version:
            case 1:
                first = msgspec.json.decode(text, type=_First)
                return Message(**{**msgspec.structs.asdict(first), "version": VERSION})
            case 2:
                return msgspec.json.decode(text, type=Message)
            case version:
                raise UnreadableMessage(f"its version is {version}; this service reads versions 1 and {VERSION}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableMessage("it is not a message of this service, or was damaged") from None


def poison(poisoned: Poisoned) -> bytes:
    """As it stands in the poison queue: with its reason, unless what cannot be read leaves no room for it."""
    text = msgspec.json.encode(poisoned)
    return text if len(text) <= limits.QUEUE_MESSAGE else poisoned.unreadable


def decode_poisoned(text: bytes) -> Poisoned:
    """Read what stands in the poison queue. The Functions host, too, puts messages there, as they are."""
    try:
        found = msgspec.json.decode(text, type=_Poison)
        message = decode(bytes(found.message)) if len(found.message) else None
        return Poisoned(reason=found.reason, message=message, unreadable=found.unreadable)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableMessage):
        pass
    try:
        return Poisoned(
            reason="the service failed at it again and again; its log has the details", message=decode(text)
        )
    except UnreadableMessage as unreadable:
        return Poisoned(reason=str(unreadable), unreadable=text)


def slim(event: Trigger, *, size: int) -> Trigger:
    """The event, small enough for ``size`` bytes of JSON.

    Changed files go first, then qualifiers: without them more is refreshed than need be, which is safe.
    """
    if not isinstance(event, Pushed) or len(msgspec.json.encode(event)) <= size:
        return event
    without_files = msgspec.structs.replace(event, changed_files=None)
    if len(msgspec.json.encode(without_files)) <= size:
        return without_files
    return msgspec.structs.replace(without_files, qualifiers=())


def _fitting(events: list[Trigger]) -> Iterator[list[Trigger]]:
    """Groups of events, each small enough for one message."""
    room = limits.QUEUE_MESSAGE - 16 * 1024  # the rest is for the receiver and the attempts
    group: list[Trigger] = []
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
