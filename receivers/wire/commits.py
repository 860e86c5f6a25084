"""What Git hosts tell of the commits of a push."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import Push
from receivers.wire import examples

_CUT = 3_000  # files of one commit, of which GitHub tells no more: https://docs.github.com/rest/commits/commits


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
    told = list(commits)
    if not complete or any(len(each.added) + len(each.modified) + len(each.removed) >= _CUT for each in told):
        return None
    return frozenset(file for each in told for file in (*each.added, *each.modified, *each.removed)) or None


def example(push: Push, now: datetime) -> dict[str, object]:
    """The one commit of a push, as these hosts describe it."""
    return {
        "id": push.digest or uuid4().hex,
        "message": "Change what is deployed\n",
        "timestamp": examples.timestamp(now),
        "added": [],
        "modified": list(push.changed_files),
        "removed": [],
    }
