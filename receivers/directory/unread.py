"""Whose Secret is read next for a URL that no receiver is known for.

Such a URL may be that of a receiver whose path Kargo has not published yet, or of a Secret that has just been changed:
reading Secrets would tell. But anybody can post such URLs, and tenants decide how many Secrets there are. So a URL has
no claim to be looked up: a few Secrets are read, and no more than a fixed number in any stretch of time, by turns of
the places where receivers are configured, so that one project with thousands of them keeps nobody waiting.
"""

from collections import OrderedDict
from collections.abc import Callable

from receivers import limits
from receivers.directory.hints import Key


class Budget:
    """Something that may be done so many times at once, and so often on average."""

    def __init__(self, *, at_once: int, per_second: float, clock: Callable[[], float]) -> None:
        self._most = float(at_once)
        self._per_second = per_second
        self._clock = clock
        self._left = self._most
        self._counted_at = clock()

    def take(self) -> bool:
        """Whether it may be done once more; then it counts as done."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Turns:
    """Receivers of one kind, in the order in which their Secrets are worth reading. Each call costs a constant."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        # By where they are configured, whose turn is next first: those that were not read, and those that were, each
        # with when it is worth it, the earliest first.
        self._unread: OrderedDict[str, OrderedDict[Key, float]] = OrderedDict()
        self._read: OrderedDict[str, OrderedDict[Key, float]] = OrderedDict()
        self._unread_next = True

    def add(self, key: Key) -> None:
        """Take a receiver whose Secret may never have been read."""
        if key not in self._read.get(key[0], {}):
            self._unread.setdefault(key[0], OrderedDict())[key] = 0.0

    def remove(self, key: Key) -> None:
        """Forget a receiver."""
        for places in (self._unread, self._read):
            keys = places.get(key[0])
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del places[key[0]]

    def begun(self, key: Key) -> None:
        """A Secret is being read; it is not worth reading again for a while."""
        self._put(self._read, key, limits.UNKNOWN_AGAIN)

    def failed(self, key: Key) -> None:
        """It could not be read."""
        self._put(self._unread, key, limits.UNKNOWN_RETRY)

    def next(self) -> Key | None:
        """Whose Secret to read now; None when none is worth it. Those never read and the others take turns."""
        first, second = (self._unread, self._read) if self._unread_next else (self._read, self._unread)
        self._unread_next = not self._unread_next
        key = self._due(first)
        return key if key is not None else self._due(second)

    def _put(self, places: OrderedDict[str, OrderedDict[Key, float]], key: Key, seconds: float) -> None:
        self.remove(key)
        places.setdefault(key[0], OrderedDict())[key] = self._clock() + seconds

    def _due(self, places: OrderedDict[str, OrderedDict[Key, float]]) -> Key | None:
        now = self._clock()
        for _ in range(min(limits.UNKNOWN_PROJECTS, len(places))):
            place, keys = next(iter(places.items()))
            places.move_to_end(place)
            key, due_at = next(iter(keys.items()))
            if due_at <= now:
                return key
        return None
