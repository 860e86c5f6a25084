"""``send``: a delivery as the sender would make it."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from receivers import examples
from receivers.events import Example, Kind, Provider, Push, Receiver, Unprovable
from receivers.local import cluster, posting
from receivers.local.addresses import Address, addresses, base_url, masked
from receivers.local.commands import output
from receivers.local.errors import Unable
from receivers.local.posting import Reply
from receivers.providers import PROVIDERS

SECRET = "RECEIVER_SECRET"  # noqa: S105 - the name of a variable; of the environment, which no list of processes shows


def run(options: argparse.Namespace) -> int:
    """Post one push, or that a pull request was merged, and show the answer."""
    url, push, reply = asyncio.run(_send(options))
    lines = [_shown(push, options), f"to {masked(url)}", str(reply)]
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
    }
    output.show(options.output, lines=lines, document=document)
    return 0 if reply.good else 1


def _shown(push: Push, options: argparse.Namespace) -> str:
    if options.pull_request is not None:
        return str(options.pull_request)
    if push.ref:
        return f"{push.repository} {push.ref}"
    return f"{push.repository}:{push.tag}" if push.tag else f"{push.repository}@{push.digest}"


async def _send(options: argparse.Namespace) -> tuple[str, Push, Reply]:
    provider = PROVIDERS[options.provider]
    if options.pull_request == "":
        raise Unable("--pull-request needs the URL of one")
    if options.url:
        url, push, receiver = options.url, examples.push(provider), _unknown(provider)
        secret = os.environ.get(SECRET, "").encode(errors="surrogateescape")
    else:
        url, push, receiver, secret = await _from_cluster(provider, options)
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
    return url, push, await posting.post(url, example.headers, example.body)


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


async def _from_cluster(provider: Provider, options: argparse.Namespace) -> tuple[str, Push, Receiver, bytes]:
    async with cluster.opened(cluster.environment()) as service:
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
