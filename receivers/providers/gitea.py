"""Gitea and Forgejo: pushes and pull requests of repositories, and packages in their registry.

Gitea: https://docs.gitea.com/usage/webhooks. Forgejo: https://forgejo.org/docs/latest/user/webhooks/
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers.events import (
    Authenticated,
    Event,
    Example,
    Home,
    Ignored,
    Kind,
    Provider,
    Push,
    Registration,
    WebhookRequest,
)
from receivers.wire import commits, examples, forms, git_hosts, github_family
from receivers.wire.authentication import by_header, by_hub_signature, chosen
from receivers.wire.claims import artifact_pushed, commits_pushed, pushed_by_digest, shown, tags
from receivers.wire.commits import Commit
from receivers.wire.go_json import Reader


class PushPayload(msgspec.Struct, frozen=True):
    """``push``. Of the commits five are listed by default, fifteen at Forgejo."""

    ref: str = ""  # "refs/heads/main"
    before: str = ""
    after: str = ""
    commits: list[Commit] = []
    total_commits: int = 0
    repository: github_family.Repository = github_family.Repository()


class Owner(msgspec.Struct, frozen=True):
    """A user or an organisation."""

    login: str = ""


class Package(msgspec.Struct, frozen=True):
    """What was published."""

    type: str = ""
    owner: Owner = Owner()
    name: str = ""  # "app", "charts/app"
    version: str = ""  # the tag; of a push by digest the digest
    html_url: str = ""  # "https://git.example.com/team/-/packages/container/app/1.2.3"


class PackagePayload(msgspec.Struct, frozen=True):
    """``package``."""

    action: str = ""
    package: Package = Package()


_PUSH, _PACKAGE = Reader(PushPayload), Reader(PackagePayload)


def parse(proof: Authenticated) -> list[Event]:
    """What happened, by the header ``X-Gitea-Event``, which Forgejo sends too."""
    body = forms.payload(proof.request)
    event = _header(proof.request, "event")
    delivery = _header(proof.request, "delivery")
    match event:
        case "push":
            return [_pushed(_PUSH.decode(body), delivery)]
        case "pull_request":
            return [github_family.pull_request(body, delivery)]
        case "package":
            return [_published(_PACKAGE.decode(body), delivery)]
        case "create":
            return [github_family.nothing_new(body, "a push tells the same as the event create")]
        case "delete":
            return [github_family.nothing_new(body, "the event delete tells of nothing new")]
        case _:
            return [github_family.other(body, event)]


def _header(request: WebhookRequest, name: str) -> str:
    return request.header(f"x-gitea-{name}") or request.header(f"x-forgejo-{name}")


def _pushed(payload: PushPayload, delivery: str) -> Event:
    # Of a new branch the latest commits are listed, not those that differ from another one.
    whole = git_hosts.both_there(payload.before, payload.after) and len(payload.commits) >= payload.total_commits > 0
    repository = payload.repository
    return commits_pushed(
        repository_urls=(repository.clone_url, repository.ssh_url),
        refs=(payload.ref,),
        changed_files=commits.changed_files(payload.commits, complete=whole),
        default_branch=repository.default_branch,
        host=git_hosts.host(repository.clone_url),
        repository=repository.full_name,
        commit=git_hosts.commit(payload.after),
        sender_event_id=delivery,
    )


def _published(payload: PackagePayload, delivery: str) -> Event:
    package = payload.package
    if payload.action != "created":
        return Ignored(f"action {shown(payload.action)} is not supported")
    match package.type:
        case "container":  # a chart in its OCI registry is one too
            return _container(package, delivery)
        case "helm":
            return _classic_chart(package, delivery)
        case other:
            return Ignored(f"packages of type {shown(other)} are not supported")


def _container(package: Package, delivery: str) -> Event:
    host, repository = git_hosts.host(package.html_url), f"{package.owner.login}/{package.name}"
    if package.version and not tags((package.version,)):
        return pushed_by_digest(repository)
    return artifact_pushed(
        repository_urls=(f"{host}/{repository}" if host and package.name else "",),
        kinds=(Kind.IMAGE, Kind.CHART),
        qualifiers=(package.version,),
        registry=host,
        repository=repository,
        sender_event_id=delivery,
    )


def _classic_chart(package: Package, delivery: str) -> Event:
    """The owner's chart repository: https://docs.gitea.com/usage/packages/helm."""
    owner = package.owner.login
    instance, found, _ = package.html_url.partition(f"/{owner}/-/packages/")
    return artifact_pushed(
        repository_urls=(f"{instance}/api/packages/{owner}/helm" if found else "",),
        kinds=(Kind.CHART,),
        qualifiers=(package.version,),
        registry=git_hosts.host(package.html_url),
        repository=f"{owner}/{package.name}",
        sender_event_id=delivery,
    )


def example(push: Push, now: datetime) -> Example:
    """What Gitea posts after a push of commits, or of an image or chart."""
    if not push.ref and "://" not in push.repository:
        return _package_example(push, now)
    return _example("push", {**github_family.push_example(push, now), "total_commits": 1, "pusher": {"login": "team"}})


def _package_example(push: Push, now: datetime) -> Example:
    host, _, path = push.repository.partition("/")
    owner, _, name = path.partition("/")
    version = push.tag or push.digest
    package = {
        "type": "container",
        "owner": {"login": owner},
        "name": name,
        "version": version,
        "html_url": f"https://{host}/{owner}/-/packages/container/{name.replace('/', '%2F')}/{version}",
        "created_at": examples.timestamp(now),
    }
    return _example("package", {"action": "created", "repository": None, "package": package})


def pull_request(url: str, now: datetime) -> Example:
    """What Gitea posts when the pull request at this URL was merged."""
    return _example("pull_request", github_family.pull_request_example(url, now))


def _example(event: str, document: dict[str, Any]) -> Example:
    delivery = str(uuid4())
    written = examples.json_example(document, user_agent="Go-http-client/1.1")
    names = {"x-gitea-event": event, "x-gitea-event-type": event, "x-gitea-delivery": delivery}
    return Example({**written.headers, **names, "x-github-event": event}, written.body)


# Of a form, too, the JSON in it is signed.
_SIGNATURE = chosen(
    "signature",
    among={
        "sha256": by_hub_signature("x-hub-signature-256", signed=forms.payload),
        "sha1": by_hub_signature("x-hub-signature", algorithms=("sha1",), signed=forms.payload),
    },
    usual="sha256",
)

GITEA = Provider(
    name="gitea",
    secret_keys=("secret",),
    authentication=chosen(
        "authentication",
        among={"signature": _SIGNATURE, "header": by_header("authorization", missing="missing authorization")},
        usual="signature",
    ),
    parse=parse,
    home=Home(
        repository="https://git.example.com/team/app",
        kinds=frozenset(Kind),
        own=("gitea.com", "codeberg.org"),
        elsewhere=frozenset(Kind),
        charts=True,
    ),
    example=example,
    pull_request=pull_request,
    registration=Registration(
        steps=(
            "In the repository or organisation: Settings, Webhooks, Add Webhook, Gitea (or Forgejo). Target URL: the "
            "URL. HTTP Method: POST. POST Content Type: either one. Secret: the Secret's secret.",
            "Trigger On, Custom Events: Push; Pull Request, where Promotions wait for them; Package for images and "
            "charts in its registry, of which a webhook of the organisation hears all.",
            "Gitea waits 5 s for an answer and does not try again. It posts to public addresses alone unless "
            "ALLOWED_HOST_LIST in its configuration names the receiver's host.",
        ),
    ),
)
