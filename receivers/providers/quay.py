"""Quay: one object per pushed repository, or about something else; only a push names ``updated_tags``.

Payload: https://docs.quay.io/guides/notifications.html, "Push to Repository"
"""

from datetime import datetime
from typing import Any

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Kind, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import by_url
from receivers.wire.claims import artifact_pushed, ignored, pushed_by_digest, tags
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
        return [ignored("not a push: no updated_tags", payload.docker_url)]
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


def example(push: Push, _now: datetime) -> Example:
    """What Quay posts after a push."""
    host, _, path = push.repository.partition("/")
    namespace, _, name = path.partition("/")
    return examples.json_example(
        {
            "repository": path,
            "namespace": namespace,
            "name": name,
            "docker_url": push.repository,
            "homepage": f"https://{host}/repository/{path}",
            "updated_tags": [push.tag] if push.tag else [],
        },
        user_agent="python-requests/2.32.3",
    )


QUAY = Provider(
    name="quay",
    secret_keys=("secret",),
    authentication=by_url,
    parse=parse,
    home=Home(
        repository="quay.io/team/app",
        registries="quay.io",
        own=("quay.io",),
        elsewhere=frozenset({Kind.IMAGE, Kind.CHART}),
    ),
    example=example,
    registration=Registration(
        steps=(
            "In the repository: Settings, Events and notifications, Create Notification. Event: Push to Repository. "
            "Method: Webhook POST. Webhook URL: the URL. POST body template: empty.",
            "Quay switches a notification off after three failures in a row: look there when pushes stop to arrive.",
        ),
    ),
)
