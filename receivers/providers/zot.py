"""zot: a CloudEvent for each manifest that got another tag or digest, and for what else happens.

Events: https://zotregistry.dev/latest/articles/events/, in binary mode; a broker between may make it structured.
"""

from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import (
    REGISTRY,
    Authenticated,
    Event,
    Example,
    Home,
    Kind,
    Malformed,
    Provider,
    Push,
    Registration,
)
from receivers.wire import cloudevents, examples
from receivers.wire.authentication import unsigned
from receivers.wire.claims import ignored, manifest_pushed, shown
from receivers.wire.go_json import Reader, text_at

_UPDATED = "zotregistry.image.updated"


class Image(msgspec.Struct, frozen=True):
    """The data of an event."""

    name: str = ""  # the repository: "team/app"
    reference: str = ""  # the tag, or the digest of what has none
    digest: str = ""
    media_type: str = msgspec.field(name="mediaType", default="")
    manifest: str = ""  # the whole of it, as JSON


class Config(msgspec.Struct, frozen=True):
    """Of a manifest; its type tells a chart from an image."""

    media_type: str = msgspec.field(name="mediaType", default="")


class Manifest(msgspec.Struct, frozen=True):
    """What is used of a manifest."""

    config: Config = Config()


_IMAGE, _MANIFEST = Reader(Image), Reader(Manifest)


def parse(proof: Authenticated) -> list[Event]:
    """What got a tag. The receiver's option ``registry`` is the registry's host, which zot does not tell."""
    event = cloudevents.read_event(proof.request)
    if event.type != _UPDATED:
        reason = f"event {shown(event.type)} is not supported" if event.type else "the event has no type"
        return [ignored(reason, text_at(event.data, "name"))]
    image = _IMAGE.fit(event.data)
    return [
        manifest_pushed(
            registry=proof.receiver.options.get("registry", ""),
            repository=image.name,
            tag=image.reference,
            digest=image.digest,
            media_type=_config(image.manifest) or image.media_type,
            sender_event_id=event.id,
        )
    ]


def _config(manifest: str) -> str:
    """The media type of a manifest's configuration; empty for that of an index, and for what is no manifest."""
    try:
        return _MANIFEST.decode(manifest.encode()).config.media_type
    except Malformed:
        return ""


def example(push: Push, now: datetime) -> Example:
    """What zot posts after a push."""
    document = {
        "name": push.repository.partition("/")[2],
        "reference": push.tag or push.digest,
        "digest": push.digest,
        "mediaType": push.media_type,
        "request": {"addr": "192.0.2.1:40000", "method": "PUT", "useragent": "docker/28.0.0"},
    }
    written = examples.json_example(document, user_agent="Go-http-client/1.1")
    envelope = cloudevents.headers(type=_UPDATED, source="zotregistry.dev", id=str(uuid4()), now=now)
    return Example({**written.headers, **envelope}, written.body)


ZOT = Provider(
    name="zot",
    secret_keys=("secret",),
    authentication=unsigned,
    parse=parse,
    options={"registry": REGISTRY},
    home=Home(repository="zot.example.com/team/app", elsewhere=frozenset({Kind.IMAGE, Kind.CHART}), named=True),
    example=example,
    registration=Registration(
        steps=(
            "In zot's configuration: extensions, events, enable true, sinks with one of type http, the URL as address, "
            "timeout 5s. The receiver needs registry: the host by which subscriptions name this zot.",
            "zot posts once and never again; what is lost is found when the Warehouse polls.",
        ),
    ),
    requires=("registry",),
)
