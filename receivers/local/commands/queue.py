"""``queue``: what waits for another try, and what was given up."""

import argparse
import asyncio
from collections.abc import Iterator
from typing import Any

from receivers.local import asking
from receivers.local.asking import Declined
from receivers.local.commands import output


def run(options: argparse.Namespace) -> int:
    """Show both."""
    return asyncio.run(_queue(options))


async def _queue(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        try:
            document = await service.get("/queue")
        except Declined as declined:
            return output.declined(options.command, declined)
    output.show(options.output, lines=lines(document), document=document)
    return 0


def lines(document: dict[str, Any]) -> Iterator[str]:
    """How many there are, and the first of each."""
    yield f"waiting: {document['waiting']}"
    for message in document["due"]:
        yield f"  {_message(message)}, tried {message['tries']} time(s)"
    yield f"given up: {document['poisoned']}"
    for each in document["poison"]:
        message = each["poisoned"]["message"]
        yield f"  {_message(message) if message else 'a message that cannot be read'}: {each['poisoned']['reason']}"


def _message(message: dict[str, Any]) -> str:
    return f"{message['delivery']}  {message['provider']} {message['project'] or '(cluster)'}/{message['receiver']}"
