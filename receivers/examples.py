"""A push to try a receiver with: one that a Warehouse would be refreshed for, if there is any."""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

from receivers.events import Kind, Provider, Push
from receivers.kargo import references
from receivers.kargo.changes import Change
from receivers.kargo.selectors import Selector
from receivers.kargo.selectors.chart import ChartVersions
from receivers.kargo.selectors.image import MutableTag
from receivers.kargo.selectors.tags import SemverTags
from receivers.kargo.subscriptions import Subscription
from receivers.providers import PROVIDERS

IMAGE = "application/vnd.oci.image.index.v1+json"
CHART = "application/vnd.cncf.helm.config.v1+json"
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")


def push(provider: Provider, subscriptions: Iterable[Subscription] = ()) -> Push:
    """A push by this provider that one of the subscriptions wants; without any such, one that looks like it."""
    home = provider.home
    fitting = [each for each in subscriptions if _can_come_from(provider, each)]
    fitting.sort(key=lambda each: not _registry(each).endswith(home.registries))
    for subscription in fitting:
        for tag in _tags(subscription.selector):
            if subscription.selector.decide(Change((tag,))).accepted:
                return _push(subscription.url, tag, subscription.kind)
    return _push(fitting[0].url if fitting else home.repository, "1.2.3", Kind.IMAGE)


def _push(repository: str, tag: str, kind: Kind) -> Push:
    digest = f"sha256:{sha256(f'{repository}:{tag}'.encode(errors='replace')).hexdigest()}"
    return Push(repository=repository, tag=tag, digest=digest, media_type=CHART if kind is Kind.CHART else IMAGE)


def _can_come_from(provider: Provider, subscription: Subscription) -> bool:
    """Some registries have one sender, which tells of nothing else. Nobody tells of classic chart repositories."""
    registry = _registry(subscription)
    alone = {each.home.registries for each in PROVIDERS.values() if each.home.alone}
    theirs = {provider.home.registries} if provider.home.alone else set()
    return bool(registry) and {registry} & alone == theirs


def _registry(subscription: Subscription) -> str:
    """The registry's host; empty for what is in none."""
    if "://" in subscription.url:
        return ""
    try:
        return references.parse(subscription.url).registry
    except references.InvalidReference:
        return ""


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
