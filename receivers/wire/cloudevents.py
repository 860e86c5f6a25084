"""CloudEvents 1.0 over HTTP, in binary and in structured mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from receivers.events import WebhookRequest
from receivers.wire import examples
from receivers.wire.go_json import Json, Reader, read


class CloudEvent(NamedTuple):
    """What counts of an event."""

    id: str
    type: str
    source: str
    data: Json


class _Envelope(msgspec.Struct):
    id: str = ""
    type: str = ""
    source: str = ""


_ENVELOPE = Reader(_Envelope)


def read_event(request: WebhookRequest) -> CloudEvent:
    """The event of a request: in binary mode its envelope is in the headers. Raises :class:`Malformed`."""
    document = read(request.body)
    if request.header("ce-type"):
        return CloudEvent(request.header("ce-id"), request.header("ce-type"), request.header("ce-source"), document)
    envelope = _ENVELOPE.fit(document)
    members = document if isinstance(document, tuple) else ()
    data = next((value for name, value in reversed(members) if name.casefold() == "data"), None)
    return CloudEvent(envelope.id, envelope.type, envelope.source, data)


def headers(*, type: str, source: str, id: str, now: datetime) -> Mapping[str, Any]:  # noqa: A002 - the attributes' names
    """The envelope of binary mode."""
    return {
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": source,
        "ce-type": type,
        "ce-time": examples.timestamp(now),
    }
