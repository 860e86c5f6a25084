"""A provider that nobody has: what a new one takes, and whether that is all (tests/providers/test_made_up.py)."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Ignored, Ping, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import by_hmac
from receivers.wire.claims import artifact_pushed
from receivers.wire.go_json import Reader


class Payload(msgspec.Struct, frozen=True):
    """All that it posts."""

    event: str = ""
    id: str = ""
    image: str = ""
    tag: str = ""


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """One push, or a ping."""
    payload = _PAYLOAD.decode(proof.request.body)
    match payload.event:
        case "made":
            return [
                artifact_pushed(
                    repository_urls=(payload.image,),
                    qualifiers=(payload.tag,),
                    registry=payload.image.partition("/")[0],
                    repository=payload.image.partition("/")[2],
                    sender_event_id=payload.id,
                )
            ]
        case "test":
            return [Ping()]
        case _:
            return [Ignored("nothing was made")]


def _written(**members: Any) -> Example:  # noqa: ANN401 - any JSON
    return examples.json_example({**members, "id": uuid4().hex, "maker": {"name": "team"}}, user_agent="made-up/1")


def example(push: Push, now: datetime) -> Example:
    """What it posts after a push."""
    return _written(event="made", image=push.repository, tag=push.tag, at=examples.timestamp(now))


def ping(now: datetime) -> Example:
    """What its test posts."""
    return _written(event="test", at=examples.timestamp(now))


MADE_UP = Provider(
    name="made-up",
    secret_keys=("secret",),
    authentication=by_hmac("x-made-up", algorithm="sha256", missing="missing signature"),
    parse=parse,
    home=Home(repository="made-up.example.com/team/app"),
    example=example,
    ping=ping,
    registration=Registration(steps=("Make it up.",)),
)
