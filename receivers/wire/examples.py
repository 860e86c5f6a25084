"""Deliveries as senders write them, to try a receiver with."""

import json
from collections.abc import Mapping
from datetime import datetime

from receivers.events import Example

MANIFEST_SIZE = 1578  # bytes; what a manifest takes, more or less


def json_example(document: Mapping[str, object], *, user_agent: str) -> Example:
    """A delivery whose body is JSON."""
    headers = {"content-type": "application/json", "user-agent": user_agent}
    return Example(headers, json.dumps(document).encode())


def timestamp(now: datetime) -> str:
    """``2026-01-02T03:04:05.678901Z``; ``now`` is UTC."""
    return now.isoformat().replace("+00:00", "Z")
