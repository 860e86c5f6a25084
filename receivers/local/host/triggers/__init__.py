"""What calls functions beside HTTP requests: messages in queues, and the time of day."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from receivers.importing import imported
from receivers.local.host.triggers import timer
from receivers.local.host.triggers.listener import Listener
from receivers.local.host.worker import Function

__all__ = ["QUEUE_TRIGGER", "TIMER_TRIGGER", "Listener", "listeners"]

log = logging.getLogger(__name__)

QUEUE_TRIGGER, TIMER_TRIGGER = "queueTrigger", "timerTrigger"
STORAGE_SETTING = "AzureWebJobsStorage"  # what a queue trigger without a connection means


async def listeners(functions: Sequence[Function], app_root: Path, environment: Mapping[str, str]) -> list[Listener]:
    """One listener for each function with a queue or timer trigger.

    A queue trigger whose connection is not set has none, and a line in the log. Raises
    :class:`~receivers.local.host.errors.HostError` for a trigger that cannot be listened to.
    """
    timers = [function for function in functions if function.trigger == TIMER_TRIGGER]
    found: list[Listener] = [timer.listener(function, environment) for function in timers]
    connected: dict[str, list[Function]] = {}
    for function in (function for function in functions if function.trigger == QUEUE_TRIGGER):
        connected.setdefault(function.binding.get("connection") or STORAGE_SETTING, []).append(function)
    for setting, fed in connected.items():
        if connection_string := connection(setting, environment):
            # Azure's library takes a quarter of a second to import.
            queue = await imported(f"{__name__}.queue")
            found += queue.listeners(fed, app_root, environment, setting=setting, connection_string=connection_string)
        else:
            names = ", ".join(function.name for function in fed)
            log.warning("%s is not set, so no queue is polled for %s", setting, names)
    return found


def connection(setting: str, environment: Mapping[str, str]) -> str:
    """The connection string, ``""`` if there is none. The host looks for the name behind ``AzureWebJobs`` first."""
    return environment.get(f"AzureWebJobs{setting}") or environment.get(setting, "")
