"""How queues are polled: ``extensions.queues`` of host.json, and the lease.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from receivers.local.host.errors import UnusableConfiguration

LEASE_SETTING = "KARGO_RECEIVERS_QUEUE_LEASE_SECONDS"
LEASE = 600  # seconds, the Functions host's. A shorter one brings the messages of a killed host back sooner
LONGEST_LEASE = 7 * 24 * 3600  # seconds, Azure's limit
LARGEST_BATCH = 32  # messages, Azure's limit
DAY, HOUR, MINUTE = 86_400, 3_600, 60  # seconds
INTERVAL = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d\d):(\d\d(?:\.\d+)?)")  # [days.]hours:minutes:seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """The Functions host's settings, with its defaults. Durations are seconds."""

    batch_size: int = 16  # messages taken by one poll
    new_batch_threshold: int = 8  # with no more than so many running, more are taken
    tries: int = 5  # then a message is given up
    retry_after: float = 0.0
    longest_pause: float = 60.0
    base64: bool = True  # how messages are encoded


def queue_options(section: Mapping[str, Any]) -> QueueOptions:
    """Read the section. Raises :class:`UnusableConfiguration` for what the Functions host would refuse."""
    try:
        batch_size = whole(section, "batchSize", 16, 1, LARGEST_BATCH)
        return QueueOptions(
            batch_size=batch_size,
            new_batch_threshold=whole(section, "newBatchThreshold", batch_size // 2, 0, 1_000_000),
            tries=whole(section, "maxDequeueCount", 5, 1, 1_000_000),
            retry_after=interval(section, "visibilityTimeout", "00:00:00"),
            longest_pause=interval(section, "maxPollingInterval", "00:01:00"),
            base64=encoding(section) == "base64",
        )
    except ValueError as error:
        raise UnusableConfiguration(f"host.json, extensions.queues: {error}") from None


def lease_seconds(environment: Mapping[str, str]) -> int:
    """How long a message is nobody else's; renewed while its function runs. Raises :class:`UnusableConfiguration`."""
    try:
        return whole(environment, LEASE_SETTING, LEASE, 1, LONGEST_LEASE)
    except ValueError as error:
        raise UnusableConfiguration(str(error)) from None


def whole(section: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    text = str(section.get(name, default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}")
    return int(text)


def interval(section: Mapping[str, Any], name: str, default: str) -> float:
    found = INTERVAL.fullmatch(str(section.get(name, default)))
    if found is None:
        raise ValueError(f"{name} must be a duration as hh:mm:ss")
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * DAY + int(hours) * HOUR + int(minutes) * MINUTE + float(seconds)


def encoding(section: Mapping[str, Any]) -> str:
    name = str(section.get("messageEncoding", "base64")).lower()
    if name not in {"base64", "none"}:
        raise ValueError("messageEncoding must be base64 or none")
    return name
