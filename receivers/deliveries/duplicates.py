"""Deliveries that tell the same: a sender's repetition, or six posts for one image of six platforms.

A duplicate is only named, never dropped: it asks for a refresh like any other, and shares one with those that ask at
the same time. So what looks alike and is news after all costs nothing but a patch.
"""

from datetime import datetime, timedelta

from receivers import limits
from receivers.deliveries.delivery import Delivery
from receivers.events import ArtifactPushed

WINDOW = timedelta(seconds=limits.DUPLICATE_WINDOW)


class Duplicates:
    """Remembers the latest deliveries of this process."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], tuple[str, datetime]] = {}  # the first to tell it, and when

    def of(self, delivery: Delivery) -> str:
        """The id of the earlier delivery that told the same; empty when there is none, or it was no push."""
        if len(delivery.pushes) != 1 or delivery.redelivery_of or delivery.test:
            return ""
        key = _key(delivery, delivery.pushes[0])
        earlier, told_at = self._told.get(key, ("", delivery.received_at))
        if earlier and delivery.received_at - told_at <= _window(key):
            return earlier
        self._told.pop(key, None)
        self._told[key] = (delivery.id, delivery.received_at)
        while len(self._told) > limits.DUPLICATES_REMEMBERED:
            del self._told[next(iter(self._told))]
        return ""


def _key(delivery: Delivery, push: ArtifactPushed) -> tuple[object, ...]:
    """By the sender's own id where there is one; otherwise by what was pushed."""
    scope = (delivery.provider, delivery.receiver)
    if push.sender_event_id:
        return ("id", *scope, push.sender_event_id)
    return ("push", *scope, push.repository_urls, push.qualifiers, push.digest)


def _window(key: tuple[object, ...]) -> timedelta:
    """A sender's id is its own for good; the same push may be news after some seconds."""
    return timedelta.max if key[0] == "id" else WINDOW
