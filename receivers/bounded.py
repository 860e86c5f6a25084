"""A memory that stays small, whoever fills it: bounded in entries, in bytes and in time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator


class Bounded[Key, Value]:
    """Remembers what was put last, and forgets first what was put first.

    Three bounds hold after every call: ``entries`` in number, ``size`` in bytes over all, and ``age`` in seconds for
    each, counted from its last :meth:`put`. Reading renews nothing. What has expired is never returned; its room is
    given back by the next ``put``, ``len`` or iteration. The bytes of an entry, key and value, are told by who puts it.

    ``on_forgotten`` hears of what a bound took away, and not of what was popped or put anew in time. It may pop, and
    must not put.
    """

    def __init__(
        self,
        *,
        entries: int,
        size: int,
        age: float,
        clock: Callable[[], float] = time.monotonic,
        on_forgotten: Callable[[Key, Value], None] | None = None,
    ) -> None:
        self._most = entries
        self._room = size
        self._age = age
        self._clock = clock
        self._on_forgotten = on_forgotten
        self._kept: OrderedDict[Key, tuple[Value, int, float]] = OrderedDict()  # as put: value, bytes, put at
        self._used = 0

    def put(self, key: Key, value: Value, *, size: int) -> bool:
        """Remember a value, in place of an earlier one, as the newest.

        False when it alone is larger than all the room: then it is not kept, and neither is an earlier one, which it
        would contradict. Nothing else is forgotten for it.
        """
        self.pop(key)
        if size > self._room:
            return False
        self._kept[key] = (value, size, self._clock())
        self._used += size
        self._make_room()
        return True

    def get(self, key: Key) -> Value | None:
        """What was put last under a key; None when it is not known, or has expired."""
        entry = self._kept.get(key)
        return entry[0] if entry is not None and not self._has_expired(entry[2]) else None

    def pop(self, key: Key) -> Value | None:
        """Forget a key; what it had, unless that has expired."""
        if key not in self._kept:
            return None
        value, _, put_at = self._remove(key)
        if not self._has_expired(put_at):
            return value
        self._tell(key, value)
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes of what is kept, as told by who put it."""
        return self._used

    def __contains__(self, key: Key) -> bool:
        entry = self._kept.get(key)
        return entry is not None and not self._has_expired(entry[2])

    def __len__(self) -> int:
        self._make_room()
        return len(self._kept)

    def __iter__(self) -> Iterator[Key]:
        """The keys, oldest first; they may be popped meanwhile."""
        self._make_room()
        return iter(list(self._kept))

    def items(self) -> list[tuple[Key, Value]]:
        """Keys and values, oldest first."""
        self._make_room()
        return [(key, value) for key, (value, _, _) in self._kept.items()]

    def _make_room(self) -> None:
        while self._kept and self._is_too_much():
            key = next(iter(self._kept))
            self._tell(key, self._remove(key)[0])

    def _remove(self, key: Key) -> tuple[Value, int, float]:
        entry = self._kept.pop(key)
        self._used -= entry[1]
        return entry

    def _tell(self, key: Key, value: Value) -> None:
        if self._on_forgotten is not None:
            self._on_forgotten(key, value)

    def _is_too_much(self) -> bool:
        oldest = next(iter(self._kept.values()))
        return len(self._kept) > self._most or self._used > self._room or self._has_expired(oldest[2])

    def _has_expired(self, put_at: float) -> bool:
        return self._clock() - put_at > self._age
