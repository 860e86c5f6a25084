"""GitLab: pushes, tags and merge requests of projects.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import (
    Authenticated,
    Event,
    Example,
    Home,
    Kind,
    Provider,
    Push,
    Registration,
    WebhookRequest,
)
from receivers.wire import commits, examples, git_hosts
from receivers.wire.authentication import any_of, by_header, chosen, standard_webhooks
from receivers.wire.claims import commits_pushed, ignored, pull_request_closed, shown
from receivers.wire.commits import Commit
from receivers.wire.go_json import Reader

_KINDS = {"Push Hook": "push", "Tag Push Hook": "tag_push", "Merge Request Hook": "merge_request"}
_CLOSING = {"merge", "close"}


class Repository(msgspec.Struct, frozen=True):
    """The older of two descriptions of where something happened."""

    git_http_url: str = ""
    git_ssh_url: str = ""


class Project(msgspec.Struct, frozen=True):
    """The newer one."""

    path_with_namespace: str = ""  # "team/app"
    git_http_url: str = ""
    git_ssh_url: str = ""
    default_branch: str = ""


class Attributes(msgspec.Struct, frozen=True):
    """Of a merge request."""

    action: str = ""
    url: str = ""


class Payload(msgspec.Struct, frozen=True):
    """The fields used of every event. Of the commits twenty are listed at most."""

    object_kind: str = ""
    event_name: str = ""  # of a system hook, which may have this alone
    ref: str = ""
    before: str = ""
    after: str = ""
    commits: list[Commit] = []
    total_commits_count: int = 0
    repository: Repository = Repository()
    project: Project = Project()
    object_attributes: Attributes = Attributes()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """What happened, by the header ``X-Gitlab-Event``; a system hook says it in its body."""
    payload, event = _PAYLOAD.decode(proof.request.body), proof.request.header("x-gitlab-event")
    delivery = _delivery(proof.request)
    kind = (payload.object_kind or payload.event_name) if event == "System Hook" else _KINDS.get(event, "")
    match kind:
        case "push":
            # Of a new branch the commits that it shares with others are not listed.
            there = git_hosts.both_there(payload.before, payload.after)
            whole = there and len(payload.commits) >= payload.total_commits_count > 0
            return [_pushed(payload, commits.changed_files(payload.commits, complete=whole), delivery)]
        case "tag_push":
            return [_pushed(payload, None, delivery)]
        case "merge_request":
            return [_closed(payload, delivery)]
        case _:
            named = kind or event
            reason = f"event {shown(named)} is not supported" if named else "the event has no type"
            return [ignored(reason, payload.project.path_with_namespace)]


def _delivery(request: WebhookRequest) -> str:
    """What stays the same when GitLab posts again; ``X-Gitlab-Event-UUID`` does not."""
    return request.header("idempotency-key") or request.header("webhook-id")


def _pushed(payload: Payload, changed_files: frozenset[str] | None, delivery: str) -> Event:
    repository, project = payload.repository, payload.project
    return commits_pushed(
        repository_urls=(
            repository.git_http_url,
            repository.git_ssh_url,
            project.git_http_url,
            project.git_ssh_url,
        ),
        refs=(payload.ref,),
        changed_files=changed_files,
        default_branch=project.default_branch,
        host=git_hosts.host(project.git_http_url or repository.git_http_url),
        repository=project.path_with_namespace or git_hosts.path(repository.git_http_url),
        commit=git_hosts.commit(payload.after),
        sender_event_id=delivery,
    )


def _closed(payload: Payload, delivery: str) -> Event:
    attributes = payload.object_attributes
    if attributes.action not in _CLOSING:
        reason = f"the merge request was not closed: {shown(attributes.action)}"
        return ignored(reason, payload.project.path_with_namespace)
    return pull_request_closed(url=attributes.url, sender_event_id=delivery)


def example(push: Push, now: datetime) -> Example:
    """What GitLab posts after a push of commits or of a tag."""
    ref, path, host = push.ref or "refs/heads/main", git_hosts.path(push.repository), git_hosts.host(push.repository)
    commit = commits.example(push, now)
    where = {
        "git_http_url": f"{push.repository.removesuffix('.git')}.git",
        "git_ssh_url": f"git@{host}:{path}.git",
    }
    tag = ref.startswith("refs/tags/")
    document = {
        "object_kind": "tag_push" if tag else "push",
        "ref": ref,
        "before": ("0" if tag else "1") * 40,
        "after": commit["id"],
        "project": {"path_with_namespace": path, "default_branch": "main", **where},
        "commits": [commit],
        "total_commits_count": 1,
        "repository": {"name": path.rpartition("/")[2], **where},
    }
    return _example("Tag Push Hook" if tag else "Push Hook", document)


def pull_request(url: str, now: datetime) -> Example:
    """What GitLab posts when the merge request at this URL was merged."""
    attributes = {
        "iid": 7,
        "url": url,
        "action": "merge",
        "state": "merged",
        "updated_at": examples.timestamp(now),
    }
    return _example("Merge Request Hook", {"object_kind": "merge_request", "object_attributes": attributes})


def _example(event: str, document: dict[str, object]) -> Example:
    written = examples.json_example(document, user_agent="GitLab/19.0.0")
    names = {"x-gitlab-event": event, "x-gitlab-event-uuid": str(uuid4()), "idempotency-key": str(uuid4())}
    return Example({**written.headers, **names}, written.body)


_TOKEN = by_header("x-gitlab-token", missing=None, wrong=None)  # Kargo says no word
_SIGNATURE = standard_webhooks()

GITLAB = Provider(
    name="gitlab",
    secret_keys=("secret-token",),
    authentication=chosen(
        "authentication",
        # A secret that a sender signs with is not sent: what knows it proves as much as what sends it.
        among={"token": any_of(_TOKEN, _SIGNATURE), "signature": _SIGNATURE},
        usual="token",
    ),
    parse=parse,
    home=Home(
        repository="https://gitlab.com/team/app",
        kinds=frozenset({Kind.GIT}),
        own=("gitlab.com",),
        elsewhere=frozenset({Kind.GIT}),
    ),
    example=example,
    pull_request=pull_request,
    registration=Registration(
        steps=(
            "In the project or group: Settings, Webhooks, Add new webhook. URL: the URL. Secret token: the Secret's "
            "secret-token. Since GitLab 19 the same text can be the signing token, if it is one of GitLab's own "
            "(whsec_…).",
            "Trigger: Push events; Tag push events; Merge request events, where Promotions wait for them.",
            "GitLab switches a webhook off for a while after four failures in a row. A push of more than three "
            "branches or tags at once sends nothing: it is found when the Warehouse polls.",
        ),
        command=(
            'glab api projects/:id/hooks -f url="$URL" -f token="$SECRET" -F push_events=true '
            "-F tag_push_events=true -F merge_requests_events=true"
        ),
    ),
)
