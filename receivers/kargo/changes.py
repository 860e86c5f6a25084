"""What changed in one repository, as its subscriptions see it: by one push or by several together."""

from collections.abc import Iterable
from typing import NamedTuple

from receivers import limits
from receivers.events import Pushed

GUESSED = frozenset({"main", "master"})  # Kargo's guess at a default branch


class Change(NamedTuple):
    """What the pushes of one repository bring. What one of them alone would be accepted for, all of them are."""

    qualifiers: tuple[str, ...] = ()  # each once; none: everything may have changed
    changed_files: frozenset[str] | None = None  # at least one; None: not told, so any file may have changed
    default_branches: frozenset[str] = GUESSED  # any of them may be the one, of a Git repository


def of(event: Pushed) -> Change:
    """What one push brings."""
    return Change(
        _distinct(event.qualifiers),
        event.changed_files or None,
        frozenset({event.default_branch}) if event.default_branch else GUESSED,
    )


def _distinct(qualifiers: tuple[str, ...]) -> tuple[str, ...]:
    if len(qualifiers) == 1 and qualifiers[0]:  # as of nearly every push
        return qualifiers
    return tuple(dict.fromkeys(filter(None, qualifiers)))


def together(changes: Iterable[Change]) -> Change:
    """Many changes as one; at least one."""
    qualifiers: dict[str, None] = {}
    files: set[str] = set()
    branches: set[str] = set()
    whole = unknown = False
    for change in changes:
        qualifiers.update(dict.fromkeys(change.qualifiers))
        files |= change.changed_files or frozenset()
        branches |= change.default_branches
        whole = whole or not change.qualifiers
        unknown = unknown or change.changed_files is None
    told = not unknown and len(files) <= limits.CHANGED_FILES
    return Change(() if whole else tuple(qualifiers), frozenset(files) if told else None, frozenset(branches))
