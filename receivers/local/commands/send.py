"""``send``: a delivery as the sender would make it."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace

from receivers.examples import payloads, pushes
from receivers.examples.pushes import Push
from receivers.local import cluster, posting
from receivers.local.addresses import Address, addresses, base_url, masked
from receivers.local.commands import output
from receivers.local.errors import Unable
from receivers.local.posting import Reply
from receivers.providers import PROVIDERS


def run(options: argparse.Namespace) -> int:
    """Post one push and show the answer."""
    url, push, reply = asyncio.run(_send(options))
    lines = [
        f"{push.repository}:{push.tag}" if push.tag else f"{push.repository}@{push.digest}",
        f"to {masked(url)}",
        str(reply),
    ]
    if reply.delivery_id:
        lines.append(f"delivery {reply.delivery_id}, {reply.milliseconds} ms")
    document = {
        "provider": options.provider,
        "url": masked(url),
        "repository": push.repository,
        "tag": push.tag,
        "digest": push.digest,
        "mediaType": push.media_type,
        **reply.document,
    }
    output.show(options.output, lines=lines, document=document)
    return 0 if reply.good else 1


async def _send(options: argparse.Namespace) -> tuple[str, Push, Reply]:
    if options.url:
        url, push = options.url, pushes.push(options.provider)
    else:
        url, push = await _from_cluster(options)
    push = _as_told(push, options)
    headers, body = payloads.push(
        options.provider,
        repository=push.repository,
        tag=push.tag,
        digest=push.digest,
        media_type=push.media_type,
    )
    return url, push, await posting.post(url, headers, body)


async def _from_cluster(options: argparse.Namespace) -> tuple[str, Push]:
    async with cluster.opened(cluster.environment()) as service:
        found = await addresses(service.directory)
        address = choose(found, provider=options.provider, name=options.receiver, project=options.project)
        subscriptions = service.mirror.index.subscriptions(address.receiver.project)
        url = address.url(base_url(service.settings, options.base_url), provider=options.provider)
        return url, pushes.push(options.provider, subscriptions)


def choose(found: Sequence[Address], *, provider: str, name: str | None, project: str | None) -> Address:
    """The one receiver that this provider can post to. Raises :class:`Unable` when it is not one."""
    served = PROVIDERS[provider].serves or (provider,)
    fitting = [
        address
        for address in found
        if address.receiver.provider in served
        and name in (None, address.receiver.name)
        and project in (None, address.receiver.project)
    ]
    if not fitting:
        raise Unable(f"no such {provider} receiver; `kargo-receivers urls` lists those there are")
    if len(fitting) > 1:
        names = ", ".join(address.name for address in fitting)
        raise Unable(f"several {provider} receivers: {names}; choose one by --receiver and --project")
    if fitting[0].problem:
        raise Unable(f"{fitting[0].name} has no URL: {fitting[0].problem}")
    return fitting[0]


def _as_told(push: Push, options: argparse.Namespace) -> Push:
    """With what the command line says instead of the example."""
    told = {
        "repository": options.repository,
        "tag": options.tag,
        "digest": options.digest,
        "media_type": options.media_type,
    }
    return replace(push, **{name: value for name, value in told.items() if value is not None})
