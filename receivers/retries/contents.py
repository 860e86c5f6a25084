"""What is in the queues of the retries, as a look at them finds it."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from receivers.retries import messages
from receivers.retries.messages import Message, Poisoned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.storage.queue import QueueMessage

PAGE = 32  # messages in one answer: Azure's limit


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is tried next."""

    message: Message
    due_at: datetime | None  # None: it waits for the cluster, or the message does not say
    parked: bool  # waits for the cluster


class PoisonedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the poison queue."""

    id: str  # to revive or discard it
    since: datetime | None
    poisoned: Poisoned


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One queue: Azure's count, which is approximate, and the first messages that can be seen."""

    count: int
    seen: "Sequence[QueueMessage]"

    @property
    def whole(self) -> bool:
        """Whether no message that can be seen is missing."""
        return len(self.seen) < PAGE


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the queues."""

    waiting: int  # Azure's count, which is approximate, less what is no delivery; parked ones too
    waits: list[Waiting]  # the first of those that are tried next; Azure shows none whose delay still runs
    poisoned: int
    exact: bool  # whether the count of poisoned ones is; else it is Azure's
    poison: list[PoisonedMessage]  # the first of them

    @property
    def due(self) -> list[Message]:
        """The first of those that are tried next."""
        return [each.message for each in self.waits]


def of(*, queue: Look, parked: Look, poison: Look, limit: int) -> Contents:
    """What was seen, no more than ``limit`` messages of each."""
    queued = [text for text in map(text_of, queue.seen) if text != messages.HERALD]
    aside = [text for text in map(text_of, parked.seen) if text != messages.HERALD]
    heralds = len(queue.seen) + len(parked.seen) - len(queued) - len(aside)
    waits = [*(_waiting(text, parked=False) for text in queued), *(_waiting(text, parked=True) for text in aside)]
    return Contents(
        waiting=max(0, queue.count + parked.count - heralds),
        waits=[each for each in waits[:limit] if each is not None],
        poisoned=len(poison.seen) if poison.whole else max(poison.count, len(poison.seen)),
        exact=poison.whole,
        poison=[
            PoisonedMessage(id=each.id, since=each.inserted_on, poisoned=messages.decode_poisoned(text_of(each)))
            for each in poison.seen[:limit]
        ],
    )


def text_of(message: "QueueMessage") -> bytes:
    """A message's bytes; one that is not base64 was put there by somebody else and is taken as it is."""
    content: str = message.content
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return content.encode(errors="replace")


def _waiting(text: bytes, *, parked: bool) -> Waiting | None:
    """None: it cannot be read."""
    try:
        return Waiting(message=messages.decode(text), due_at=None if parked else messages.due_at(text), parked=parked)
    except messages.UnreadableMessage:
        return None
