"""What Kargo was told and should find soon, by Warehouse, while this process waits for it to act."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from receivers import limits
from receivers.bounded import Bounded
from receivers.events import Target
from receivers.searches.search import Sought

ENTRY = 256  # bytes; what is sought is shared by all Warehouses of a delivery
SOUGHT = 2 * limits.SEARCH_EVENT


class Entry(NamedTuple):
    """Something that Kargo should find once it has handled a refresh."""

    value: str  # of the refresh
    sought: Sought
    since: float  # of this process's clock, when it was asked
    kept: bool  # a search that waits sees to it, whatever becomes of this process


class Awaited:
    """Bounded in Warehouses, bytes and time, and in what waits for one Warehouse: the oldest is forgotten first."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: Bounded[Target, deque[Entry]] = Bounded(
            entries=limits.SEARCH_WAREHOUSES,
            size=limits.SEARCH_BYTES,
            age=limits.SEARCH_AGE,
            clock=clock,
            on_forgotten=lambda _, entries: self._forget(entries),
        )
        self._deliveries: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether anything is awaited."""
        return len(self._entries) > 0

    def add(self, target: Target, value: str, sought: Iterable[Sought], *, kept: bool = False) -> None:
        """Wait for Kargo to handle a refresh of a Warehouse, and to find this."""
        entries = self._entries.pop(target) or deque()
        for each in sought:
            entries.append(Entry(value, each, self._clock(), kept))
            self._deliveries.update(each.deliveries)
        while len(entries) > limits.SEARCH_DELIVERIES:
            self._forget([entries.popleft()])
        self._put(target, entries)

    def of(self, target: Target) -> list[Entry]:
        """What is awaited of a Warehouse."""
        entries = self._entries.get(target)
        return list(entries) if entries is not None else []

    def __contains__(self, target: Target) -> bool:
        return target in self._entries

    def remove(self, target: Target, gone: list[Entry]) -> None:
        """Wait no longer for these."""
        entries = self._entries.pop(target) or deque()
        ended = set(map(id, gone))
        self._forget([each for each in entries if id(each) in ended])
        self._put(target, deque(each for each in entries if id(each) not in ended))

    def overdue(self) -> list[tuple[Target, list[Entry]]]:
        """What Kargo has not acted on for long, by Warehouse."""
        before = self._clock() - limits.SEARCH_PATIENCE
        late = (
            (target, [each for each in entries if each.since < before]) for target, entries in self._entries.items()
        )
        return [(target, entries) for target, entries in late if entries]

    def all(self) -> list[tuple[Target, list[Entry]]]:
        """All that is awaited."""
        return [(target, list(entries)) for target, entries in self._entries.items()]

    def is_awaited(self, delivery: str) -> bool:
        """Whether something that a delivery told of is awaited."""
        return delivery in self._deliveries

    def _put(self, target: Target, entries: deque[Entry]) -> None:
        if entries:
            self._entries.put(target, entries, size=ENTRY * len(entries) + SOUGHT)

    def _forget(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            for delivery in entry.sought.deliveries:
                self._deliveries[delivery] -= 1
                if self._deliveries[delivery] <= 0:
                    del self._deliveries[delivery]
