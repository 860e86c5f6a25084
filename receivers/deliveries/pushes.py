"""A push as people write it: ``registry/repository:tag@digest``, ``oci://…``, ``https://…`` or a Git host's URL."""

import re
from collections.abc import Sequence

from receivers.events import Event, Kind, Malformed
from receivers.wire import git_hosts
from receivers.wire.claims import artifact_pushed, commits_pushed, pushed_by_digest

HOW = (
    "registry/repository:tag, oci://registry/chart:version, https://host/charts:version or the URL of a Git repository"
)
_GIT = re.compile(r"ssh://.*|[\w-]+@[\w.-]+:.*|.*\.git/?", re.ASCII)
_URL = re.compile(r"https?://[^/]+(?P<path>/.*)?")
_DIGEST = re.compile(r"(?P<name>[^@]+)@(?P<digest>sha(?:256|512):[0-9a-f]{64,128})")


class NoPush(ValueError):
    """What was written is no push. The text says what would be."""


def read(text: str, *, media_type: str = "", ref: str = "", changed_files: Sequence[str] = ()) -> list[Event]:
    """What was pushed. A URL that says neither ref nor version may be a chart repository's or Git's, so it is both.

    Raises :class:`NoPush`.
    """
    text = text.strip()
    if not text or not text.isprintable() or " " in text:
        raise NoPush(f"a push is written as {HOW}")
    if ref and not ref.startswith("refs/"):
        raise NoPush("a ref is written whole: refs/heads/main, refs/tags/v1.2.3")
    try:
        if ref or changed_files or (_GIT.fullmatch(text) and not _DIGEST.fullmatch(text)):
            return [_commits(text, ref, changed_files, media_type)]
        if _URL.fullmatch(text):
            return _at_url(text, media_type)
        return [_artifact(text, media_type)]
    except Malformed as malformed:
        raise NoPush(str(malformed)) from None


def _commits(url: str, ref: str, changed_files: Sequence[str], media_type: str) -> Event:
    if media_type:
        raise NoPush("a push of Git has no media type")
    return commits_pushed(
        repository_urls=(url,),
        refs=(ref,),
        changed_files=frozenset(changed_files) or None,
        host=git_hosts.host(url),
        repository=git_hosts.path(url) or url,
    )


def _at_url(url: str, media_type: str) -> list[Event]:
    if media_type:
        raise NoPush("the media type is that of an image or a chart in a registry, which has no https:// before it")
    scheme, _, address = url.partition("://")
    host, slash, path = address.partition("/")
    name, version = _tagged(path)
    repository = f"{scheme}://{host}{slash}{name}"
    chart = artifact_pushed(
        repository_urls=(repository,), qualifiers=(version,), kinds=(Kind.CHART,), registry=host, repository=name
    )
    return [chart] if version else [chart, _commits(url, "", (), "")]


def _artifact(text: str, media_type: str) -> Event:
    """An image, or a chart; ``oci://`` is written before charts alone."""
    is_chart = text.startswith("oci://")
    written = text.removeprefix("oci://")
    if "://" in written:
        raise NoPush(f"a push is written as {HOW}")
    found = _DIGEST.fullmatch(written)
    whole, digest = (found["name"], found["digest"]) if found else (written, "")
    name, tag = _tagged(whole)
    if not name or "@" in whole:
        raise NoPush(f"a push is written as {HOW}")
    if digest and not tag:
        return pushed_by_digest(name)
    return artifact_pushed(
        repository_urls=(name,),
        qualifiers=(tag,),
        kinds=(Kind.CHART,) if is_chart and not media_type else (),
        registry=name.partition("/")[0] if "/" in name else "",
        repository=name.partition("/")[2] or name,
        digest=digest,
        media_type=media_type,
    )


def _tagged(text: str) -> tuple[str, str]:
    """A name and the tag behind its last part; a port is not one."""
    before, slash, last = text.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{before}{slash}{name}", tag
