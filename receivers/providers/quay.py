"""Quay: one object per pushed repository, or about something else; only a push names ``updated_tags``.

Payload: https://docs.quay.io/guides/notifications.html, "Push to Repository"
"""

from typing import Any

import msgspec

from receivers.events import Authenticated, Event, Ignored, Kind, Provider
from receivers.wire.authentication import by_url
from receivers.wire.claims import artifact_pushed, pushed_by_digest, tags
from receivers.wire.go_json import Reader


class Payload(msgspec.Struct):
    """The fields used of a notification's body."""

    docker_url: str = ""  # "quay.io/team/app"; the host may carry a port
    updated_tags: list[str] | dict[str, Any] = []  # old servers send an object {tag: image id}


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """The push; Quay names neither digest nor media type, so it may concern images and charts."""
    payload = _PAYLOAD.decode(proof.request.body)
    updated = [tag for tag in payload.updated_tags if tag]
    if not updated:
        return [Ignored("not a push: no updated_tags")]
    qualifiers = tags(updated)
    if not qualifiers:
        return [pushed_by_digest(payload.docker_url)]
    registry, _, repository = payload.docker_url.partition("/")
    return [
        artifact_pushed(
            repository_urls=(payload.docker_url,),
            kinds=(Kind.IMAGE, Kind.CHART),
            qualifiers=qualifiers,
            registry=registry,
            repository=repository,
        )
    ]


QUAY = Provider(name="quay", secret_keys=("secret",), authenticate=by_url, parse=parse)
