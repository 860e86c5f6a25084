"""What a sender claims, bounded: whatever a payload says, an event stays small and printable where people read it."""

from collections.abc import Iterable
from itertools import islice

import msgspec

from receivers import limits
from receivers.events import Event, Ignored, Kind, Malformed, PullRequestClosed, Pushed
from receivers.text import clipped, printable, well_formed


def shown(text: str, limit: int = limits.FREE_TEXT) -> str:
    """The text for people: printable and at most ``limit`` characters."""
    return printable(clipped(text, limit))


def artifact_pushed(
    *,
    repository_urls: Iterable[str],
    qualifiers: Iterable[str],
    kinds: tuple[Kind, ...] = (),
    registry_suffix: str = "",
    registry: str = "",
    repository: str = "",
    digest: str = "",
    media_type: str = "",
    sender_event_id: str = "",
) -> Pushed:
    """The event of a push. Empty URLs and qualifiers count as absent.

    What is matched is never clipped: a URL or qualifier that no registry allows raises :class:`Malformed`. With more
    qualifiers than the limit, told once or more often, there are none, which refreshes every subscriber: too much is
    safe, too little is not.
    """
    urls = _matched(islice(filter(None, repository_urls), limits.REPOSITORY_URLS + 1))
    if len(urls) > limits.REPOSITORY_URLS:
        raise Malformed(f"what was pushed has more than {limits.REPOSITORY_URLS} repositories")
    counted = list(islice(filter(None, qualifiers), limits.QUALIFIERS + 1))  # no more is looked at than may count
    tags = _matched(counted)
    return Pushed(
        repository_urls=urls,
        kinds=kinds,
        qualifiers=tags if len(counted) <= limits.QUALIFIERS else (),
        registry_suffix=registry_suffix,
        registry=shown(registry, limits.NAME_SHOWN),
        repository=shown(repository, limits.NAME_SHOWN),
        tag=shown(", ".join(tags[: limits.NAME_SHOWN]), limits.NAME_SHOWN),
        digest=shown(digest, limits.NAME_SHOWN),
        media_type=shown(media_type),
        sender_event_id=_whole(sender_event_id),
    )


def manifest_pushed(
    *,
    registry: str,
    repository: str,
    tag: str,
    kinds: tuple[Kind, ...] = (),
    digest: str = "",
    media_type: str = "",
    sender_event_id: str = "",
) -> Event:
    """The event of a manifest that was put into a repository of a registry: a push if it got a tag.

    For senders that name the tag wherever there is one. Raises :class:`Malformed` as :func:`artifact_pushed`.
    """
    if not registry or not repository:
        return Ignored("the event names no repository")
    if not tags((tag,)):
        return pushed_by_digest(f"{registry}/{repository}")
    return artifact_pushed(
        repository_urls=(f"{registry}/{repository}",),
        qualifiers=(tag,),
        kinds=kinds,
        registry=registry,
        repository=repository,
        digest=digest,
        media_type=media_type,
        sender_event_id=sender_event_id,
    )


def commits_pushed(
    *,
    repository_urls: Iterable[str],
    refs: Iterable[str],
    changed_files: frozenset[str] | None = None,
    default_branch: str = "",
    host: str = "",
    repository: str = "",
    commit: str = "",
    sender_event_id: str = "",
) -> Pushed:
    """The event of a push of Git. ``refs`` are full ones, ``refs/heads/main``; what is empty counts as absent.

    Too many changed files, or one with a longer name than any, count as not told, which filters nothing. Raises
    :class:`Malformed` as :func:`artifact_pushed`.
    """
    event = artifact_pushed(
        repository_urls=repository_urls,
        qualifiers=refs,
        kinds=(Kind.GIT,),
        registry=host,
        repository=repository,
        digest=commit,
        sender_event_id=sender_event_id,
    )
    names = (ref.removeprefix("refs/heads/").removeprefix("refs/tags/") for ref in event.qualifiers)
    return msgspec.structs.replace(
        event,
        changed_files=_bounded(changed_files),
        default_branch=well_formed(default_branch) if len(default_branch) <= limits.NAME else "",
        tag=shown(", ".join(islice(names, limits.NAME_SHOWN)), limits.NAME_SHOWN),
    )


def pull_request_closed(*, url: str, sender_event_id: str = "") -> Event:
    """The event of a pull request that was merged or turned down. Raises :class:`Malformed` for too long a URL."""
    (present,) = _matched((url,)) or ("",)
    if not present:
        return Ignored("the pull request names no URL")
    return PullRequestClosed(url=present, sender_event_id=_whole(sender_event_id))


def tags(claimed: Iterable[str]) -> list[str]:
    """What may be a tag, of what a sender calls so. A colon is in digests, and in no tag.

    Tags: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
    """
    return [each for each in claimed if each and ":" not in each]


def pushed_by_digest(repository: str) -> Ignored:
    """The event of a push that gave nothing a tag: a part of an image for several platforms, a signature, an SBOM.

    Kargo lists tags, of images and of charts in OCI registries alike, so that no subscription can discover it. Only a
    sender that names the tag wherever there is one can tell.
    """
    return ignored(f"{shown(repository)} was pushed by digest alone, and subscriptions discover tags", repository)


def ignored(reason: str, repository: str) -> Ignored:
    """The event of something in a repository that refreshes nothing."""
    return Ignored(reason, shown(repository, limits.NAME_SHOWN))


def member(document: object, name: str) -> str:
    """The text of this name in an object that may be anything; empty where there is none."""
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""


def _whole(event_id: str) -> str:
    """A clipped id could equal another one, and two deliveries would be taken for one."""
    return shown(event_id) if len(event_id) <= limits.FREE_TEXT else ""


def _bounded(files: frozenset[str] | None) -> frozenset[str] | None:
    if files is None or len(files) > limits.CHANGED_FILES or any(len(each) > limits.NAME for each in files):
        return None
    return frozenset(well_formed(each) for each in files)


def _matched(names: Iterable[str]) -> tuple[str, ...]:
    present = tuple(dict.fromkeys(well_formed(name) for name in names if name))
    if any(len(name) > limits.NAME for name in present):
        raise Malformed(f"a repository or tag is longer than {limits.NAME} characters")
    return present
