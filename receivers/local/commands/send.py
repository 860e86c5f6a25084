"""``send``: a delivery as the sender would make it."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from receivers import examples
from receivers.cluster.api import ClusterError
from receivers.deliveries import matching, report
from receivers.deliveries.delivery import Delivery
from receivers.events import (
    Authenticated,
    Example,
    Kind,
    Provider,
    Push,
    Receiver,
    Unprovable,
    WebhookError,
    WebhookRequest,
)
from receivers.local import cluster, posting
from receivers.local.addresses import Address, addresses, base_url, checked, masked
from receivers.local.commands import output
from receivers.local.errors import Unable
from receivers.local.posting import Reply
from receivers.local.terminal import printable
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime

SECRET = "RECEIVER_SECRET"  # noqa: S105 - the name of a variable; of the environment, which no list of processes shows


def run(options: argparse.Namespace) -> int:
    """Post one push, or that a pull request was merged, and show the answer."""
    url, push, reply, reasons = asyncio.run(_send(options))
    lines = [_shown(push, options), f"to {masked(url)}", str(reply), *(f"  {printable(each)}" for each in reasons)]
    if reply.delivery_id:
        lines.append(f"delivery {reply.delivery_id}, {reply.milliseconds} ms")
    document = {
        "provider": options.provider,
        "url": masked(url),
        "repository": push.repository,
        "tag": push.tag,
        "digest": push.digest,
        "mediaType": push.media_type,
        "ref": push.ref,
        "pullRequest": options.pull_request,
        **reply.document,
        "reasons": reasons,
    }
    output.show(options.output, lines=lines, document=document)
    return 0 if reply.good else 1


def _shown(push: Push, options: argparse.Namespace) -> str:
    if options.pull_request is not None:
        return str(options.pull_request)
    if push.ref:
        return f"{push.repository} {push.ref}"
    return f"{push.repository}:{push.tag}" if push.tag else f"{push.repository}@{push.digest}"


async def _send(options: argparse.Namespace) -> tuple[str, Push, Reply, list[str]]:
    provider = PROVIDERS[options.provider]
    if options.pull_request == "":
        raise Unable("--pull-request needs the URL of one")
    if options.url:
        checked(options.url, called="--url")
        secret = os.environ.get(SECRET, "").encode(errors="surrogateescape")
        push, reply, _ = await _post(
            provider, options, options.url, examples.push(provider), _unknown(provider), secret
        )
        return options.url, push, reply, []
    async with cluster.opened(cluster.environment()) as service:
        url, push, receiver, secret = await _from_cluster(service, provider, options)
        push, reply, example = await _post(provider, options, url, push, receiver, secret)
        return url, push, reply, await _reasons(service, reached(provider, receiver), receiver, example, reply)


async def _post(  # noqa: PLR0917 - all that a delivery is made of
    provider: Provider, options: argparse.Namespace, url: str, push: Push, receiver: Receiver, secret: bytes
) -> tuple[Push, Reply, Example]:
    provider = reached(provider, receiver).of(receiver)
    if provider.needs_secret(receiver) and not secret:
        raise Unable(
            f"{provider.name} proves each delivery by the receiver's secret: set {SECRET} to it, or use no --url"
        )
    if options.ref and not push.ref:  # the Warehouses here subscribe to no Git repository
        push = examples.push(provider)
    if push.ref and _is_of_artifact(options):
        push = examples.artifact()
    push = _as_told(push, options)
    try:
        example = provider.proven(_example(provider, push, options), receiver, secret)
    except Unprovable as error:
        raise Unable(f"nothing was sent: {error}") from None
    return push, await posting.post(url, example.headers, example.body), example


async def _reasons(
    service: Runtime, provider: Provider, receiver: Receiver, example: Example, reply: Reply
) -> list[str]:
    """Why a delivery that was taken refreshes nothing, by the service's own rules; empty where it refreshes."""
    if not reply.good:
        return []
    headers = {name.lower(): value for name, value in example.headers.items()}
    now, path = datetime.now(UTC), f"/{provider.name}"
    request = WebhookRequest(method="POST", path=path, headers=headers, query={}, body=example.body, received_at=now)
    try:
        events = provider.events(Authenticated(request=request, receiver=receiver))
        delivery = Delivery(
            id="", received_at=request.received_at, provider=receiver.provider, receiver=receiver, events=list(events)
        )
        if not delivery.triggers:
            return [report.described(event) for event in events]
        match = await matching.match(service.mirror, delivery.triggers, project=receiver.project)
    except (WebhookError, ClusterError):
        return []  # the answer tells
    if any(decision.refresh for decision in match.decisions):
        return []
    refused = [f"not {decision.target}: {decision.reason}" for decision in match.decisions]
    return refused or [f"no {delivery.kind} wants it; `kargo-receivers explain` tells what they want"]


def _example(provider: Provider, push: Push, options: argparse.Namespace) -> Example:
    now = datetime.now(UTC)
    if options.pull_request is None:
        return provider.example(push, now)
    if provider.pull_request is None:
        raise Unable(f"{provider.name} tells of no pull requests")
    return provider.pull_request(options.pull_request, now)


def _unknown(provider: Provider) -> Receiver:
    """Of a receiver that only its URL is known of."""
    return Receiver(provider=provider.name, name="", project=None, source="the command line")


async def _from_cluster(
    service: Runtime, provider: Provider, options: argparse.Namespace
) -> tuple[str, Push, Receiver, bytes]:
    found = await addresses(service.directory)
    address = choose(found, provider=provider, name=options.receiver, project=options.project)
    subscriptions = service.mirror.index.subscriptions(address.receiver.project)
    if _is_of_artifact(options):
        subscriptions = [each for each in subscriptions if each.kind is not Kind.GIT]
    provider = reached(provider, address.receiver)
    url = address.url(base_url(service.settings, options.base_url), provider=provider.name)
    push = examples.push(provider.of(address.receiver), subscriptions, receiver=address.receiver)
    return url, push, address.receiver, address.secret


def choose(found: Sequence[Address], *, provider: Provider, name: str | None, project: str | None) -> Address:
    """The one receiver that this provider can post to. Raises :class:`Unable` when it is not one."""
    fitting = [
        address
        for address in found
        if (provider.is_for(address.receiver) or provider.name == address.sender)
        and name in (None, address.receiver.name)
        and project in (None, address.receiver.project)
    ]
    if not fitting:
        raise Unable(f"no such {provider.name} receiver; `kargo-receivers urls` lists those there are")
    if len(fitting) > 1:
        names = ", ".join(address.name for address in fitting)
        raise Unable(f"several {provider.name} receivers: {names}; choose one by --receiver and --project")
    if fitting[0].problem:
        raise Unable(f"{fitting[0].name} has no URL: {fitting[0].problem}")
    return fitting[0]


def reached(provider: Provider, receiver: Receiver) -> Provider:
    """The provider under whose name a receiver is reached that takes the requests of this one."""
    return provider if provider.is_for(receiver) else PROVIDERS[receiver.provider]


def _as_told(push: Push, options: argparse.Namespace) -> Push:
    """With what the command line says instead of the example."""
    told = {
        "repository": options.repository,
        "tag": options.tag,
        "digest": options.digest,
        "media_type": options.media_type,
        "ref": options.ref,
        "changed_files": tuple(options.changed_file) if options.changed_file else None,
    }
    return replace(push, **{name: value for name, value in told.items() if value is not None})


def _is_of_artifact(options: argparse.Namespace) -> bool:
    """Whether a tag or a repository in a registry is told: then it is no push of Git."""
    return options.ref is None and (options.tag is not None or "://" not in (options.repository or "://"))
