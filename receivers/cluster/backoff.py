"""How long to wait before the next try."""

import random
from collections.abc import Callable

from receivers import limits


class Backoff:
    """Doubling waits with full jitter, so that many waiters do not return at once."""

    def __init__(self, *, last: float = limits.BACKOFF_LAST, jitter: Callable[[], float] = random.random) -> None:
        self._last = last
        self._jitter = jitter
        self._failures = 0

    def reset(self) -> None:
        """The last try went well."""
        self._failures = 0

    def next(self, retry_after: float | None = None, *, spread: float = 0.0) -> float:
        """Seconds to wait now: what the server asked for, within reason, and a random share of a doubling span.

        Where many are to wait at the same moment, the span is ``spread`` at least.
        """
        span = min(self._last, limits.BACKOFF_FIRST * 2.0 ** min(self._failures, 32))
        self._failures += 1
        asked = min(retry_after or 0.0, limits.RETRY_AFTER_MAXIMUM)
        return asked + max(span, spread) * self._jitter()
