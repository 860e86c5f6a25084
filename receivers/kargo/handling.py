"""Which refreshes Kargo has handled, by the one that a status says it handled last."""

import re
from datetime import UTC, datetime

import msgspec

from receivers import limits
from receivers.kargo import shallow

MICROSECONDS = len("2026-11-21T08:56:47.404158")  # of a refresh's value, whose rest is random
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?(?=\D)")


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


def time(value: str) -> datetime | None:
    """When a refresh was asked for, in UTC, as its value says; None where it says nothing of the kind."""
    found = _TIME.match(value)
    try:
        return datetime.fromisoformat(found[0]).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
