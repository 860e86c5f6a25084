"""Deliveries that tell the same: a sender's repetition, or six posts for one image of six platforms.

A duplicate is only named, never dropped: it asks for a refresh like any other, and shares one with those that ask at
the same time. So what looks alike and is news after all costs nothing but a patch.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

from receivers import limits
from receivers.deliveries.delivery import Delivery
from receivers.events import ArtifactPushed

WINDOW = timedelta(seconds=limits.DUPLICATE_WINDOW)


class Duplicates:
    """Remembers the latest deliveries of this process."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[object, ...], tuple[str, datetime]] = OrderedDict()

    def of(self, delivery: Delivery) -> str:
        """The id of the earlier delivery that told the same; empty when there is none, or it was no push."""
        if len(delivery.pushes) != 1 or delivery.redelivery_of or delivery.test:
            return ""
        known = [self._note(key, delivery) for key in _keys(delivery, delivery.pushes[0])]
        return next(filter(None, known), "")

    def _note(self, key: tuple[object, ...], delivery: Delivery) -> str:
        earlier, seen_at = self._seen.get(key, ("", delivery.received_at))
        if not earlier or delivery.received_at - seen_at > _window(key):
            self._seen[key] = (delivery.id, delivery.received_at)
            earlier = ""
        while len(self._seen) > limits.DUPLICATES_REMEMBERED:
            self._seen.popitem(last=False)
        return earlier


def _keys(delivery: Delivery, push: ArtifactPushed) -> list[tuple[object, ...]]:
    """By the sender's own id where there is one; otherwise by what was pushed."""
    scope = (delivery.provider, delivery.receiver)
    if push.sender_event_id:
        return [("id", *scope, push.sender_event_id)]
    return [("push", *scope, push.repository_urls, push.qualifiers, push.digest)]


def _window(key: tuple[object, ...]) -> timedelta:
    """A sender's id is its own for good; the same push may be news after some seconds."""
    return timedelta.max if key[0] == "id" else WINDOW
