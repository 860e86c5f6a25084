"""One spelling for each repository, so that what a sender writes and what a subscription writes can be compared.

The rules are Kargo's. Text that a rule cannot read is returned as it came, so that equal unreadable texts still match.
"""

import re
from functools import lru_cache
from typing import assert_never

from receivers import go_url
from receivers.events import Kind
from receivers.kargo import references
from receivers.text import well_formed

_DOCKER_HUB = {references.DOCKER_HUB, "registry-1.docker.io"}
_SCP = re.compile(r"(?P<user>[\w-]+@)?(?P<host>[\w-]+(?:\.[\w-]+)*)(?::(?P<path>.*))?", re.ASCII)


def normalise(kind: Kind, url: str) -> str:
    """The one spelling of a repository's URL, for a subscription of this kind."""
    text = well_formed(url)
    match kind:
        case Kind.GIT:
            return normalise_git(text)
        case Kind.IMAGE:
            return normalise_image(text)
        case Kind.CHART:
            return normalise_chart(text)
        case _:
            assert_never(kind)


def normalise_git(url: str) -> str:
    """``https://host/path``, ``http://…`` or ``ssh://user@host/path``, without ``.git`` and a trailing slash.

    ``git@host:path`` becomes ``ssh://git@host/path``. A URL with query parameters is returned as it came.
    """
    text = _printable(_lower(url))
    try:
        if text.startswith(("https://", "http://", "ssh://")):
            parsed = go_url.parse(text)
            if parsed.has_parameters():
                return url
            return str(_trimmed(parsed if parsed.scheme == "ssh" else parsed.without_user()))
        return _scp(text) or url
    except go_url.InvalidUrl:
        return url


@lru_cache(maxsize=4)  # the same is asked again at once
def normalise_image(url: str) -> str:
    """``registry/repository``, or ``repository`` alone on Docker Hub, without tag and digest."""
    try:
        registry, name = references.parse(_printable(_lower(url)))
    except references.InvalidReference:
        return url
    return name.removeprefix("library/") if registry in _DOCKER_HUB else f"{registry}/{name}"


def normalise_chart(url: str) -> str:
    """An OCI repository as an image's, without ``oci://``; a classic ``https://`` repository in lower case."""
    text = _printable(url)
    try:
        go_url.parse(text)
    except go_url.InvalidUrl:
        return url
    return normalise_image(_lower(text).removeprefix("oci://"))


def _scp(text: str) -> str | None:
    match = _SCP.fullmatch(text)
    if match is None:
        return None
    path = _trimmed(go_url.parse(match["path"] or ""))
    authority = f"ssh://{match['user'] or ''}{match['host']}"
    return f"{authority}/{path}" if path.path else authority


def _trimmed(url: go_url.Url) -> go_url.Url:
    return url.with_path(url.path.removesuffix(b"/").removesuffix(b".git"))


def _lower(text: str) -> str:
    """Lower case character by character, as Go has it: Python makes two of U+0130, and minds a final U+03A3."""
    return text.lower() if text.isascii() else text.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()


def _printable(text: str) -> str:
    """Without what cannot be seen: copied URLs carry byte order marks and zero-width spaces."""
    visible = text if text.isprintable() else "".join(filter(str.isprintable, text))
    return visible.strip(" ")
