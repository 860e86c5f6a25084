"""What GitHub and Gitea, which follows it, tell alike."""

from datetime import datetime
from typing import Any

import msgspec

from receivers.events import Event, Push
from receivers.wire import commits, examples, git_hosts
from receivers.wire.claims import ignored, member, pull_request_closed, shown
from receivers.wire.go_json import Reader


class Repository(msgspec.Struct, frozen=True):
    """Where something happened."""

    full_name: str = ""  # "team/app"
    clone_url: str = ""
    ssh_url: str = ""
    default_branch: str = ""


class Anything(msgspec.Struct, frozen=True):
    """A payload of which nothing is used, but to tell where it happened."""

    repository: Any = None


class PullRequest(msgspec.Struct, frozen=True):
    """One pull request."""

    html_url: str = ""


class PullRequestPayload(msgspec.Struct, frozen=True):
    """``pull_request``."""

    action: str = ""
    pull_request: PullRequest = PullRequest()
    repository: Any = None  # to tell


ANYTHING = Reader(Anything)
_PULL_REQUEST = Reader(PullRequestPayload)


def pull_request(body: bytes, delivery: str) -> Event:
    """What the event ``pull_request`` means: merged or not, only one that was closed is waited for."""
    payload = _PULL_REQUEST.decode(body)
    if payload.action != "closed":
        return ignored(
            f"the pull request was not closed: {shown(payload.action)}", member(payload.repository, "full_name")
        )
    return pull_request_closed(url=payload.pull_request.html_url, sender_event_id=delivery)


def other(body: bytes, event: str) -> Event:
    """What any other event means."""
    return nothing_new(body, f"event {shown(event)} is not supported" if event else "the event has no type")


def nothing_new(body: bytes, reason: str) -> Event:
    """What an event means that refreshes nothing."""
    return ignored(reason, member(ANYTHING.decode(body).repository, "full_name"))


def push_example(push: Push, now: datetime) -> dict[str, object]:
    """The payload of a push of one commit."""
    commit = commits.example(push, now)
    path = git_hosts.path(push.repository)
    repository = {
        "full_name": path,
        "clone_url": f"{push.repository.removesuffix('.git')}.git",
        "ssh_url": f"git@{git_hosts.host(push.repository)}:{path}.git",
        "default_branch": "main",
    }
    return {
        "ref": push.ref or "refs/heads/main",
        "before": "1" * 40,
        "after": commit["id"],
        "commits": [commit],
        "head_commit": commit,
        "repository": repository,
    }


def pull_request_example(url: str, now: datetime) -> dict[str, object]:
    """The payload when the pull request at this URL was merged."""
    closed = {"html_url": url, "state": "closed", "merged": True, "merged_at": examples.timestamp(now)}
    return {"action": "closed", "number": 7, "pull_request": closed}
