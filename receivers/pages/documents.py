"""Rows and queues as JSON documents."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from receivers.journal.journal import Row
from receivers.pages import wording
from receivers.retries.queue import Contents

_HUMP = re.compile("_([a-z])")


def listed(row: Row) -> dict[str, Any]:
    """A row of a list: all but the events themselves."""
    document = whole(row)
    del document["events"]
    return document


def whole(row: Row) -> dict[str, Any]:
    """A row, and what can be told from it."""
    told = {
        "artifact": wording.artifact(row),
        "summary": wording.summary(row),
        "handledAfter": _after(row, row.handled_at),
        "foundAfter": _after(row, row.found_at),
    }
    document: dict[str, Any] = _camel(msgspec.to_builtins(row))
    return document | told


def _after(row: Row, time: datetime | None) -> float | None:
    """Seconds from arrival."""
    return round((time - row.received_at).total_seconds(), 3) if time else None


def queues(contents: Contents) -> dict[str, Any]:
    """What is in the queues, without the bytes that nobody can read."""
    document: dict[str, Any] = _camel(msgspec.to_builtins(contents))
    for message in document["poison"]:
        message["poisoned"].pop("unreadable", None)
    return document


def _camel(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same with JSON's usual spelling of names."""
    match value:
        case Mapping():
            return {_HUMP.sub(lambda hump: hump[1].upper(), name): _camel(each) for name, each in value.items()}
        case list():
            return [_camel(each) for each in value]
        case _:
            return value
