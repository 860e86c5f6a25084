"""Where something was pushed, as far as an event tells, in the spelling of the index."""

from typing import NamedTuple

from receivers.events import Kind, Pushed
from receivers.kargo import aliases, media_types, references, urls


class Repository(NamedTuple):
    """What an event's URLs may stand for. Events with equal ones concern the same subscriptions."""

    urls: tuple[str, ...]  # keys of the index; none for a push without a host
    chart_paths: tuple[str, ...] = ()  # of such a push, which is a chart's for certain
    registry_suffix: str = ""  # of the registries in which these paths may be


def of(event: Pushed) -> Repository:
    """Read an event. Images and charts share one index, as in Kargo."""
    if event.registry_suffix:
        paths = {path.strip("/").lower() for path in event.repository_urls}
        return Repository((), tuple(sorted(paths)), event.registry_suffix.lower())
    kinds = event.kinds or media_types.kinds(event.media_type)
    normalised = {aliases.canonical(urls.normalise(kind, url)) for kind in kinds for url in event.repository_urls}
    return Repository(tuple(sorted(normalised - {""})))


def registry(kind: Kind, url: str) -> str:
    """The host of the registry, or of Git, that a subscription's normalised URL is in; empty for what is in none.

    A registry's has its port, if there is one. Of a classic chart repository it is that of its URL.
    """
    if "://" in url:
        address = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
        return address.partition(":")[0] if kind is Kind.GIT else address
    try:
        return "" if kind is Kind.GIT else references.parse(url).registry
    except references.InvalidReference:
        return ""


def host(url: str) -> str:
    """The host of a normalised URL, without its port."""
    return _address(url).partition("/")[0].partition(":")[0]


def path(url: str) -> str:
    """The path of a normalised URL, without slashes around it."""
    return _address(url).partition("/")[2].strip("/")


def _address(url: str) -> str:
    return url.removeprefix("https://").removeprefix("http://")
