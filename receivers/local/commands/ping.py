"""``ping``: whether a running service answers, and whether it knows its receivers."""

import argparse
import asyncio
import json
from datetime import UTC, datetime

from receivers.events import Example
from receivers.local import cluster, posting
from receivers.local.addresses import Address, addresses, base_url, masked
from receivers.local.commands import output
from receivers.local.errors import Unable
from receivers.local.posting import Reply
from receivers.pages import problems
from receivers.providers import PROVIDERS


def run(options: argparse.Namespace) -> int:
    """Ask, and show every answer."""
    replies, unasked = asyncio.run(_ping(options))
    lines = [f"{what}: {summary(reply)}" for what, reply in replies.items()]
    if unasked:
        lines.append(f"receivers were not pinged: {unasked}")
    document = {
        "answers": [{"to": what, **reply.document} for what, reply in replies.items()],
        "notPinged": unasked or None,
    }
    output.show(options.output, lines=lines, document=document)
    return 0 if all(reply.good for reply in replies.values()) else 1


def summary(reply: Reply) -> str:
    """The reply in a few words: of ``/readyz``, what is missing, and since when the cluster is away."""
    try:
        state = json.loads(reply.body)
        ready, missing = state["ready"], state["missing"]
    except (ValueError, TypeError, KeyError):
        return str(reply)
    away = state.get("clusterAwaySeconds")
    outage = f"; the cluster is away since {problems.since(away)}" if isinstance(away, int) else ""
    told = "ready" if ready else f"not ready, missing: {', '.join(missing)}"
    return f"{reply.status} {told}{outage}"


async def _ping(options: argparse.Namespace) -> tuple[dict[str, Reply], str]:
    """The answers by what was asked, and why receivers were not."""
    variables = cluster.environment()
    base = base_url(cluster.checked(variables), options.base_url)
    replies = {f"{base}/{page}": await posting.get(f"{base}/{page}") for page in ("healthz", "readyz")}
    try:
        async with cluster.opened(variables) as service:
            found = await addresses(service.directory)
    except Unable as error:
        return replies, str(error)
    for address in found:
        ping = _ping_of(address)
        if ping is not None:
            replies[f"{address.name} {masked(address.url(base))}"] = await posting.post(
                address.url(base), ping.headers, ping.body
            )
    return replies, ""


def _ping_of(address: Address) -> Example | None:
    """The ping that this receiver's sender posts, with what proves it; None where it has none."""
    provider = PROVIDERS.get(address.receiver.provider) if address.token else None
    provider = provider and provider.of(address.receiver)
    if provider is None or provider.ping is None:
        return None
    return provider.proven(provider.ping(datetime.now(UTC)), address.receiver, address.secret)
