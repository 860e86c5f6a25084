"""A few lines a minute instead of as many as somebody likes to cause."""

import logging
import time
from collections.abc import Callable

from receivers import limits


class Sample:
    """Lets the first few of a minute pass, and counts the others."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = -limits.SAMPLE_INTERVAL
        self._passed = 0
        self._held_back = 0

    def passes(self) -> bool:
        """Whether this one is to be logged."""
        if self._clock() - self._began >= limits.SAMPLE_INTERVAL:
            self._began, self._passed = self._clock(), 0
        if self._passed < limits.SAMPLE:
            self._passed += 1
            return True
        self._held_back += 1
        return False

    def take(self) -> int:
        """How many were held back since this was asked last."""
        held_back, self._held_back = self._held_back, 0
        return held_back


class Sampled:
    """Warnings of one kind; the first line of a minute says how many were held back before."""

    def __init__(self, logger: logging.Logger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._sample = Sample(clock=clock)

    def warn(self, message: str, *arguments: object) -> None:
        """Log it, unless there were too many within a minute."""
        if self._sample.passes():
            held_back = self._sample.take()
            before = f" ({held_back} more before)" if held_back else ""
            self._logger.warning("%s%s", message % arguments, before)
