"""CDEvents: an artifact was published, told as a CloudEvent in either mode.

https://cdevents.dev/docs/continuous-integration/#artifact-published

The artifact is a package URL, which names registry and digest, and the tag at most as a qualifier:
https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md
"""

from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, unquote
from uuid import uuid4

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Ignored, Kind, Provider, Push, Registration
from receivers.wire import cloudevents, examples
from receivers.wire.authentication import by_header, by_url, chosen, standard_webhooks
from receivers.wire.claims import artifact_pushed, shown
from receivers.wire.go_json import Reader

_PUBLISHED = "dev.cdevents.artifact.published."  # a version follows


class Context(msgspec.Struct, frozen=True):
    """Of an event."""

    id: str = ""
    type: str = ""


class Subject(msgspec.Struct, frozen=True):
    """What it is about."""

    id: str = ""  # "pkg:oci/app@sha256%3A…?repository_url=registry.example.com%2Fteam%2Fapp&tag=1.2.3"


class CdEvent(msgspec.Struct, frozen=True):
    """The fields used of an event."""

    context: Context = Context()
    subject: Subject = Subject()


_EVENT = Reader(CdEvent)


class Package(NamedTuple):
    """What counts of a package URL."""

    type: str
    path: str  # "team/app"
    version: str
    repository: str
    tag: str


def parse(proof: Authenticated) -> list[Event]:
    """What was published; without a tag every subscriber of its repository is refreshed."""
    event = _EVENT.fit(cloudevents.read_event(proof.request).data)
    if not event.context.type.startswith(_PUBLISHED):
        told = event.context.type
        return [Ignored(f"event {shown(told)} is not supported" if told else "the event has no type")]
    package = _package(event.subject.id)
    if package is None:
        return [Ignored("what was published is no image and no chart, or names no repository")]
    urls, tag, kinds = _meant(package)
    return [
        artifact_pushed(
            repository_urls=urls,
            qualifiers=(tag,),
            kinds=kinds,
            registry=urls[0].partition("://")[2].partition("/")[0] or urls[0].partition("/")[0],
            repository=urls[0],
            digest=package.version if ":" in package.version else "",
            sender_event_id=event.context.id,
        )
    ]


def _package(url: str) -> Package | None:
    scheme, _, rest = url.partition(":")
    rest, _, query = rest.partition("#")[0].partition("?")
    kind, _, name = rest.strip("/").partition("/")
    path, _, version = name.rpartition("@") if "@" in name else (name, "", "")
    qualifiers = dict(each.split("=", 1) for each in query.split("&") if "=" in each)
    repository = unquote(qualifiers.get("repository_url", ""))
    if scheme != "pkg" or not path or not repository or kind.lower() not in {"oci", "docker", "helm"}:
        return None
    return Package(kind.lower(), unquote(path), unquote(version), repository, unquote(qualifiers.get("tag", "")))


def _meant(package: Package) -> tuple[tuple[str, ...], str, tuple[Kind, ...]]:
    """Repositories, one of which it is in, the tag and what it may be."""
    version = "" if ":" in package.version else package.version
    if package.type == "helm":
        return (package.repository, f"{package.repository}/{package.path}"), package.tag or version, (Kind.CHART,)
    if package.type == "docker":
        return (f"{package.repository}/{package.path}",), package.tag or version, (Kind.IMAGE,)
    whole = package.repository.rstrip("/")
    named = whole.rpartition("/")[2].lower() == package.path.lower()
    return (whole if named else f"{whole}/{package.path}",), package.tag, (Kind.IMAGE, Kind.CHART)


def example(push: Push, now: datetime) -> Example:
    """What a CI system posts after it has published an image or a chart."""
    name = push.repository.rpartition("/")[2].lower()
    tag = f"&tag={quote(push.tag, safe='')}" if push.tag else ""
    package = (
        f"pkg:oci/{quote(name)}@{quote(push.digest, safe='')}?repository_url={quote(push.repository, safe='')}{tag}"
    )
    identity, source, kind = str(uuid4()), "https://ci.example.com", f"{_PUBLISHED}0.3.0"
    context = {
        "specversion": "0.5.0",
        "id": identity,
        "source": source,
        "type": kind,
        "timestamp": examples.timestamp(now),
    }
    subject = {"id": package, "source": source, "content": {}}
    written = examples.json_example({"context": context, "subject": subject}, user_agent="Go-http-client/1.1")
    envelope = cloudevents.headers(type=kind, source=source, id=identity, now=now)
    return Example({**written.headers, **envelope}, written.body)


CDEVENTS = Provider(
    name="cdevents",
    secret_keys=("secret",),
    authentication=chosen(
        "authentication",
        among={
            "url": by_url,
            "signature": standard_webhooks(),
            "header": by_header("authorization", missing="missing authorization"),
        },
        usual="url",
    ),
    parse=parse,
    home=Home(repository="registry.example.com/team/app", anywhere=True, charts=True),
    example=example,
    registration=Registration(
        steps=(
            "Have the CI system, or the broker that its events go to, post events of the type artifact.published to "
            "the URL, in the binary or structured mode of CloudEvents.",
            "CDEvents has no place for a tag: where it is not a qualifier of the package URL, every Warehouse that "
            "subscribes to the repository is refreshed.",
        ),
    ),
)
