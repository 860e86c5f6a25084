"""``redeliver``: have one delivery, or all that failed, delivered again."""

import argparse
import asyncio

from receivers.local import asking
from receivers.local.asking import Declined, Service
from receivers.local.commands import output


def run(options: argparse.Namespace) -> int:
    """Have the service do it, and tell the new deliveries; or only what would be refreshed."""
    return output.understood(options.command, lambda: asyncio.run(_redeliver(options)))


async def _redeliver(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        if options.preview:
            return await _preview(service, options)
        try:
            if options.since:
                document = await service.post("/deliveries/redeliver", since=options.since)
            else:
                document = await service.post(f"/deliveries/{options.delivery}/redeliver")
        except Declined as declined:
            return output.declined(options.command, declined)
    again = document["redelivered"]
    lines = [f"delivered again as {each['id']}, answered {each['status']}" for each in again]
    output.show(options.output, lines=lines or ["nothing has failed since then"], document=document)
    return 0 if all(each["status"] < 300 for each in again) else 1  # noqa: PLR2004 - HTTP's successes


async def _preview(service: Service, options: argparse.Namespace) -> int:
    """Tell what would be refreshed, and do nothing."""
    try:
        if options.since:
            document = await service.get("/deliveries/redeliver", since=options.since)
        else:
            document = await service.get(f"/deliveries/{options.delivery}/redeliver")
    except Declined as declined:
        return output.declined(options.command, declined)
    count, previewed = document.get("count", 1), document.get("previewed", 1)
    some = f" (of the latest {previewed})" if count > previewed else ""
    told = f"{count} {'delivery' if count == 1 else 'deliveries'}{some}: {document['says']}"
    output.show(options.output, lines=[told if count else "nothing has failed since then"], document=document)
    return 0 if document["wouldRefresh"] is not None else 1
