"""A push to try a receiver with: one that a Warehouse would be refreshed for, if there is any."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha1, sha256

from receivers.events import Kind, Provider, Push, Receiver
from receivers.kargo import repositories
from receivers.kargo.changes import Change
from receivers.kargo.selectors import Selector
from receivers.kargo.selectors.chart import ChartVersions
from receivers.kargo.selectors.git import Branch, Commits, Tags
from receivers.kargo.selectors.image import MutableTag
from receivers.kargo.selectors.tags import SemverTags
from receivers.kargo.subscriptions import Subscription
from receivers.providers import PROVIDERS

IMAGE = "application/vnd.oci.image.index.v1+json"
CHART = "application/vnd.cncf.helm.config.v1+json"
MAIN = "refs/heads/main"
_NAMES = ("README.md", "main.go", "values.yaml", "src/main.py")  # of changed files
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")


def push(provider: Provider, subscriptions: Iterable[Subscription] = (), *, receiver: Receiver | None = None) -> Push:
    """A push by this provider that one of the subscriptions wants; without any such, one that looks like it.

    One of its own hosts comes before others, and one of Git before images. Where only the receiver's options tell which
    registry a push is of, it is of that one.
    """
    home = provider.home
    registry = receiver.options.get("registry", "") if receiver and "registry" in provider.requires else ""
    if registry:
        home = replace(home, repository=f"{registry}/team/app", registries=registry)
    fitting = [each for each in subscriptions if _can_come_from(provider, each)]
    if registry:
        fitting = [each for each in fitting if each.url.startswith(f"{registry}/")]
    fitting.sort(key=lambda each: (not _registry(each).endswith(home.registries), each.kind is not Kind.GIT))
    for subscription in fitting:
        for found in _pushes(subscription):
            if subscription.selector.decide(_change(found)).accepted:
                return found
    if fitting:
        return next(_pushes(fitting[0]))
    is_git = Kind.GIT in home.kinds and "://" in home.repository  # who tells of both may have a registry for its home
    return _git(home.repository, MAIN) if is_git else _push(home.repository, "1.2.3", Kind.IMAGE)


def artifact() -> Push:
    """A push of an image that is made up."""
    return _push("registry.example.com/team/app", "1.2.3", Kind.IMAGE)


def _pushes(subscription: Subscription) -> Iterator[Push]:
    """Pushes that a subscription may want, the likely ones first."""
    if subscription.kind is Kind.GIT:
        for ref in _refs(subscription.selector):
            yield from (_git(subscription.url, ref, files) for files in _files(subscription.selector))
    else:
        yield from (_push(subscription.url, tag, subscription.kind) for tag in _tags(subscription.selector))


def _change(push: Push) -> Change:
    return Change((push.ref or push.tag,), frozenset(push.changed_files) or None)


def _push(repository: str, tag: str, kind: Kind) -> Push:
    digest = f"sha256:{sha256(f'{repository}:{tag}'.encode(errors='replace')).hexdigest()}"
    return Push(repository=repository, tag=tag, digest=digest, media_type=CHART if kind is Kind.CHART else IMAGE)


def _git(repository: str, ref: str, changed_files: tuple[str, ...] = ()) -> Push:
    commit = sha1(f"{repository} {ref}".encode(errors="replace"), usedforsecurity=False).hexdigest()
    return Push(repository=repository, ref=ref, digest=commit, changed_files=changed_files)


def _refs(selector: Selector) -> Iterator[str]:
    """Refs that the selector of a Git subscription may take."""
    match selector:
        case Commits(refs=Branch(name=name)):
            yield f"refs/heads/{name}" if name else MAIN
        case Commits(refs=Tags(tags=tags)):
            yield from (f"refs/tags/{tag}" for tag in _tags(tags))
        case _:
            yield MAIN


def _files(selector: Selector) -> Iterator[tuple[str, ...]]:
    """Files that it may take; none at last, which are files that the sender does not tell."""
    if isinstance(selector, Commits) and selector.paths:
        include = selector.paths.include
        yield from ((f"{directory}{name}",) for directory in (*include.trees, *include.directories) for name in _NAMES)
    yield from ((name,) for name in _NAMES)
    yield ()


def _can_come_from(provider: Provider, subscription: Subscription) -> bool:
    """Some registries have one sender, which tells of nothing else. Nobody tells of classic chart repositories."""
    registry = _registry(subscription)
    alone = {each.home.registries for each in PROVIDERS.values() if each.home.alone}
    theirs = {provider.home.registries} if provider.home.alone else set()
    return bool(registry) and subscription.kind in provider.home.kinds and {registry} & alone == theirs


def _registry(subscription: Subscription) -> str:
    """Where it is; a classic chart repository is in no registry."""
    if subscription.kind is Kind.CHART and "://" in subscription.url:
        return ""
    return repositories.registry(subscription.kind, subscription.url)


def _tags(selector: Selector) -> Iterator[str]:
    """Tags that the selector may take, the likely ones first."""
    yield "1.2.3"
    match selector:
        case MutableTag(tag):
            yield tag
        case SemverTags(constraint=constraint) | ChartVersions(constraint=constraint):
            yield from _versions_near(constraint)
    yield from ("v1.2.3", "latest", "main", "20250102", "abcdef0")


def _versions_near(constraint: str) -> Iterator[str]:
    for found in _VERSION.findall(constraint):
        major, minor, patch = (*map(int, found.split(".")), 0, 0)[:3]
        yield f"{major}.{minor}.{patch}"
        yield f"{major}.{minor}.{patch + 1}"
