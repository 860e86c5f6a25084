"""Container image references, as go-containerregistry's ``name`` package reads them with weak validation."""

import re
from functools import lru_cache
from typing import NamedTuple

from receivers import go_url
from receivers.text import well_formed

DOCKER_HUB = "index.docker.io"

_LONGEST_REGISTRY = 260  # characters: a DNS name has at most 253, and a port may follow

_TAG = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_REPOSITORY = re.compile(r"[a-z0-9_./-]{2,255}")
_DIGEST = re.compile(r"([^@]*)@sha256:[0-9a-f]{64}")

_OCI_ELEMENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_OCI = re.compile(
    rf"(?P<registry>[^/]+)/{_OCI_ELEMENT}(?:/{_OCI_ELEMENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?"
)


class InvalidReference(ValueError):
    """Not a container image reference."""


class Repository(NamedTuple):
    """Where an image is: ``ghcr.io`` and ``team/app``; Docker Hub's ``busybox`` is ``library/busybox``."""

    registry: str
    name: str


def parse(text: str) -> Repository:
    """Read a reference; its tag and its digest are checked and dropped.

    Raises:
        InvalidReference: with what is wrong.
    """
    digest = _DIGEST.fullmatch(text)
    base, tag = _split_tag(digest[1] if digest else text)
    if tag is not None and not _TAG.fullmatch(tag):
        raise InvalidReference("the tag is not 1 to 128 letters, digits, dots, dashes or underscores")
    return _repository(base)


def is_oci(text: str) -> bool:
    """Whether text is ``registry/repository``, maybe with tag or digest, by the stricter rules that charts obey.

    Grammar: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
    """
    match = _OCI.fullmatch(text)
    return match is not None and _is_authority(match["registry"])


def _split_tag(text: str) -> tuple[str, str | None]:
    base, colon, tag = text.rpartition(":")
    return (base, tag) if colon and "/" not in tag else (text, None)


def _repository(text: str) -> Repository:
    first, slash, rest = text.partition("/")
    names_registry = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    registry, name = (first, rest) if names_registry else ("", text)
    if not _REPOSITORY.fullmatch(name):
        raise InvalidReference("the repository is not 2 to 255 lower-case letters, digits, dots, dashes or underscores")
    if registry and not _is_authority(registry):
        raise InvalidReference("the registry is not a host with an optional port")
    if registry in {"", "docker.io"}:
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in name:
        name = f"library/{name}"
    return Repository(registry, name)


def _is_authority(text: str) -> bool:
    return len(text) <= _LONGEST_REGISTRY and _parses_as_authority(text)


@lru_cache(maxsize=1024)  # a cluster has few registries, and asks of them often
def _parses_as_authority(text: str) -> bool:
    try:
        return go_url.parse(f"//{text}").host == well_formed(text).encode()
    except go_url.InvalidUrl:
        return False
