"""Sonatype Nexus: components and assets of one repository, signed with HMAC-SHA1.

https://help.sonatype.com/en/webhooks.html
"""

from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import REGISTRY, Authenticated, Event, Example, Home, Kind, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import by_hmac, by_url, chosen
from receivers.wire.claims import artifact_pushed, ignored, manifest_pushed, shown
from receivers.wire.go_json import Reader

_NEW = {"CREATED", "UPDATED"}


class Part(msgspec.Struct, frozen=True):
    """A component, or an asset of one."""

    format: str = ""
    name: str = ""  # of a component in a registry the repository; of its asset "v2/team/app/manifests/1.2.3"
    version: str = ""  # of a component: the tag, or the chart's version


class Payload(msgspec.Struct, frozen=True):
    """The fields used of either webhook."""

    action: str = ""
    component: Part = Part()
    asset: Part = Part()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """What is new. The receiver's option ``registry`` is where clients find the repository, which Nexus does not tell.

    For images and charts in a registry that is a host, maybe with a path; for charts beside an index the index's URL.
    """
    payload, registry = _PAYLOAD.decode(proof.request.body), proof.receiver.options.get("registry", "")
    delivery = proof.request.header("x-nexus-webhook-delivery")
    if payload.action not in _NEW:
        reason = f"action {shown(payload.action)} is no push" if payload.action else "the event has no action"
        return [ignored(reason, payload.component.name)]
    match payload.component.format or payload.asset.format:
        case "docker":
            repository, tag = _manifest(payload)
            return [
                manifest_pushed(
                    registry=registry.rstrip("/"),
                    repository=repository,
                    tag=tag,
                    kinds=(Kind.IMAGE, Kind.CHART),
                    sender_event_id=delivery,
                )
            ]
        case "helm" if payload.component.version:
            return [_chart(payload.component, registry, delivery)]
        case other:
            return [ignored(f"what is new is no image and no chart: format {shown(other)}", payload.component.name)]


def _manifest(payload: Payload) -> tuple[str, str]:
    """Repository and tag; both are empty for what is no manifest."""
    if payload.component.format:
        return payload.component.name, payload.component.version
    path, _, reference = payload.asset.name.lstrip("/").rpartition("/manifests/")
    return path.removeprefix("v2/"), reference


def _chart(component: Part, registry: str, delivery: str) -> Event:
    return artifact_pushed(
        repository_urls=(registry if "://" in registry else f"https://{registry}",),
        qualifiers=(component.version,),
        kinds=(Kind.CHART,),
        registry=registry,
        repository=component.name,
        sender_event_id=delivery,
    )


def example(push: Push, now: datetime) -> Example:
    """What Nexus posts after a push, as a component."""
    component = {
        "id": uuid4().hex,
        "componentId": uuid4().hex,
        "format": "docker",
        "name": push.repository.partition("/")[2],
        "version": push.tag or push.digest,
    }
    document = {
        "timestamp": examples.timestamp(now),
        "nodeId": str(uuid4()).upper(),
        "initiator": "build/192.0.2.1",
        "repositoryName": "docker-hosted",
        "action": "CREATED",
        "component": component,
    }
    written = examples.json_example(document, user_agent="Nexus/3.83.0-08 (COMMUNITY; Linux)")
    told = {"x-nexus-webhook-id": "rm:repository:component", "x-nexus-webhook-delivery": str(uuid4())}
    return Example({**written.headers, **told}, written.body)


NEXUS = Provider(
    name="nexus",
    secret_keys=("secret",),
    authentication=chosen(
        "authentication",
        among={
            "signature": by_hmac("x-nexus-webhook-signature", algorithm="sha1", missing="missing signature"),
            "url": by_url,
        },
        usual="signature",
    ),
    parse=parse,
    options={"registry": REGISTRY},
    home=Home(
        repository="nexus.example.com:5000/team/app",
        elsewhere=frozenset({Kind.IMAGE, Kind.CHART}),
        charts=True,
        named=True,
    ),
    example=example,
    registration=Registration(
        steps=(
            "Administration, System, Capabilities, Create capability, Webhook: Repository. Repository: the one that is "
            "pushed to. Event Types: component. URL: the URL. Secret Key: the receiver's secret.",
            "The receiver needs registry: where clients find that repository, as in "
            "nexus.example.com:5000/team/app, or the URL of a Helm repository.",
        ),
    ),
    requires=("registry",),
)
