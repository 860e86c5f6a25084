"""What was dropped instead of stored: counted, and said where somebody looks, so that nothing is lost in silence."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from receivers import limits

logger = logging.getLogger(__name__)

REMEMBERED = timedelta(seconds=limits.DROPS_REMEMBERED)


class Drops:
    """Counts, and writes a line a minute at most."""

    def __init__(
        self,
        what: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what  # "journal row"
        self._now = now
        self._clock = clock
        self._count = 0
        self._first = self._last = datetime.min.replace(tzinfo=UTC)
        self._why = ""
        self._unsaid = 0
        self._said_at = -limits.DROPS_INTERVAL

    def note(self, count: int, why: str) -> None:
        """So many were dropped. The reason holds no secret."""
        if count == 0:
            return
        if not self.said():
            self._count, self._first = 0, self._now()
        self._count += count
        self._unsaid += count
        self._last, self._why = self._now(), why
        if self._clock() - self._said_at >= limits.DROPS_INTERVAL:
            self.say()

    def say(self) -> None:
        """Write into the log what was not written yet."""
        if self._unsaid:
            logger.error("%d %s dropped: %s", self._unsaid, self._counted(self._unsaid), self._why)
            self._unsaid, self._said_at = 0, self._clock()

    def said(self) -> str:
        """``2 journal rows were dropped since 2026-11-21 12:00:00 UTC, the last at …: …``; empty a day later."""
        if self._count == 0 or self._now() - self._last > REMEMBERED:
            return ""
        return (
            f"{self._count} {self._counted(self._count)} dropped since {self._first:%Y-%m-%d %H:%M:%S} UTC, "
            f"the last at {self._last:%Y-%m-%d %H:%M:%S} UTC: {self._why}"
        )

    def _counted(self, count: int) -> str:
        return f"{self._what} was" if count == 1 else f"{self._what}s were"
