"""Deliveries that tell the same: a sender's repetition, or six posts for one image of six platforms.

A duplicate is only named, never dropped: it asks for a refresh like any other, and shares one with those that ask at
the same time. So what looks alike and is news after all costs nothing but a patch.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b

from receivers import limits
from receivers.bounded import Bounded
from receivers.deliveries.delivery import Delivery
from receivers.events import PullRequestClosed, Pushed, Selected, Trigger

WINDOW = timedelta(seconds=limits.DUPLICATE_WINDOW)
EVENT_WINDOW = timedelta(seconds=limits.DUPLICATE_EVENT_WINDOW)
DIGEST = 16  # bytes
REMEMBERED = 400  # bytes that one takes, whatever was pushed: digest, id, time, and Python's part


class Duplicates:
    """Remembers the latest deliveries of this process, for a day at most. Of what was pushed it keeps a digest."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._told: Bounded[bytes, tuple[str, datetime]] = Bounded(  # the first to tell it, and when
            entries=limits.DUPLICATES_REMEMBERED,
            size=limits.DUPLICATES_REMEMBERED * REMEMBERED,
            age=limits.DUPLICATE_EVENT_WINDOW,
            clock=clock,
        )

    def of(self, delivery: Delivery) -> str:
        """The id of the earlier delivery that told the same; empty when there is none, or it was no push."""
        if len(delivery.triggers) != 1 or delivery.redelivery_of or delivery.test:
            return ""
        trigger = delivery.triggers[0]
        key = _digest(_told(delivery, trigger))
        earlier, told_at = self._told.get(key) or ("", delivery.received_at)
        window = EVENT_WINDOW if trigger.sender_event_id else WINDOW
        if earlier and delivery.received_at - told_at <= window:
            return earlier
        self._told.put(key, (delivery.id, delivery.received_at), size=REMEMBERED)
        return ""

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._told)


def _told(delivery: Delivery, trigger: Trigger) -> tuple[object, ...]:
    """By the sender's own id where there is one; otherwise by what was pushed."""
    receiver = delivery.receiver
    told_to = (receiver.source, receiver.project, receiver.name) if receiver else ()
    if trigger.sender_event_id:
        return ("id", delivery.provider, told_to, trigger.sender_event_id)
    match trigger:
        case Pushed():
            return ("push", delivery.provider, told_to, trigger.repository_urls, trigger.qualifiers, trigger.digest)
        case PullRequestClosed():
            return ("pull request", delivery.provider, told_to, trigger.url)
        case Selected():
            return ("selected", delivery.provider, told_to, trigger.selections)


def _digest(told: tuple[object, ...]) -> bytes:
    """Differs for whatever differs: a representation quotes each text and escapes what is within."""
    return blake2b(repr(told).encode(errors="backslashreplace"), digest_size=DIGEST).digest()
