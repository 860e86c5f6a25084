"""Which rows each project has, and which project has the most."""

from collections.abc import Iterable


class Shares[Key]:
    """Every change and every question costs no more than one project may have."""

    def __init__(self) -> None:
        self._rows: dict[str | None, dict[Key, None]] = {}
        self._sized: dict[int, dict[str | None, None]] = {}  # projects, by how many rows they have

    def __len__(self) -> int:
        """Projects that have any."""
        return len(self._rows)

    def add(self, project: str | None, key: Key) -> None:
        """A project has one more, as its last."""
        rows = self._rows.setdefault(project, {})
        before = len(rows)
        rows[key] = None
        self._resized(project, before)

    def remove(self, project: str | None, key: Key) -> None:
        """A project has it no longer, if it had."""
        rows = self._rows.get(project, {})
        before = len(rows)
        rows.pop(key, None)
        self._resized(project, before)
        if not rows:
            self._rows.pop(project, None)

    def of(self, project: str | None) -> Iterable[Key]:
        """A project's, the last at the end."""
        return self._rows.get(project, {}).keys()

    def count(self, project: str | None) -> int:
        """How many a project has."""
        return len(self._rows.get(project, {}))

    def largest(self) -> str | None:
        """The project that has the most, of several the first that had so many. Ask only where there are rows."""
        return next(iter(self._sized[max(self._sized)]))

    def _resized(self, project: str | None, before: int) -> None:
        now = self.count(project)
        if now == before:
            return
        if before:
            self._sized[before].pop(project)
            if not self._sized[before]:
                del self._sized[before]
        if now:
            self._sized.setdefault(now, {})[project] = None
