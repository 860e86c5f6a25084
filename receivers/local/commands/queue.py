"""``queue``: what waits for another try, what was given up, and trying that again or discarding it."""

import argparse
import asyncio
from collections.abc import Iterator
from typing import Any

from receivers.local import asking
from receivers.local.asking import Declined, Service
from receivers.local.commands import output

ALL = "all"  # that were given up
GONE = "no message with this id was given up; `kargo-receivers queue` lists those that were"


def run(options: argparse.Namespace) -> int:
    """Show both, or do as told."""
    return output.understood(options.command, lambda: asyncio.run(_queue(options)))


async def _queue(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        try:
            document = await _asked(service, options)
            told = list(done(document) if options.retry or options.discard else lines(document))
        except Declined as declined:
            return output.declined(options.command, declined)
    if options.retry not in {None, ALL} and not document["revived"]:
        return output.declined(options.command, Declined(GONE))
    output.show(options.output, lines=told, document=document)
    return 0


async def _asked(service: Service, options: argparse.Namespace) -> dict[str, Any]:
    if options.discard:
        return await service.post("/queue/discard", id=options.discard)
    if options.retry:
        return await service.post("/queue/revive", **({} if options.retry == ALL else {"id": options.retry}))
    return await service.get("/queue")


def done(document: dict[str, Any]) -> Iterator[str]:
    """What was done with messages that were given up."""
    if "discarded" in document:
        yield f"discarded: {document['discarded']}"
    else:
        yield f"tried again: {document['revived']}" if document["revived"] else "nothing was given up"


def lines(document: dict[str, Any]) -> Iterator[str]:
    """How many there are, and the first of each."""
    oldest = f", the oldest since {_time(document['oldest'])}" if document["oldest"] else ""
    yield f"waiting: {_count(document, 'waiting')}{oldest}"
    for each in document["deliveries"]:
        yield from _waiting(each)
    yield f"given up: {_count(document, 'poisoned')}"
    for each in document["poison"]:
        yield from _given_up(each)
    if document["poison"]:
        yield "  kargo-receivers queue --retry ID|all tries again, and --discard ID deletes"


def _waiting(each: dict[str, Any]) -> Iterator[str]:
    following = _time(each["nextTry"]) if each["nextTry"] else "once the cluster answers"
    yield f"  {each['id']}  {_receiver(each)}: {each['what']}"
    yield f"    since {_time(each['since'])}, tried {each['tries']} time(s), next {following}"
    if each["lastError"]:
        yield f"    last error: {each['lastError']}"


def _given_up(each: dict[str, Any]) -> Iterator[str]:
    message = each["poisoned"]["message"]
    of = f" ({_receiver(message)}, delivery {message['delivery']})" if message else ""
    since = f", since {_time(each['since'])}" if each["since"] else ""
    yield f"  {each['id']}  {each['what']}{of}"
    yield f"    {each['poisoned']['reason']}{since}"


def _receiver(each: dict[str, Any]) -> str:
    return f"{each['provider']} {each['project'] or '(cluster)'}/{each['receiver']}"


def _count(document: dict[str, Any], name: str) -> str:
    return f"{'' if document[f'{name}Exact'] else 'about '}{document[name]}"


def _time(written: str) -> str:
    """A time in UTC, to the second."""
    return written[:19].replace("T", " ")
