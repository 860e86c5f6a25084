"""Azure Event Grid: the registry's events in an envelope, delivered with the retries that its own webhooks lack.

Events: https://learn.microsoft.com/azure/event-grid/event-schema-container-registry
Envelopes: the Event Grid schema, and CloudEvents 1.0 in structured, batch and binary mode.
Handshakes: https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema and
https://github.com/cloudevents/spec/blob/v1.0/http-webhook.md#4-abuse-protection
"""

import re
from collections.abc import Sequence

import msgspec

from receivers import limits
from receivers.events import Event, Handshake, Ignored, Malformed, WebhookRequest
from receivers.providers import acr
from receivers.wire import batches
from receivers.wire.claims import ignored, shown
from receivers.wire.go_json import INVALID, Json, Reader, member_names, text_at

_ORIGIN = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")  # a DNS name; it is echoed, so nothing else will do
_REGISTRY = re.compile(r"/registries/([A-Za-z0-9]{1,50})(/|$)", re.IGNORECASE)  # in the registry's resource id


class Envelope(msgspec.Struct, rename="camel"):
    """Either envelope: of each pair only one is there."""

    id: str = ""
    event_type: str = ""  # Event Grid schema
    type: str = ""  # CloudEvents
    topic: str = ""  # Event Grid schema: the registry's resource id
    source: str = ""  # CloudEvents: the same


class Artifact(msgspec.Struct):
    """An envelope whose data is what the registry's own webhook would have sent."""

    data: acr.Payload = acr.Payload()


class Validation(msgspec.Struct, rename="camel", frozen=True):
    """The data of the event that validates a subscription."""

    validation_code: str = ""


class Subscription(msgspec.Struct):
    """An envelope whose data validates a subscription."""

    data: Validation = Validation()


_ENVELOPE, _ARTIFACT, _SUBSCRIPTION = Reader(Envelope), Reader(Artifact), Reader(Subscription)


def is_event(document: Json) -> bool:
    """Whether this is an envelope of either schema."""
    return not member_names(document).isdisjoint({"eventtype", "specversion"})


def event(document: Json, *, registry: str) -> Event:
    """What one enveloped event means. ``registry`` is the configured login server, or ``""``."""
    return _event(_ENVELOPE.fit(document), document, registry=registry)


def binary_event(request: WebhookRequest, data: Json, *, registry: str) -> Event:
    """What a CloudEvent in binary mode means: its envelope is in the headers, and the body is the data."""
    envelope = Envelope(
        id=request.header("ce-id"),
        type=request.header("ce-type"),
        source=request.header("ce-source"),
    )
    return _event(envelope, (("data", data),), registry=registry)


def batch(documents: Sequence[Json], *, registry: str) -> list[Event]:
    """One event for each of a batch, which holds at least one."""
    if not documents:
        raise Malformed(INVALID)
    return batches.read(documents, lambda document: _element(document, registry=registry))


def handshake(request: WebhookRequest) -> Handshake:
    """The answer to the OPTIONS request that precedes the delivery of CloudEvents: yes, at any rate."""
    origin = request.header("webhook-request-origin")
    if not _ORIGIN.fullmatch(origin):
        raise Malformed("OPTIONS needs a WebHook-Request-Origin header that holds a host name")
    return Handshake(body={}, headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})


def _element(document: Json, *, registry: str) -> Event:
    if not is_event(document):
        raise Malformed(INVALID)
    return event(document, registry=registry)


def _event(envelope: Envelope, document: Json, *, registry: str) -> Event:
    match envelope.event_type or envelope.type:
        case "Microsoft.ContainerRegistry.ImagePushed":
            return acr.pushed(_payload(envelope, document), registry=_login_server(envelope, registry))
        case "Microsoft.ContainerRegistry.ChartPushed":
            return acr.chart_pushed(_payload(envelope, document), registry=_login_server(envelope, registry))
        case "Microsoft.EventGrid.SubscriptionValidationEvent":
            return _validated(_SUBSCRIPTION.fit(document).data.validation_code)
        case "":
            return Ignored("the event has no type")
        case event_type:
            repository = text_at(document, "data", "target", "repository")
            return ignored(f"event type {shown(event_type)} is not supported", repository)


def _login_server(envelope: Envelope, registry: str) -> str:
    """The login server of the registry whose resource id the envelope holds.

    It is the configured one if that belongs to this registry: sovereign clouds have other suffixes, and a domain name
    label adds "-<hash>" to the name. Otherwise it is what the public cloud makes of the name.
    """
    resource = _REGISTRY.search((envelope.topic or envelope.source)[: limits.NAME_SHOWN])
    name = resource[1].lower() if resource else ""
    if not name or registry.lower().startswith((f"{name}.", f"{name}-")):
        return registry
    return name + acr.SUFFIX


def _payload(envelope: Envelope, document: Json) -> acr.Payload:
    """The registry's payload under the envelope's id, which is the one that a redelivery repeats."""
    payload = _ARTIFACT.fit(document).data
    return msgspec.structs.replace(payload, id=envelope.id or payload.id)


def _validated(code: str) -> Handshake:
    if not code or len(code) > limits.FREE_TEXT:
        raise Malformed("a SubscriptionValidationEvent without a usable validationCode")
    return Handshake(body={"validationResponse": code})
