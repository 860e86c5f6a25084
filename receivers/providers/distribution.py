"""CNCF Distribution (``registry:2`` and ``:3``) and what is built on it, as GitLab's registry: envelopes of events.

Events: https://distribution.github.io/distribution/about/notifications/

An endpoint's events wait in line behind one that is not answered 2xx, and it is posted again without end. So nothing is
refused here that has proven itself.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers import go_url
from receivers.events import (
    REGISTRY,
    Authenticated,
    Event,
    Example,
    Home,
    Ignored,
    Kind,
    Malformed,
    Provider,
    Push,
    Registration,
)
from receivers.wire import batches, examples
from receivers.wire.authentication import unsigned
from receivers.wire.claims import ignored, manifest_pushed, shown
from receivers.wire.go_json import INVALID, Json, Reader, read

_BLOB = "application/octet-stream"  # a layer, or a configuration


class Target(msgspec.Struct, frozen=True):
    """What something happened to."""

    media_type: str = msgspec.field(name="mediaType", default="")
    digest: str = ""
    repository: str = ""  # "team/app"
    url: str = ""  # of the manifest, as the registry believes that it can be reached
    tag: str = ""  # where the client named one


class Request(msgspec.Struct, frozen=True):
    """What the client sent."""

    host: str = ""  # the registry, by the name that the client used


class Notification(msgspec.Struct, frozen=True):
    """The fields used of every event."""

    id: str = ""
    action: str = ""
    target: Target = Target()
    request: Request = Request()


_NOTIFICATION = Reader(Notification)


def parse(proof: Authenticated) -> list[Event]:
    """What was pushed with a tag. Layers and the parts of an index have none, and pulls are told too.

    The receiver's option ``registry`` is the registry's host, where clients push by another name than subscribers have.
    """
    registry = proof.receiver.options.get("registry", "")
    found = batches.read(_events(read(proof.request.body)), lambda event: _event(_NOTIFICATION.fit(event), registry))
    return found or [Ignored("the envelope holds no events")]


def _events(document: Json) -> list[Json]:
    """The list under the name ``events``, of several the last one; its case does not matter."""
    if not isinstance(document, tuple):
        raise Malformed(INVALID)
    found = [value for name, value in document if name.casefold() == "events"]
    events = (found or [None])[-1]
    if events is not None and not isinstance(events, list):
        raise Malformed(INVALID)
    return events or []


def _event(event: Notification, registry: str) -> Event:
    target = event.target
    if event.action != "push":
        reason = f"action {shown(event.action)} is not a push" if event.action else "the event has no action"
        return ignored(reason, target.repository)
    if target.media_type == _BLOB and not target.tag:
        return ignored("a layer was pushed: its image follows", target.repository)
    return manifest_pushed(
        registry=registry or event.request.host or _host(target.url),
        repository=target.repository,
        tag=target.tag,
        digest=target.digest,
        media_type=target.media_type,
        sender_event_id=event.id,
    )


def _host(url: str) -> str:
    try:
        return go_url.parse(url).host.decode(errors="replace")
    except go_url.InvalidUrl:
        return ""


def example(push: Push, now: datetime) -> Example:
    """What a registry posts after the push of a manifest."""
    host, _, path = push.repository.partition("/")
    target: dict[str, Any] = {
        "mediaType": push.media_type,
        "size": examples.MANIFEST_SIZE,
        "digest": push.digest,
        "length": examples.MANIFEST_SIZE,
        "repository": path,
        "url": f"https://{host}/v2/{path}/manifests/{push.digest}",
    }
    event = {
        "id": str(uuid4()),
        "timestamp": examples.timestamp(now),
        "action": "push",
        "target": target | ({"tag": push.tag} if push.tag else {}),
        "request": {"id": str(uuid4()), "host": host, "method": "PUT", "useragent": "docker/28.0.0"},
        "actor": {},
        "source": {"addr": "registry:5000"},
    }
    written = examples.json_example({"events": [event]}, user_agent="Go-http-client/1.1")
    content_type = "application/vnd.docker.distribution.events.v2+json"
    return Example({**written.headers, "content-type": content_type}, written.body)


DISTRIBUTION = Provider(
    name="distribution",
    secret_keys=("secret",),
    # It signs nothing, and adds any headers that its configuration names.
    authentication=unsigned,
    parse=parse,
    options={"registry": REGISTRY},
    home=Home(repository="registry.example.com/team/app", elsewhere=frozenset({Kind.IMAGE, Kind.CHART}), named=True),
    example=example,
    registration=Registration(
        steps=(
            "In the registry's config.yml: notifications, endpoints, one with the URL as url, timeout 5s, threshold 5, "
            "backoff 10s, and ignore with actions [pull, mount, delete] and mediatypes [application/octet-stream].",
            "In GitLab's gitlab.rb: registry['notifications'], with the same members.",
            "What is not answered with success is posted again without end, and all later events wait behind it: watch "
            "the registry's log after a change.",
        ),
    ),
    lenient=True,
)
