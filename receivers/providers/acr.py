"""Azure Container Registry: one object per push, delete or ping; Event Grid delivers the same object as its data.

Payload: https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
"""

import msgspec

from receivers.events import ArtifactPushed, Event, Ignored, Kind, Ping
from receivers.wire.claims import artifact_pushed, pushed_by_digest, shown, tags

SUFFIX = ".azurecr.io"


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
            return Ignored(f"action {shown(action)} is not supported")


def pushed(payload: Payload, *, registry: str) -> ArtifactPushed | Ignored:
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


def chart_pushed(payload: Payload, *, registry: str) -> ArtifactPushed:
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


def _artifact(
    payload: Payload,
    *,
    registry: str,
    paths: tuple[str, ...],
    qualifier: str,
    kinds: tuple[Kind, ...] = (),
) -> ArtifactPushed:
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
