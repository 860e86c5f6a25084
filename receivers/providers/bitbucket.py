"""Bitbucket Cloud and Data Center: pushes and pull requests of repositories.

Cloud: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/.
Data Center: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Kind, Ping, Provider, Push, Registration
from receivers.wire import examples, git_hosts
from receivers.wire.authentication import by_hub_signature, chosen
from receivers.wire.claims import commits_pushed, ignored, member, pull_request_closed, shown
from receivers.wire.go_json import Reader

_CLOUD = "bitbucket.org"


class Link(msgspec.Struct, frozen=True):
    """One link."""

    href: str = ""


class CloudLinks(msgspec.Struct, frozen=True):
    """Of a repository, or of a pull request."""

    html: Link = Link()  # its page


class CloudRepository(msgspec.Struct, frozen=True):
    """Where something happened."""

    full_name: str = ""  # "team/app"
    links: CloudLinks = CloudLinks()


class Commit(msgspec.Struct, frozen=True):
    """What a branch or tag points to."""

    hash: str = ""


class Reference(msgspec.Struct, frozen=True):
    """A branch or tag, before or after a push."""

    type: str = ""  # "branch", "tag", "named_branch", "bookmark"
    name: str = ""  # "main"
    target: Commit = Commit()

    @property
    def ref(self) -> str:
        """In full; empty without a name."""
        return f"refs/{'tags' if self.type == 'tag' else 'heads'}/{self.name}" if self.name else ""


class CloudChange(msgspec.Struct, frozen=True):
    """What a push did to one branch or tag."""

    new: Reference = Reference()  # null when it was deleted
    old: Reference = Reference()  # null when it was made


class CloudChanges(msgspec.Struct, frozen=True):
    """What a push did."""

    changes: list[CloudChange] = []


class CloudPush(msgspec.Struct, frozen=True):
    """``repo:push``."""

    push: CloudChanges = CloudChanges()
    repository: CloudRepository = CloudRepository()


class CloudPullRequest(msgspec.Struct, frozen=True):
    """One pull request."""

    links: CloudLinks = CloudLinks()


class CloudPullRequestEvent(msgspec.Struct, frozen=True):
    """``pullrequest:fulfilled`` and its like."""

    pullrequest: CloudPullRequest = CloudPullRequest()


class CenterLinks(msgspec.Struct, frozen=True):
    """Of a repository, or of a pull request."""

    clone: list[Link] = []  # by HTTP and by SSH
    self: list[Link] = []  # its page


class Project(msgspec.Struct, frozen=True):
    """What a repository is in."""

    key: str = ""


class CenterRepository(msgspec.Struct, frozen=True):
    """Where something happened."""

    slug: str = ""
    project: Project = Project()
    links: CenterLinks = CenterLinks()


class CenterReference(msgspec.Struct, frozen=True):
    """A branch or tag."""

    id: str = ""  # "refs/heads/main"


class CenterChange(msgspec.Struct, frozen=True, rename="camel"):
    """What a push did to one branch or tag."""

    ref: CenterReference = CenterReference()
    to_hash: str = ""


class CenterPush(msgspec.Struct, frozen=True):
    """``repo:refs_changed``."""

    changes: list[CenterChange] = []
    repository: CenterRepository = CenterRepository()


class CenterPullRequest(msgspec.Struct, frozen=True):
    """One pull request."""

    links: CenterLinks = CenterLinks()


class CenterPullRequestEvent(msgspec.Struct, frozen=True, rename="camel"):
    """``pr:merged`` and its like."""

    pull_request: CenterPullRequest = CenterPullRequest()


class Anything(msgspec.Struct, frozen=True):
    """A payload of which nothing is used, but to tell where it happened."""

    repository: Any = None


_CLOUD_PUSH, _CLOUD_PULL_REQUEST = Reader(CloudPush), Reader(CloudPullRequestEvent)
_CENTER_PUSH, _CENTER_PULL_REQUEST = Reader(CenterPush), Reader(CenterPullRequestEvent)
_ANYTHING = Reader(Anything)


def parse(proof: Authenticated) -> list[Event]:
    """What happened, by the header ``X-Event-Key``. No event lists the files of its commits."""
    request = proof.request
    body, event = request.body, request.header("x-event-key")
    delivery = request.header("x-request-uuid") or request.header("x-request-id")
    match event:
        case "repo:push":
            return [_pushed_to_cloud(_CLOUD_PUSH.decode(body), delivery)]
        case "repo:refs_changed":
            return [_pushed_to_center(_CENTER_PUSH.decode(body), delivery)]
        case "pullrequest:fulfilled" | "pullrequest:rejected":
            page = _CLOUD_PULL_REQUEST.decode(body).pullrequest.links.html
            return [pull_request_closed(url=page.href, sender_event_id=delivery)]
        case "pr:merged" | "pr:declined" | "pr:deleted":
            pages = _CENTER_PULL_REQUEST.decode(body).pull_request.links.self
            return [pull_request_closed(url=pages[0].href if pages else "", sender_event_id=delivery)]
        case "diagnostics:ping":
            _ANYTHING.decode(body)
            return [Ping()]
        case _:
            repository = member(_ANYTHING.decode(body).repository, "full_name")
            return [ignored(f"event {shown(event)} is not supported" if event else "the event has no type", repository)]


def _pushed_to_cloud(payload: CloudPush, delivery: str) -> Event:
    """A push that only deletes concerns those who subscribe to what it deleted."""
    url, changes = payload.repository.links.html.href, payload.push.changes
    host, path = git_hosts.host(url), git_hosts.path(url)
    return commits_pushed(
        repository_urls=(url, f"git@{host}:{path}.git" if path else ""),
        refs=[each.new.ref or each.old.ref for each in changes],
        host=host,
        repository=payload.repository.full_name or path,
        commit=next((each.new.target.hash for each in changes if each.new.target.hash), ""),
        sender_event_id=delivery,
    )


def _pushed_to_center(payload: CenterPush, delivery: str) -> Event:
    repository, urls = payload.repository, [each.href for each in payload.repository.links.clone]
    hashes = (git_hosts.commit(each.to_hash) for each in payload.changes)
    return commits_pushed(
        repository_urls=urls,
        refs=[each.ref.id for each in payload.changes],
        host=next(filter(None, map(git_hosts.host, urls)), ""),
        repository="/".join(filter(None, (repository.project.key, repository.slug))),
        commit=next(filter(None, hashes), ""),
        sender_event_id=delivery,
    )


def example(push: Push, now: datetime) -> Example:
    """What Bitbucket Cloud posts after a push."""
    ref, path = push.ref or "refs/heads/main", git_hosts.path(push.repository)
    kind, _, name = ref.removeprefix("refs/").partition("/")
    target = {"type": "commit", "hash": push.digest or uuid4().hex, "date": examples.timestamp(now)}
    reference = {"type": "tag" if kind == "tags" else "branch", "name": name, "target": target}
    change = {"new": reference, "old": None, "created": False, "closed": False, "forced": False, "truncated": False}
    document = {
        "push": {"changes": [change]},
        "repository": {
            "type": "repository",
            "full_name": path,
            "name": path.rpartition("/")[2],
            "links": {"html": {"href": push.repository.removesuffix(".git")}},
        },
    }
    return _cloud("repo:push", document)


def pull_request(url: str, now: datetime) -> Example:
    """What Bitbucket Cloud or, elsewhere than at bitbucket.org, Data Center posts when a pull request was merged."""
    if git_hosts.host(url) == _CLOUD:
        merged = {"id": 7, "state": "MERGED", "updated_on": examples.timestamp(now), "links": {"html": {"href": url}}}
        return _cloud("pullrequest:fulfilled", {"pullrequest": merged})
    closed = {"id": 7, "state": "MERGED", "open": False, "closedDate": int(now.timestamp() * 1000)}
    return _center(
        "pr:merged", {"eventKey": "pr:merged", "pullRequest": {**closed, "links": {"self": [{"href": url}]}}}
    )


def ping(now: datetime) -> Example:  # noqa: ARG001 - a test has no time
    """What Data Center posts for *Test connection*; Cloud has no such thing."""
    return _center("diagnostics:ping", {"test": True})


def _cloud(event: str, document: dict[str, object]) -> Example:
    written = examples.json_example(document, user_agent="Bitbucket-Webhooks/2.0")
    names = {"x-event-key": event, "x-request-uuid": str(uuid4()), "x-attempt-number": "1"}
    return Example({**written.headers, **names}, written.body)


def _center(event: str, document: dict[str, object]) -> Example:
    written = examples.json_example(document, user_agent="Atlassian HttpClient")
    return Example({**written.headers, "x-event-key": event, "x-request-id": str(uuid4())}, written.body)


BITBUCKET = Provider(
    name="bitbucket",
    secret_keys=("secret",),
    authentication=chosen(
        "signature",
        among={
            "sha256": by_hub_signature("x-hub-signature"),
            "sha1": by_hub_signature("x-hub-signature", algorithms=("sha1",)),
        },
        usual="sha256",
    ),
    parse=parse,
    home=Home(
        repository="https://bitbucket.org/team/app",
        kinds=frozenset({Kind.GIT}),
        own=("bitbucket.org",),
        elsewhere=frozenset({Kind.GIT}),
    ),
    example=example,
    ping=ping,
    pull_request=pull_request,
    registration=Registration(
        steps=(
            "Cloud: Repository settings, Webhooks, Add webhook. URL: the URL. Secret: the Secret's secret. Triggers: "
            "Repository push; Pull request merged and declined, where Promotions wait for them.",
            "Data Center: Repository settings (or the project's), Webhooks, Create webhook. URL and Secret as above. "
            "Events: Repository push; Pull request merged, declined and deleted. Test connection gets a success.",
            "Cloud tries again twice where it got no answer within 10 s, or a failure of the server. A payload of more "
            "than 256 KB is not sent at all: it is found when the Warehouse polls.",
        ),
    ),
)
