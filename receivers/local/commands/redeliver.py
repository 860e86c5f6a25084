"""``redeliver``: have one delivery, or all that failed, delivered again."""

import argparse
import asyncio
from typing import Any

from receivers.local import asking
from receivers.local.asking import Declined
from receivers.local.commands import output


def run(options: argparse.Namespace) -> int:
    """Have the service do it, and tell the new deliveries; or only what would be refreshed."""
    return output.understood(options.command, lambda: asyncio.run(_redeliver(options)))


async def _redeliver(options: argparse.Namespace) -> int:
    path = "/deliveries/redeliver" if options.since else f"/deliveries/{options.delivery}/redeliver"
    which = {"since": options.since} if options.since else {}
    async with asking.service(options) as service:
        ask = service.get if options.preview else service.post
        try:
            document = await ask(path, **which)
        except Declined as declined:
            return output.declined(options.command, declined)
    return (_previewed if options.preview else _redelivered)(document, options)


def _redelivered(document: dict[str, Any], options: argparse.Namespace) -> int:
    """Tell the new deliveries."""
    again = document["redelivered"]
    lines = [f"delivered again as {each['id']}, answered {each['status']}" for each in again]
    output.show(options.output, lines=lines or ["nothing has failed since then"], document=document)
    return 0 if all(each["status"] < 300 for each in again) else 1  # noqa: PLR2004 - HTTP's successes


def _previewed(document: dict[str, Any], options: argparse.Namespace) -> int:
    """Tell what would be refreshed."""
    count, previewed = document.get("count", 1), document.get("previewed", 1)
    some = f" (of the latest {previewed})" if count > previewed else ""
    told = f"{count} {'delivery' if count == 1 else 'deliveries'}{some}: {document['says']}"
    output.show(options.output, lines=[told if count else "nothing has failed since then"], document=document)
    return 0 if document["wouldRefresh"] is not None else 1
