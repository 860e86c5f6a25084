"""Amazon ECR, through an API destination of EventBridge: the event as it is, or as an input transformer made it.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
"""

import re
from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import REGISTRY, Authenticated, Event, Example, Home, Ignored, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import unsigned
from receivers.wire.claims import ignored, manifest_pushed, shown
from receivers.wire.go_json import Reader

_HOST = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_TRANSFORMED = "com.amazon.ecr.image.push"  # the type that transformers make, whose data has other names


class Detail(msgspec.Struct, frozen=True, rename="kebab"):
    """Of an event as it is; what became of an image goes by one of three names."""

    result: str = ""
    sync_status: str = ""
    action_type: str = ""
    repository_name: str = ""
    image_tag: str = ""
    image_digest: str = ""
    manifest_media_type: str = ""
    artifact_media_type: str = ""  # of the configuration: tells a chart from an image


class Data(msgspec.Struct, frozen=True, rename="camel"):
    """Of an event that was transformed."""

    repository_name: str = ""
    image_tag: str = ""
    image_digest: str = ""
    registry_id: str = ""  # the account


class Payload(msgspec.Struct, frozen=True):
    """The fields used of either form."""

    id: str = ""
    detail_type: str = msgspec.field(name="detail-type", default="")
    account: str = ""
    region: str = ""
    detail: Detail = Detail()
    type: str = ""
    data: Data = Data()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """What was pushed, copied from another region or account, or fetched into a cache.

    The receiver's option ``registry`` is the registry's host, where it is not the one that account and region make.
    """
    payload, registry = _PAYLOAD.decode(proof.request.body), proof.receiver.options.get("registry", "")
    if payload.type == _TRANSFORMED:
        return [_transformed(payload, registry)]
    detail = payload.detail
    match payload.detail_type:
        case "ECR Image Action":
            done = (detail.action_type, detail.result) == ("PUSH", "SUCCESS")
        case "ECR Replication Action":
            done = (detail.action_type, detail.result) == ("REPLICATE", "SUCCESS")
        case "ECR Pull Through Cache Action":
            done = detail.sync_status == "SUCCESS"
        case "":
            return [Ignored("the event has no detail-type")]
        case other:
            return [ignored(f"event {shown(other)} is not supported", detail.repository_name)]
    if not done:
        reason = f"nothing was pushed: {payload.detail_type}, {shown(detail.action_type or detail.sync_status)}"
        return [ignored(reason, detail.repository_name)]
    return [
        manifest_pushed(
            registry=registry or _host(payload.account, payload.region),
            repository=detail.repository_name,
            tag=detail.image_tag,
            digest=detail.image_digest,
            media_type=detail.artifact_media_type or detail.manifest_media_type,
            sender_event_id=payload.id,
        )
    ]


def _transformed(payload: Payload, registry: str) -> Event:
    data = payload.data
    return manifest_pushed(
        registry=registry or _host(data.registry_id or payload.account, payload.region),
        repository=data.repository_name,
        tag=data.image_tag,
        digest=data.image_digest,
        sender_event_id=payload.id,
    )


def _host(account: str, region: str) -> str:
    """Empty where account or region is not told."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{suffix}" if account and region else ""


def example(push: Push, now: datetime) -> Example:
    """What EventBridge posts after a push, as it is."""
    host, _, path = push.repository.partition("/")
    found = _HOST.fullmatch(host)
    detail: dict[str, str] = {
        "result": "SUCCESS",
        "repository-name": path,
        "image-digest": push.digest,
        "action-type": "PUSH",
        "manifest-media-type": push.media_type,
    }
    document: dict[str, object] = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": found["account"] if found else "111122223333",
        "time": examples.timestamp(now),
        "region": found["region"] if found else "eu-west-1",
        "resources": [],
        "detail": detail | ({"image-tag": push.tag} if push.tag else {}),
    }
    return examples.json_example(document, user_agent="Amazon/EventBridge/ApiDestinations")


ECR = Provider(
    name="ecr",
    secret_keys=("secret",),
    # A connection of EventBridge always has an authorization: a header of any name, or basic.
    authentication=unsigned,
    parse=parse,
    options={"registry": REGISTRY},
    home=Home(
        repository="111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app",
        registries=".amazonaws.com",
        own=(".amazonaws.com", ".amazonaws.com.cn"),
        named=True,
    ),
    example=example,
    registration=Registration(
        steps=(
            "In EventBridge: a connection (API key, name Authorization, any value), an API destination with the URL as "
            "endpoint and the method POST, and a rule for source aws.ecr whose target is that destination. Leave the "
            "input as it is: Matched events.",
            "EventBridge tries again for a day; give the target a dead-letter queue, if a push must never be lost.",
        ),
    ),
)
