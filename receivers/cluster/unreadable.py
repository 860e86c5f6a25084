"""The objects of one kind that cannot be read, or not whole: how many, and which."""

from dataclasses import dataclass

from receivers import limits
from receivers.cluster.records import Key
from receivers.text import clipped


@dataclass(frozen=True, slots=True, order=True)
class UnreadableObject:
    """An object by name, and what is wrong with it, for people."""

    namespace: str  # "" of a cluster-scoped one
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Unreadable:
    """Notes of one kind's objects. So many are named; of the others it is known how many there were."""

    def __init__(self) -> None:
        self._reasons: dict[Key, str] = {}
        self._others = 0  # without a name that can be read, or one too many; counted anew by each list

    def __len__(self) -> int:
        return len(self._reasons) + self._others

    def note(self, key: Key | None, reason: str) -> bool:
        """An object cannot be read; ``key`` is None where its name cannot be read either. Whether that is news."""
        if key is not None and (key in self._reasons or len(self._reasons) < limits.UNREADABLE_NAMED):
            is_news = key not in self._reasons
            self._reasons[key] = clipped(reason)
            return is_news
        self._others += 1
        return self._others == 1

    def forget(self, key: Key) -> None:
        """An object can be read now, or is gone."""
        self._reasons.pop(key, None)

    def begin_list(self) -> None:
        """Every object is about to be read, so those that are only counted are counted anew."""
        self._others = 0

    def retain(self, keys: set[Key]) -> None:
        """Forget every object whose key is not among these."""
        for key in [key for key in self._reasons if key not in keys]:
            del self._reasons[key]

    def named(self) -> list[UnreadableObject]:
        """Those that have a name, by namespace and name."""
        return sorted(UnreadableObject(*key, reason) for key, reason in self._reasons.items())
