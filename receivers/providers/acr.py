"""Azure Container Registry: one object per push, delete or ping; Event Grid delivers the same object as its data.

Payload: https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from receivers.events import Event, Example, Home, Ignored, Kind, Ping, Push, Pushed, Registration
from receivers.wire import examples
from receivers.wire.claims import artifact_pushed, ignored, pushed_by_digest, shown, tags

SUFFIX = ".azurecr.io"
HOME = Home(
    repository=f"myregistry{SUFFIX}/team/app",
    registries=SUFFIX,
    own=(SUFFIX, ".azurecr.cn", ".azurecr.us"),
    charts=True,
)
REGISTRATION = Registration(
    page="acr",
    steps=(
        "In the portal: the registry, Services, Webhooks, Add. Service URI: the URL. Actions: push, and chart_push if "
        "there are still charts in the legacy store. Status: On. Scope: empty, for the whole registry.",
        "Where a lost push would hurt, subscribe by Event Grid too: it tries again for 24 hours.",
    ),
    command='az acr webhook create --registry REGISTRY --name kargo --uri "$URL" --actions push chart_push',
)
_USER_AGENT = "AzureContainerRegistry/1.0"  # Kargo's own server goes by it


class Target(msgspec.Struct, rename="camel", frozen=True):
    """What was pushed."""

    media_type: str = ""
    digest: str = ""
    repository: str = ""
    tag: str = ""  # absent in a push by digest; "name-1.2.3.tgz" in a chart_push
    name: str = ""  # of the chart, in a chart_push
    version: str = ""  # "1.2.3.tgz", in a chart_push


class Request(msgspec.Struct, frozen=True):
    """The request by which it was pushed; absent in a chart_push."""

    host: str = ""  # the registry's login server


class Payload(msgspec.Struct, frozen=True):
    """The fields used of a webhook's body."""

    id: str = ""
    action: str = ""
    target: Target = Target()
    request: Request = Request()


def event(payload: Payload, *, registry: str) -> Event:
    """What the payload means. ``registry`` is the login server to assume where the payload names none, or ``""``."""
    match payload.action:
        case "push":
            return pushed(payload, registry=registry)
        case "chart_push":
            return chart_pushed(payload, registry=registry)
        case "ping":
            return Ping()
        case "":
            return Ignored("the body has no action")
        case action:
            return ignored(f"action {shown(action)} is not supported", payload.target.repository)


def pushed(payload: Payload, *, registry: str) -> Pushed | Ignored:
    """An image, an OCI chart or any other OCI artifact was pushed.

    By digest alone it concerns nobody. With neither tag nor digest, which no registry sends, it concerns everybody.
    """
    target = payload.target
    qualifier = "".join(tags((target.tag,)))
    if not qualifier and (target.tag or target.digest):
        return pushed_by_digest(target.repository)
    return _artifact(
        payload,
        registry=payload.request.host or registry,
        paths=(target.repository,),
        qualifier=qualifier,
    )


def chart_pushed(payload: Payload, *, registry: str) -> Pushed:
    """A chart was pushed to the legacy chart store, which is read at ``https://<registry>/helm/v1/<repository>``."""
    target = payload.target
    chart = f"{target.repository}/{target.name}" if target.name else ""
    return _artifact(
        payload,
        registry=payload.request.host or registry,
        paths=(target.repository, chart, f"helm/v1/{target.repository}"),
        qualifier=_chart_version(target),
        kinds=(Kind.CHART,),
    )


def example(push: Push, now: datetime) -> Example:
    """What the registry posts after a push."""
    host, _, path = push.repository.partition("/")
    size = examples.MANIFEST_SIZE
    target = {"mediaType": push.media_type, "size": size, "digest": push.digest, "length": size, "repository": path}
    return _example(
        "push",
        now,
        target=target | ({"tag": push.tag} if push.tag else {}),
        request={"id": str(uuid4()), "host": host, "method": "PUT", "useragent": "docker/28.5.1"},
    )


def ping(now: datetime) -> Example:
    """What the registry posts when somebody presses *Ping*."""
    return _example("ping", now)


def _example(action: str, now: datetime, **members: Any) -> Example:  # noqa: ANN401 - whatever JSON holds
    document = {"id": str(uuid4()), "timestamp": examples.timestamp(now), "action": action, **members}
    return examples.json_example(document, user_agent=_USER_AGENT)


def _artifact(
    payload: Payload,
    *,
    registry: str,
    paths: tuple[str, ...],
    qualifier: str,
    kinds: tuple[Kind, ...] = (),
) -> Pushed:
    target = payload.target
    return artifact_pushed(
        repository_urls=[_url(registry, path) for path in paths if path] if target.repository else (),
        qualifiers=(qualifier,),
        kinds=kinds,
        registry_suffix="" if registry else SUFFIX,
        registry=registry,
        repository=target.repository,
        digest=target.digest,
        media_type=target.media_type,
        sender_event_id=payload.id,
    )


def _url(registry: str, path: str) -> str:
    if not registry:
        return path
    scheme = "https://" if path.startswith("helm/v1/") else ""
    return f"{scheme}{registry}/{path}"


def _chart_version(target: Target) -> str:
    """The chart's version, or ``""``, which concerns every subscriber.

    Without the chart's name a tag cannot be divided: both parts may hold hyphens and digits.
    """
    name = f"{target.name}-"
    from_tag = target.tag.removeprefix(name) if target.name and target.tag.startswith(name) else ""
    return (target.version or from_tag).removesuffix(".tgz")
