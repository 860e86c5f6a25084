"""``redeliver``: have one delivery, or all that failed, delivered again."""

import argparse
import asyncio

from receivers.local import asking
from receivers.local.asking import Declined
from receivers.local.commands import output


def run(options: argparse.Namespace) -> int:
    """Have the service do it, and tell the new deliveries."""
    return output.understood(options.command, lambda: asyncio.run(_redeliver(options)))


async def _redeliver(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
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
