"""What a sender claims, bounded: whatever a payload says, an event stays small and printable where people read it."""

from collections.abc import Iterable
from itertools import islice

from receivers import limits
from receivers.events import ArtifactPushed, Ignored, Kind, Malformed
from receivers.text import printable, well_formed


def shown(text: str, limit: int = limits.FREE_TEXT) -> str:
    """The text for people: printable and at most ``limit`` characters."""
    return printable(text if len(text) <= limit else text[: limit - 1] + "…")


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
) -> ArtifactPushed:
    """The event of a push. Empty URLs and qualifiers count as absent.

    What is matched is never clipped: a URL or qualifier that no registry allows raises :class:`Malformed`. With more
    qualifiers than the limit, told once or more often, there are none, which refreshes every subscriber: too much is
    safe, too little is not.
    """
    urls = _matched(repository_urls)
    counted = list(islice(filter(None, qualifiers), limits.QUALIFIERS + 1))  # no more is looked at than may count
    tags = _matched(counted)
    return ArtifactPushed(
        repository_urls=urls,
        kinds=kinds,
        qualifiers=tags if len(counted) <= limits.QUALIFIERS else (),
        registry_suffix=registry_suffix,
        registry=shown(registry, limits.NAME_SHOWN),
        repository=shown(repository, limits.NAME_SHOWN),
        tag=shown(", ".join(tags[: limits.NAME_SHOWN]), limits.NAME_SHOWN),
        digest=shown(digest, limits.NAME_SHOWN),
        media_type=shown(media_type),
        # A clipped id could equal another one, and two deliveries would be taken for one.
        sender_event_id=shown(sender_event_id) if len(sender_event_id) <= limits.FREE_TEXT else "",
    )


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
    return Ignored(f"{shown(repository)} was pushed by digest alone, and subscriptions discover tags")


def _matched(names: Iterable[str]) -> tuple[str, ...]:
    present = tuple(dict.fromkeys(well_formed(name) for name in names if name))
    if any(len(name) > limits.NAME for name in present):
        raise Malformed(f"a repository or tag is longer than {limits.NAME} characters")
    return present
