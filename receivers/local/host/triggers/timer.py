"""Timer triggers: calls a function at the times of its schedule. Times are UTC, as on Azure.

Missed times are not made up for: ``useMonitor`` needs a storage of its own, and is ignored.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from receivers.local.host import worker
from receivers.local.host.configuration import resolved
from receivers.local.host.triggers.listener import happened
from receivers.local.host.triggers.schedule import Schedule, parse
from receivers.local.host.worker import Function, InvocationFailed, TypedData

log = logging.getLogger(__name__)

# What the Functions host tells of a timer that it does not monitor.
TIMER_INFO = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}


def listener(function: Function, environment: Mapping[str, str]) -> "TimerListener":
    """Raises :class:`~receivers.local.host.errors.UnusableSchedule`."""
    schedule = parse(resolved(function.binding["schedule"], environment))
    return TimerListener(function, schedule, on_startup=bool(function.binding.get("runOnStartup")))


def utc_now() -> datetime:
    return datetime.now(UTC)


class TimerListener:
    """Calls a function when its time comes, and at once if it is to run on startup. Never twice at a time."""

    def __init__(
        self, function: Function, schedule: Schedule, *, on_startup: bool, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._on_startup = on_startup
        self._now = now

    async def run(self, stopping: asyncio.Event) -> None:
        """As :meth:`~receivers.local.host.triggers.listener.Listener.run` says."""
        if self._on_startup:
            await self._invoke()
        due = self._schedule.after(self._now())
        while not await happened(stopping, within=(due - self._now()).total_seconds()):
            await self._invoke()
            due = self._schedule.after(max(due, self._now()))  # we may have woken a little early

    async def _invoke(self) -> None:
        try:
            await worker.invoke(self._function, TypedData(json=json.dumps(TIMER_INFO)), metadata={})
        except InvocationFailed as failure:
            log.error("%s failed\n%s", self._function.name, failure)  # noqa: TRY400, the message is the app's traceback
