"""Harbor: one object per pushed artifact, in its own format or as a CloudEvent, with a text of the user's choice.

Both formats: https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Kind, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import by_header
from receivers.wire.claims import artifact_pushed, ignored, pushed_by_digest, shown, tags
from receivers.wire.go_json import Reader

_PUSHES = {"PUSH_ARTIFACT", "harbor.artifact.pushed"}  # of its own format, and of CloudEvents


class Resource(msgspec.Struct, frozen=True):
    """One artifact; a push names one."""

    digest: str = ""
    tag: str = ""  # of a push by digest: the digest
    resource_url: str = ""  # "harbor.example.com/team/app:1.2.3", or "…@sha256:…"


class Repository(msgspec.Struct, frozen=True):
    """Where it was pushed to."""

    repo_full_name: str = ""  # "team/app"


class EventData(msgspec.Struct, frozen=True):
    """What both formats tell of a push."""

    resources: list[Resource] = []
    repository: Repository = Repository()


class Payload(msgspec.Struct, frozen=True):
    """The fields used of either format."""

    type: str = ""
    event_data: EventData = EventData()
    id: str = ""  # of a CloudEvent
    data: EventData = EventData()  # of a CloudEvent


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """The pushed artifacts; Harbor names no media type, so each may be an image or a chart."""
    payload = _PAYLOAD.decode(proof.request.body)
    if payload.type not in _PUSHES:
        reason = f"event {shown(payload.type)} is not supported" if payload.type else "the event has no type"
        repositories = (payload.event_data.repository, payload.data.repository)
        return [ignored(reason, next((each.repo_full_name for each in repositories if each.repo_full_name), ""))]
    told = payload.event_data if payload.type == "PUSH_ARTIFACT" else payload.data
    return [_pushed(each, told.repository.repo_full_name, payload.id) for each in told.resources or [Resource()]]


def _pushed(resource: Resource, repository: str, event_id: str) -> Event:
    url = resource.resource_url.removesuffix(f":{resource.tag}")
    if (resource.tag or resource.digest) and not tags((resource.tag,)):
        return pushed_by_digest(repository or url)
    return artifact_pushed(
        repository_urls=(url,),
        kinds=(Kind.IMAGE, Kind.CHART),
        qualifiers=(resource.tag,),
        registry=url.partition("/")[0],
        repository=repository,
        digest=resource.digest,
        sender_event_id=event_id,
    )


def example(push: Push, now: datetime) -> Example:
    """What Harbor posts after a push, in its own format."""
    _, _, path = push.repository.partition("/")
    namespace, _, name = path.partition("/")
    reference = f":{push.tag}" if push.tag else f"@{push.digest}"
    resource = {
        "digest": push.digest,
        "tag": push.tag or push.digest,
        "resource_url": f"{push.repository}{reference}",
    }
    repository: dict[str, Any] = {
        "date_created": int(now.timestamp()),
        "name": name,
        "namespace": namespace,
        "repo_full_name": path,
        "repo_type": "private",
    }
    document = {
        "type": "PUSH_ARTIFACT",
        "occur_at": int(now.timestamp()),
        "operator": f"robot${namespace}+{uuid4().hex[:8]}",
        "event_data": {"resources": [resource], "repository": repository},
    }
    return examples.json_example(document, user_agent="Go-http-client/1.1")


HARBOR = Provider(
    name="harbor",
    secret_keys=("auth-header",),
    authentication=by_header("authorization", missing="missing authorization"),
    parse=parse,
    home=Home(repository="harbor.example.com/team/app", elsewhere=frozenset({Kind.IMAGE, Kind.CHART})),
    example=example,
    registration=Registration(
        steps=(
            "In the project: Webhooks, New Webhook. Notify Type: http. Payload Format: Default or CloudEvents. "
            "Event Type: Artifact pushed. Endpoint URL: the URL. Auth Header: the Secret's auth-header, whole.",
            "Harbor waits 3 s for an answer and tries three times. A tag that is added in the portal sends nothing: "
            "it is found when the Warehouse polls.",
        ),
    ),
)
