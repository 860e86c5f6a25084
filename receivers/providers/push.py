"""Our own format, for CI systems and registries whose webhooks can be written: a push, signed as a Standard Webhook.

    {"type": "push", "data": {"image": "registry.example.com/team/app", "tag": "1.2.3"}}

https://www.standardwebhooks.com
"""

from datetime import datetime

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Ignored, Kind, Provider, Push, Registration
from receivers.wire import examples, git_hosts
from receivers.wire.authentication import by_header, by_url, chosen, standard_webhooks
from receivers.wire.claims import artifact_pushed, commits_pushed, shown
from receivers.wire.go_json import Reader


class Data(msgspec.Struct, frozen=True, rename="camel"):
    """What was pushed: an image, a chart, or commits, a branch or a tag of Git."""

    image: str = ""
    chart: str = ""  # "oci://registry.example.com/charts/app", or the URL of a chart repository
    repo: str = ""  # the URL of a Git repository
    tag: str = ""  # of an image; without it and without tags every subscriber is refreshed
    tags: list[str] = []
    version: str = ""  # of a chart; its tag means the same
    digest: str = ""
    ref: str = ""  # of Git: "refs/heads/main"
    commit: str = ""
    paths: list[str] | None = None  # files that changed, all of them; absent: not told
    default_branch: str = ""


class Payload(msgspec.Struct, frozen=True):
    """The whole of it."""

    type: str = ""
    data: Data = Data()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """What was pushed; one delivery may tell of an image and of a chart and of commits."""
    payload, delivery = _PAYLOAD.decode(proof.request.body), proof.request.header("webhook-id")
    if payload.type not in {"push", ""}:
        return [Ignored(f"type {shown(payload.type)} is no push")]
    data = payload.data
    events: list[Event] = []
    if data.image:
        events.append(_artifact(data.image, Kind.IMAGE, data, delivery))
    if data.chart:
        events.append(_artifact(data.chart, Kind.CHART, data, delivery))
    if data.repo:
        events.append(
            commits_pushed(
                repository_urls=(data.repo,),
                refs=(data.ref,),
                changed_files=None if data.paths is None else frozenset(data.paths) or None,
                default_branch=data.default_branch,
                host=git_hosts.host(data.repo),
                repository=data.repo,
                commit=data.commit,
                sender_event_id=delivery,
            )
        )
    return events or [Ignored("the push names no image, no chart and no repo")]


def _artifact(name: str, kind: Kind, data: Data, delivery: str) -> Event:
    return artifact_pushed(
        repository_urls=(name,),
        qualifiers=(*data.tags, data.tag, data.version if kind is Kind.CHART else ""),
        kinds=(kind,),
        registry=name.removeprefix("oci://").partition("/")[0],
        repository=name,
        digest=data.digest,
        sender_event_id=delivery,
    )


def example(push: Push, now: datetime) -> Example:
    """A push in our own format."""
    return examples.json_example({"type": "push", "timestamp": examples.timestamp(now), "data": _data(push)},
                                 user_agent="curl/8.5.0")  # fmt: skip


def _data(push: Push) -> dict[str, object]:
    if push.ref:
        told = {"repo": push.repository, "ref": push.ref, "commit": push.digest}
        return told | ({"paths": list(push.changed_files)} if push.changed_files else {})
    name = "chart" if push.media_type.startswith("application/vnd.cncf.helm") else "image"
    return {name: push.repository, "tag": push.tag, "digest": push.digest}


PUSH = Provider(
    name="push",
    secret_keys=("secret",),
    authentication=chosen(
        "authentication",
        among={
            "signature": standard_webhooks(),
            "header": by_header("authorization", missing="missing authorization"),
            "url": by_url,
        },
        usual="signature",
    ),
    parse=parse,
    home=Home(repository="registry.example.com/team/app", kinds=frozenset(Kind), anywhere=True, charts=True),
    example=example,
    registration=Registration(
        steps=(
            "Have the pipeline post what it pushed, signed with the receiver's secret by any library of Standard "
            'Webhooks. With "authentication": "url" or "header" in the receiver a plain curl will do.',
        ),
        command='curl --json \'{"data": {"image": "registry.example.com/team/app", "tag": "1.2.3"}}\' "$URL"',
    ),
)
