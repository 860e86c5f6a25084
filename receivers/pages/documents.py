"""Rows and queues as JSON documents."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from receivers.journal.journal import Row
from receivers.pages import wording
from receivers.pages.queued import Line, Queues
from receivers.retries.contents import Contents

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


def queues(contents: Contents, queues: Queues) -> dict[str, Any]:
    """What is in the queues, without the bytes that nobody can read."""
    return {
        "waiting": queues.waiting,
        "waitingExact": queues.waiting_exact,
        "oldest": queues.oldest.isoformat() if queues.oldest else None,
        "deliveries": [_line(line) for line in queues.lines],
        "due": [_camel(msgspec.to_builtins(message)) for message in contents.due],
        "poisoned": queues.given_up,
        "poisonedExact": queues.given_up_exact,
        "poison": [
            {
                "id": each.id,
                "since": each.since.isoformat() if each.since else None,
                "what": each.what,
                "readable": each.row is not None,
                "size": len(each.unreadable),
                "poisoned": {"reason": each.reason, "message": _camel(msgspec.to_builtins(poisoned.poisoned.message))},
            }
            for each, poisoned in zip(queues.poison, contents.poison, strict=True)
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    """A delivery that waits."""
    row = line.row
    return {
        "id": row.id,
        "what": line.what,
        "provider": row.provider,
        "project": row.project,
        "receiver": row.receiver,
        "since": row.received_at.isoformat(),
        "tries": line.tries,
        "lastError": line.error,
        "nextTry": line.next_try.isoformat() if line.next_try else None,  # null: once the cluster answers
        "nextTryExact": line.exact,
    }


def _camel(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same with JSON's usual spelling of names."""
    match value:
        case Mapping():
            return {_HUMP.sub(lambda hump: hump[1].upper(), name): _camel(each) for name, each in value.items()}
        case list():
            return [_camel(each) for each in value]
        case _:
            return value
