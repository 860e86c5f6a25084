"""Which rows each project has, which of them is the oldest, and which project has the most."""


class Shares[Key]:
    """Every change and every question costs no more than one project may have."""

    def __init__(self) -> None:
        self._rows: dict[str | None, dict[Key, float]] = {}  # of when each is
        self._sized: dict[int, dict[str | None, None]] = {}  # projects, by how many rows they have

    def __len__(self) -> int:
        """Projects that have any."""
        return len(self._rows)

    def add(self, project: str | None, key: Key, at: float) -> None:
        """A project has one more, of some time."""
        rows = self._rows.setdefault(project, {})
        before = len(rows)
        rows[key] = at
        self._resized(project, before)

    def remove(self, project: str | None, key: Key) -> None:
        """A project has it no longer, if it had."""
        rows = self._rows.get(project, {})
        before = len(rows)
        rows.pop(key, None)
        self._resized(project, before)
        if not rows:
            self._rows.pop(project, None)

    def oldest(self, project: str | None) -> Key:
        """A project's oldest one, of several the first that was added. Ask only where it has any."""
        rows = self._rows[project]
        return min(rows, key=rows.__getitem__)

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
