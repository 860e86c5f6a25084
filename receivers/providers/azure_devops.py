"""Azure DevOps: pushes and closed pull requests of Azure Repos, one object each, by its service hooks.

Events: https://learn.microsoft.com/azure/devops/service-hooks/events
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers import go_url
from receivers.events import Event, Example, Ignored, Push
from receivers.wire import examples, git_hosts
from receivers.wire.claims import commits_pushed, ignored, pull_request_closed, shown
from receivers.wire.go_json import Json, Reader, member_names, text_at

STEP = (
    "Azure DevOps, once for each event: Project settings, Service hooks, Create subscription, Web Hooks. Event: Code "
    "pushed, Pull request merge attempted, or Pull request updated with Change: Status changed. URL: the URL. Resource "
    "details to send: All."
)
HOSTS = ("dev.azure.com", "ssh.dev.azure.com", ".visualstudio.com")  # of Azure DevOps in the cloud

_BRANCHES = "refs/heads/"
_CLOSED = {"completed", "abandoned"}
_NO_DETAILS = 'the event lacks details: set "Resource details to send" of its service hook to All'
_USER_AGENT = "VSServices/19.0"  # Kargo's own server goes by it

# A repository of Azure DevOps Services. No project can be called DefaultCollection:
# https://learn.microsoft.com/azure/devops/organizations/settings/naming-restrictions
_PROJECT = r"(?:/DefaultCollection)?(?:/(?P<project>[^/?#]+))?"
_CLOUD = re.compile(
    r"https://(?:dev\.azure\.com/(?P<new>[^/?#]+)|(?P<old>[^/?#.]+)\.visualstudio\.com)"
    rf"{_PROJECT}/_git/(?P<repository>[^/?#]+)/?",
    re.IGNORECASE,
)
_USER = re.compile(r"\A(https?://)[^/?#]*@", re.IGNORECASE)
_SSH = re.compile(
    r"(?:ssh://)?[^/@]+@(?:ssh\.dev\.azure\.com|vs-ssh\.visualstudio\.com)[:/]v3/([^/]+)/([^/]+)/([^/]+)/?",
    re.IGNORECASE,
)


class RefUpdate(msgspec.Struct, rename="camel", frozen=True):
    """One branch or tag that a push moved."""

    name: str = ""  # "refs/heads/main"
    new_object_id: str = ""  # zeros when it was deleted


class Repository(msgspec.Struct, rename="camel", frozen=True):
    """Where it was pushed to."""

    remote_url: str = ""  # "https://example@dev.azure.com/example/My%20Project/_git/app"
    ssh_url: str = ""  # rarely there
    default_branch: str = ""  # "refs/heads/main"


class Pushed(msgspec.Struct, rename="camel", frozen=True):
    """The resource of a push."""

    ref_updates: list[RefUpdate] = []
    repository: Repository = Repository()


class Link(msgspec.Struct, frozen=True):
    """One link."""

    href: str = ""


class Links(msgspec.Struct, frozen=True):
    """The links of a pull request."""

    web: Link = Link()  # its page; not in the events that try a service hook out


class PullRequest(msgspec.Struct, frozen=True):
    """The resource of an event of a pull request."""

    status: str = ""  # "active", "completed", "abandoned"
    url: str = ""  # in the API
    links: Links = msgspec.field(name="_links", default=Links())


class Envelope(msgspec.Struct, rename="camel", frozen=True):
    """What every event has."""

    id: str = ""  # stays the same when it is sent again
    event_type: str = ""


class PushEvent(msgspec.Struct, frozen=True):
    """The event of a push. Its resource is null where the service hook sends no details."""

    resource: Pushed = Pushed()


class PullRequestEvent(msgspec.Struct, frozen=True):
    """The event of a pull request."""

    resource: PullRequest = PullRequest()


_ENVELOPE, _PUSH, _PULL_REQUEST = Reader(Envelope), Reader(PushEvent), Reader(PullRequestEvent)


def is_event(document: Json) -> bool:
    """Whether this is an event of a service hook. Event Grid's has an ``eventType``, too, and none of the others."""
    return len(member_names(document) & {"eventtype", "publisherid", "resource"}) > 1


def events(document: Json) -> list[Event]:
    """What an event means. Of a pull request there may be two: it is told by each of its URLs."""
    envelope = _ENVELOPE.fit(document)
    match envelope.event_type:
        case "git.push":
            return [_pushed(_PUSH.fit(document).resource, event_id=envelope.id)]
        case "git.pullrequest.merged":
            # It is raised for each attempt to merge, too; a Promotion that waits for the pull request looks for itself.
            return _closed(_PULL_REQUEST.fit(document).resource, event_id=envelope.id)
        case "git.pullrequest.updated":
            return _updated(_PULL_REQUEST.fit(document).resource, _named(document), event_id=envelope.id)
        case "":
            return [Ignored("the event has no type")]
        case event_type:
            return [ignored(f"event {shown(event_type)} is not supported", _named(document))]


def _named(document: Json) -> str:
    """The repository that an event of any kind is about, for people."""
    return text_at(document, "resource", "repository", "name")


def _pushed(push: Pushed, *, event_id: str) -> Event:
    """No event lists the files of its commits."""
    repository = push.repository
    url = _USER.sub(r"\1", repository.remote_url)  # whoever it names plays no part in what is matched
    if not url:
        return Ignored(_NO_DETAILS)
    host, path = _place(url)
    commits = filter(None, (git_hosts.commit(each.new_object_id) for each in push.ref_updates))
    return commits_pushed(
        repository_urls=(url, repository.ssh_url, *_spellings(url)),
        refs=[each.name for each in push.ref_updates],
        default_branch=repository.default_branch.removeprefix(_BRANCHES),
        host=host,
        repository=path,
        commit=next(commits, ""),
        sender_event_id=event_id,
    )


def _spellings(url: str) -> Iterator[str]:
    """The URLs by which Azure DevOps Services serves one repository, whichever of them this is.

    An organisation has a new and an older URL, and both go on working; an event has the one that its administrator
    chose: https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls. A repository with its project's name
    can be reached without the project, as the documented event of a push does. Both ways of SSH:
    https://learn.microsoft.com/azure/devops/repos/git/use-ssh-keys-to-authenticate
    """
    found = _CLOUD.fullmatch(url)
    if found is None:
        return
    organisation, repository = found["new"] or found["old"], found["repository"]
    project = found["project"] or repository
    for path in (f"{project}/", "") if project.casefold() == repository.casefold() else (f"{project}/",):
        yield f"https://dev.azure.com/{organisation}/{path}_git/{repository}"
        yield f"https://{organisation}.visualstudio.com/{path}_git/{repository}"
        yield f"https://{organisation}.visualstudio.com/DefaultCollection/{path}_git/{repository}"
    yield f"git@ssh.dev.azure.com:v3/{organisation}/{project}/{repository}"
    yield f"{organisation}@vs-ssh.visualstudio.com:v3/{organisation}/{project}/{repository}"


def _place(url: str) -> tuple[str, str]:
    """Host and path, for people."""
    try:
        parsed = go_url.parse(url)
    except go_url.InvalidUrl:
        return "", ""
    return parsed.host.decode(errors="replace"), parsed.path.decode(errors="replace").strip("/").replace("_git/", "")


def _updated(pull_request: PullRequest, repository: str, *, event_id: str) -> list[Event]:
    if not pull_request.status:
        return [Ignored(_NO_DETAILS)]
    if pull_request.status not in _CLOSED:
        return [ignored("the pull request is still open", repository)]
    return _closed(pull_request, event_id=event_id)


def _closed(pull_request: PullRequest, *, event_id: str) -> list[Event]:
    """By the URL of its page, and by that in the API, which Kargo's Promotions have had.

    https://github.com/akuity/kargo/issues/6224
    """
    urls = dict.fromkeys(filter(None, (pull_request.links.web.href, pull_request.url)))
    if not urls:
        return [Ignored(_NO_DETAILS)]
    return [pull_request_closed(url=url, sender_event_id=event_id) for url in urls]


def example(push: Push, now: datetime) -> Example:
    """What Azure DevOps posts after a push of Git."""
    url, commit = _https(push.repository), push.digest or _object_id()
    return _example(
        "git.push",
        now,
        text="somebody pushed updates",
        resource={
            "commits": [{"commitId": commit, "comment": "Try a receiver"}],
            "refUpdates": [{"name": push.ref, "oldObjectId": _object_id(), "newObjectId": commit}],
            "repository": {
                "id": str(uuid4()),
                "name": url.rstrip("/").rpartition("/")[2],
                "defaultBranch": f"{_BRANCHES}main",
                "remoteUrl": url,
            },
            "pushId": 14,
            "date": examples.timestamp(now),
        },
    )


def pull_request(url: str, now: datetime) -> Example:
    """What it posts when the pull request at a URL was merged, but for its URL in the API, which cannot be known."""
    resource = {
        "pullRequestId": 1,
        "status": "completed",
        "mergeStatus": "succeeded",
        "closedDate": examples.timestamp(now),
        "_links": {"web": {"href": url}},
    }
    return _example("git.pullrequest.merged", now, text="somebody completed the pull request", resource=resource)


def _example(event_type: str, now: datetime, *, text: str, resource: dict[str, Any]) -> Example:
    document = {
        "subscriptionId": str(uuid4()),
        "notificationId": 1,
        "id": str(uuid4()),
        "eventType": event_type,
        "publisherId": "tfs",
        "message": {"text": text},
        "resource": resource,
        "resourceVersion": "1.0",
        "createdDate": examples.timestamp(now),
    }
    return examples.json_example(document, user_agent=_USER_AGENT)


def _https(url: str) -> str:
    """The URL that an event has, for one of SSH."""
    found = _SSH.fullmatch(url)
    return found.expand(r"https://dev.azure.com/\1/\2/_git/\3") if found else url


def _object_id() -> str:
    return uuid4().hex + "00000000"
