"""Which refreshes Kargo has handled, by the one that a status says it handled last."""

import msgspec

from receivers import limits
from receivers.kargo import shallow

MICROSECONDS = len("2026-11-21T08:56:47.404158")  # of a refresh's value, whose rest is random


def token(encoded: msgspec.Raw) -> str:
    """The text of a refresh, from the JSON of an annotation or a status; empty for what none can be, or is long."""
    found = shallow.value(encoded) if len(encoded) <= 2 + limits.REFRESH_HANDLED else ""
    return found if isinstance(found, str) else ""


def covers(handled: str, value: str) -> bool:
    """Whether handling one refresh means that another was handled too: the same one, or an earlier one.

    Values begin with their time, ours in microseconds and Kargo's own in seconds; others can only be equal.
    """
    if not handled or not value:
        return False
    if handled == value:
        return True
    if len(handled) >= MICROSECONDS and handled[MICROSECONDS - 7] == ".":
        return handled[:MICROSECONDS] >= value[:MICROSECONDS]
    seconds = MICROSECONDS - 7
    return handled[seconds:] == "Z" and handled[:seconds] > value[:seconds]
