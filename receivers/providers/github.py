"""GitHub: pushes and pull requests of repositories, and packages in its container registry.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
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
    Malformed,
    Ping,
    Provider,
    Push,
    Registration,
    WebhookRequest,
)
from receivers.wire import commits, examples, forms, git_hosts, github_family
from receivers.wire.authentication import by_hub_signature, chosen
from receivers.wire.claims import (
    artifact_pushed,
    commits_pushed,
    pushed_by_digest,
    shown,
    tags,
)
from receivers.wire.commits import Commit
from receivers.wire.go_json import INVALID, Reader

MOST_COMMITS = 2_048  # that github.com lists of a push; it does not say whether there are more
MOST_COMMITS_OF_ENTERPRISE = 20  # the same of GitHub Enterprise Server, some versions of it at least
_CONTAINERS = {"container", "docker"}


class PushPayload(msgspec.Struct, frozen=True):
    """``push``."""

    ref: str = ""  # "refs/heads/main"
    before: str = ""
    after: str = ""
    created: bool = False
    deleted: bool = False
    forced: bool = False
    commits: list[Commit] = []
    head_commit: Commit = Commit()
    repository: github_family.Repository = github_family.Repository()


class Tag(msgspec.Struct, frozen=True):
    """The tag that was pushed; without a name it was a push by digest."""

    name: str = ""
    digest: str = ""


class Config(msgspec.Struct, frozen=True):
    """The configuration that a manifest refers to."""

    media_type: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """The manifest that was pushed."""

    media_type: str = ""
    config: Config = Config()


class ContainerMetadata(msgspec.Struct, frozen=True):
    """What GitHub tells of an image or chart."""

    tag: Tag = Tag()
    manifest: Manifest = Manifest()


class PackageVersion(msgspec.Struct, frozen=True):
    """One version of a package."""

    version: str = ""  # of an untagged one its digest
    package_url: str = ""  # "ghcr.io/Team/app:1.2.3"; of an untagged one "ghcr.io/Team/app:"
    container_metadata: ContainerMetadata = ContainerMetadata()


class Package(msgspec.Struct, frozen=True):
    """What was published. GitHub's schema and its samples differ in which of the types says that it is a container."""

    package_type: str = ""
    ecosystem: str = ""
    package_version: PackageVersion | None = None


class PackagePayload(msgspec.Struct, frozen=True):
    """``package`` and ``registry_package``, which tell the same under two names."""

    action: str = ""
    package: Package = Package()
    registry_package: Package = Package()


_PUSH, _PACKAGE = Reader(PushPayload), Reader(PackagePayload)


def parse(proof: Authenticated) -> list[Event]:
    """What happened, by the header ``X-GitHub-Event``."""
    request = proof.request
    body, delivery = forms.payload(request), request.header("x-github-delivery")
    match request.header("x-github-event"):
        case "push":
            return [_pushed(_PUSH.decode(body), delivery, most=_most_commits(request))]
        case "pull_request":
            return [github_family.pull_request(body, delivery)]
        case "package":
            payload = _PACKAGE.decode(body)
            return [_published(payload.action, payload.package, delivery)]
        case "registry_package":
            payload = _PACKAGE.decode(body)
            return [_published(payload.action, payload.registry_package, delivery)]
        case "ping":
            github_family.ANYTHING.decode(body)
            return [Ping()]
        case event:
            return [github_family.other(body, event)]


def _most_commits(request: WebhookRequest) -> int:
    return MOST_COMMITS_OF_ENTERPRISE if request.header("x-github-enterprise-version") else MOST_COMMITS


def _pushed(payload: PushPayload, delivery: str, *, most: int) -> Event:
    # The commits of a new branch, or of one that was forced, are not what changed in its files; a deleted one has none.
    odd = payload.created or payload.deleted or payload.forced
    odd = odd or payload.ref.startswith("refs/tags/") or not payload.commits
    complete = not odd and git_hosts.both_there(payload.before, payload.after) and len(payload.commits) < most
    repository = payload.repository
    return commits_pushed(
        repository_urls=(repository.clone_url, repository.ssh_url),
        refs=(payload.ref,),
        changed_files=commits.changed_files((*payload.commits, payload.head_commit), complete=complete),
        default_branch=repository.default_branch,
        host=git_hosts.host(repository.clone_url),
        repository=repository.full_name,
        commit=git_hosts.commit(payload.after),
        sender_event_id=delivery,
    )


def _published(action: str, package: Package, delivery: str) -> Event:
    if action not in {"published", "updated"}:
        return Ignored(f"action {shown(action)} is not supported")
    if not {package.package_type.lower(), package.ecosystem.lower()} & _CONTAINERS:
        return Ignored(f"packages of type {shown(package.package_type)} are not supported")
    if package.package_version is None:
        raise Malformed(INVALID)
    metadata, tag = package.package_version.container_metadata, package.package_version.container_metadata.tag
    url = package.package_version.package_url.removesuffix(":").removesuffix(f":{tag.name}")
    host, _, repository = url.partition("/")
    named = tags((tag.name,)) or ":" in repository.partition("@")[0]  # the URL may name a tag that the metadata do not
    if not named and ":" in f"{tag.name}{tag.digest}{package.package_version.version}":
        return pushed_by_digest(repository)
    return artifact_pushed(
        repository_urls=(url,),
        qualifiers=(tag.name,),
        registry=host,
        repository=repository,
        digest=tag.digest,
        media_type=metadata.manifest.config.media_type or metadata.manifest.media_type,
        sender_event_id=delivery,
    )


def example(push: Push, now: datetime) -> Example:
    """What GitHub posts after a push of commits, or of an image or chart."""
    if not push.ref and "://" not in push.repository:
        return _package_example(push, now)
    flags = {"created": False, "deleted": False, "forced": False}
    return _example("push", {**github_family.push_example(push, now), **flags, "pusher": {"name": "team"}})


def _package_example(push: Push, now: datetime) -> Example:
    path = push.repository.partition("/")[2]
    manifest = {"digest": push.digest, "media_type": "application/vnd.oci.image.manifest.v1+json"}
    version = {
        "id": int(now.timestamp()),
        "version": push.digest,
        "package_url": f"{push.repository}:{push.tag}",
        "container_metadata": {
            "tag": {"name": push.tag, "digest": push.digest},
            "manifest": {**manifest, "config": {"media_type": push.media_type}},
        },
    }
    package = {
        "name": path.rpartition("/")[2],
        "namespace": path.partition("/")[0],
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "package_version": version,
        "updated_at": examples.timestamp(now),
    }
    return _example("package", {"action": "published", "package": package})


def ping(now: datetime) -> Example:
    """What GitHub posts when a webhook is made, and for *Redeliver*."""
    hook = {"type": "Repository", "events": ["push"], "active": True, "updated_at": examples.timestamp(now)}
    return _example("ping", {"zen": "Keep it logically awesome.", "hook_id": int(now.timestamp()), "hook": hook})


def pull_request(url: str, now: datetime) -> Example:
    """What GitHub posts when the pull request at this URL was merged."""
    return _example("pull_request", github_family.pull_request_example(url, now))


def _example(event: str, document: dict[str, Any]) -> Example:
    written = examples.json_example(document, user_agent="GitHub-Hookshot/044aadd")
    return Example({**written.headers, "x-github-event": event, "x-github-delivery": str(uuid4())}, written.body)


GITHUB = Provider(
    name="github",
    secret_keys=("secret",),
    authentication=chosen(
        "signature",
        among={
            "sha256": by_hub_signature("x-hub-signature-256"),
            "sha1": by_hub_signature("x-hub-signature", algorithms=("sha1",)),
        },
        usual="sha256",
    ),
    parse=parse,
    home=Home(
        repository="https://github.com/team/app",
        kinds=frozenset(Kind),
        own=("github.com", ".ghe.com", "ghcr.io", "docker.pkg.github.com", "containers."),
        elsewhere=frozenset({Kind.GIT}),
    ),
    example=example,
    ping=ping,
    pull_request=pull_request,
    registration=Registration(
        steps=(
            "In the repository or organisation: Settings, Webhooks, Add webhook. Payload URL: the URL. "
            "Content type: application/json. Secret: the Secret's secret.",
            "Choose the events: Pushes; Pull requests, where Promotions wait for them; Packages (or Registry packages) "
            "for images and charts in the container registry.",
            "GitHub waits 10 s for an answer and does not try again by itself; Recent Deliveries has Redeliver.",
        ),
        command=(
            "gh api repos/TEAM/APP/hooks -f name=web -F active=true "
            "-f 'events[]=push' -f 'events[]=pull_request' -f 'events[]=package' "
            '-f "config[url]=$URL" -f "config[content_type]=json" -f "config[secret]=$SECRET"'
        ),
    ),
)
