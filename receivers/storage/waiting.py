"""What waits to be stored, while the store may be away: bounded in number, in bytes and in time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from receivers import limits

OVERHEAD = 500  # bytes that one takes beside its item: key, entry and their places


class Rank(IntEnum):
    """How much is lost with an item. The lowest goes first."""

    LITTLE = 0  # nothing came of it: a ping, an ignored event, a request that was refused
    MUCH = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry[Item]:
    """One item that waits."""

    item: Item
    size: int  # bytes
    rank: Rank
    since: float  # when the first version of it came


class Waiting[Item]:
    """Items by key, in the order in which they came.

    Where they are too many or too large those of the lowest rank go first, and of these the oldest: what was refreshed
    is looked for later than what was refused, and newer ones sooner than older ones. A later version takes the place
    of the earlier one, and is worth as much as the better of both: the earlier one was not stored either.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, Entry[Item]] = OrderedDict()
        self._ranked = {rank: OrderedDict[str, None]() for rank in Rank}  # keys of each, oldest first
        self._used = 0

    def put(self, key: str, item: Item, *, size: int, rank: Rank) -> int:
        """Have an item wait. Returns how many had to go for it."""
        entry = Entry(item=item, size=size + OVERHEAD, rank=rank, since=self._clock())
        self._set(key, _later(entry, than=self._entries.get(key)))
        return self._make_room()

    def take(self, *, most: int, size: int) -> dict[str, Entry[Item]]:
        """The oldest: ``most`` in number, ``size`` in bytes, but one at least."""
        taken: dict[str, Entry[Item]] = {}
        used = 0
        for key, entry in self._entries.items():
            used += entry.size
            if taken and (len(taken) >= most or used > size):
                break
            taken[key] = entry
        for key in taken:
            self._remove(key)
        return taken

    def put_back(self, taken: Mapping[str, Entry[Item]]) -> int:
        """What was not stored waits again, in front of what came since. Returns how many had to go for it."""
        came = list(self._entries.items())
        for key, _ in came:
            self._remove(key)
        for key, entry in taken.items():
            self._set(key, entry)
        for key, entry in came:
            self._set(key, _later(entry, than=taken.get(key)))
        return self._make_room()

    def put_behind(self, taken: Mapping[str, Entry[Item]]) -> int:
        """The same, behind what came since."""
        for key, entry in taken.items():
            came = self._entries.get(key)
            self._set(key, _later(came, than=entry) if came else entry)
        return self._make_room()

    def get(self, key: str) -> Item | None:
        """An item that waits."""
        entry = self._entries.get(key)
        return entry.item if entry else None

    @property
    def used(self) -> int:
        """Bytes of what waits."""
        return self._used

    def __len__(self) -> int:
        return len(self._entries)

    def _set(self, key: str, entry: Entry[Item]) -> None:
        earlier = self._entries.get(key)
        if earlier is not None:
            self._used -= earlier.size
            if earlier.rank != entry.rank:
                del self._ranked[earlier.rank][key]
        self._entries[key] = entry
        self._ranked[entry.rank][key] = None
        self._used += entry.size

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key)
        del self._ranked[entry.rank][key]
        self._used -= entry.size

    def _make_room(self) -> int:
        before = len(self._entries)
        oldest = self._clock() - limits.JOURNAL_WAITING_AGE
        while self._entries and next(iter(self._entries.values())).since < oldest:
            self._remove(next(iter(self._entries)))
        while len(self._entries) > limits.JOURNAL_WAITING or self._used > limits.JOURNAL_WAITING_BYTES:
            self._remove(next(key for rank in Rank for key in self._ranked[rank]))
        return before - len(self._entries)


def _later[Item](entry: Entry[Item], *, than: Entry[Item] | None) -> Entry[Item]:
    """A later version of what was not stored yet."""
    return replace(entry, rank=max(entry.rank, than.rank), since=than.since) if than else entry
