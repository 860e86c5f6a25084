"""What Git hosts tell of the commits of a push."""

from collections.abc import Iterable

import msgspec


class Commit(msgspec.Struct, frozen=True):
    """One commit, as GitHub, GitLab and Gitea describe it."""

    added: list[str] = []
    modified: list[str] = []
    removed: list[str] = []


def changed_files(commits: Iterable[Commit], *, complete: bool) -> frozenset[str] | None:
    """Every file that a commit names; None where commits were left out, or none names a file.

    A push without a file is a new branch or tag, or commits that the host does not describe: neither tells that nothing
    changed.
    """
    if not complete:
        return None
    return frozenset(file for each in commits for file in (*each.added, *each.modified, *each.removed)) or None
