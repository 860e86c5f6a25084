"""JFrog Artifactory: one object per tag pushed to a Docker or OCI repository, signed or with the secret itself.

Payload and proof: https://jfrog.com/help/r/jfrog-platform-administration-documentation/webhooks
"""

import json
from datetime import datetime
from hashlib import sha256

import msgspec

from receivers import go_url
from receivers.events import (
    Authenticated,
    Event,
    Example,
    Home,
    Kind,
    Malformed,
    Option,
    Provider,
    Push,
    Registration,
)
from receivers.wire import examples
from receivers.wire.authentication import by_header, by_hmac, chosen
from receivers.wire.claims import artifact_pushed, ignored, pushed_by_digest, shown, tags
from receivers.wire.go_json import Reader

_HEADER = "x-jfrog-event-auth"
_MISSING = "missing signature"  # Kargo's words
_HELM = "application/vnd.cncf.helm"

# What may have been pushed, by the repository's type. The documentation's own sample names none.
_KINDS = {"docker": (Kind.IMAGE,), "oci": (Kind.CHART,), "": (Kind.IMAGE, Kind.CHART)}


class Data(msgspec.Struct, frozen=True):
    """What was pushed."""

    repo_key: str = ""  # of the repository that holds it: never a virtual one
    path: str = ""  # "team/app/1.2.3/manifest.json"; of a part of an index "team/app/sha256:…/manifest.json"
    image_type: str = ""
    tag: str = ""
    digest: str = msgspec.field(name="sha256", default="")  # of the manifest, bare hex


class Payload(msgspec.Struct, frozen=True):
    """The fields used of an event's body."""

    domain: str = ""
    event_type: str = ""
    jpd_origin: str = ""  # "https://example.jfrog.io/artifactory"
    data: Data = Data()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """The push. The receiver's ``virtualRepoName`` stands for the repository that holds it, where pulls go by another.

    Raises :class:`Malformed` for a push whose place cannot be read, as Kargo does.
    """
    payload = _PAYLOAD.decode(proof.request.body)
    if (payload.domain, payload.event_type) != ("docker", "pushed"):
        event = f"{payload.domain}/{payload.event_type}"
        return [ignored(f"event {shown(event)} is not supported", payload.data.repo_key)]
    data = payload.data
    kinds = _KINDS.get(data.image_type)
    if kinds is None:
        return [ignored(f"image type {shown(data.image_type)} is not supported", data.repo_key)]
    host = _host(payload.jpd_origin)
    *image, reference, _file = _parts(data.path)
    key = proof.receiver.options.get("virtualRepoName") or data.repo_key
    repository = "/".join([key, *image])
    if (data.tag or ":" in reference) and not tags((data.tag,)):
        return [pushed_by_digest(f"{host}/{repository}")]
    return [
        artifact_pushed(
            repository_urls=(f"{host}/{repository}",) if host and key else (),
            kinds=kinds,
            qualifiers=(data.tag,),
            registry=host,
            repository=repository,
            digest=f"sha256:{data.digest}" if data.digest else "",
        )
    ]


def _host(origin: str) -> str:
    try:
        return go_url.parse(origin).host.decode(errors="replace")
    except go_url.InvalidUrl:
        raise Malformed(f"invalid value {_quoted(origin)} in payload's jpd_origin field") from None


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if len(parts) < 2:  # noqa: PLR2004 - a tag and a file
        raise Malformed(f"invalid value {_quoted(path)} in payload's data.path field")
    return parts


def _quoted(text: str) -> str:
    return json.dumps(shown(text), ensure_ascii=False)


def example(push: Push, _now: datetime) -> Example:
    """What Artifactory posts after a push; the first part of the path is the repository's key."""
    host, _, path = push.repository.partition("/")
    key, _, image = path.partition("/")
    reference = push.tag or push.digest
    data = {
        "repo_key": key,
        "event_type": "pushed",
        "path": "/".join(filter(None, (image, reference, "list.manifest.json"))),
        "name": "list.manifest.json",
        "sha256": push.digest.partition(":")[2] or sha256(reference.encode(errors="replace")).hexdigest(),
        "size": examples.MANIFEST_SIZE,
        "image_name": image,
        "image_type": "oci" if push.media_type.startswith(_HELM) else "docker",
        "tag": reference,
        "platforms": [{"architecture": "amd64", "os": "linux"}],
    }
    document = {
        "domain": "docker",
        "event_type": "pushed",
        "data": data,
        "subscription_key": "kargo",
        "jpd_origin": f"https://{host}/artifactory",
        "source": "jfrog/ci",
    }
    return examples.json_example(document, user_agent="JFrog-Event/1.0")


ARTIFACTORY = Provider(
    name="artifactory",
    secret_keys=("secret-token",),
    authentication=chosen(
        "authentication",
        among={
            "signature": by_hmac(_HEADER, algorithm="sha256", missing=_MISSING),
            "secret": by_header(_HEADER, missing=_MISSING),
        },
        usual="signature",
    ),
    parse=parse,
    options={"virtualRepoName": Option(about="The virtual repository that Warehouses subscribe to.")},
    home=Home(
        repository="example.jfrog.io/docker-local/team/app",
        own=(".jfrog.io",),
        elsewhere=frozenset({Kind.IMAGE, Kind.CHART}),
    ),
    example=example,
    registration=Registration(
        steps=(
            "Administration, General, Webhooks, New Webhook. Events: Docker, Tag was pushed; the repositories that "
            "hold what Warehouses subscribe to. URL: the URL. Secret token: the Secret's secret-token. Select "
            "Use secret for payload signing: without it Artifactory sends the secret itself, which only a receiver of "
            'the settings with "authentication": "secret" takes.',
            "Events name the repository that holds the image, never a virtual one: where Warehouses subscribe to a "
            "virtual repository, set virtualRepoName.",
        ),
    ),
)
