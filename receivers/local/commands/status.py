"""``status``: whether a running service is well, as its overview shows it."""

import argparse
import asyncio
from collections.abc import Iterator
from typing import Any

from receivers.local import asking
from receivers.local.asking import Declined
from receivers.local.commands import output

MARKS = {"ok": "ok", "warning": "warning", "failing": "FAILING"}
FAILING = "failing"


def run(options: argparse.Namespace) -> int:
    """Show the checks, what to do next, and the counts of 24 hours."""
    return asyncio.run(_status(options))


async def _status(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        try:
            document = await service.get("/overview", range="24h")
        except Declined as declined:
            return output.declined(options.command, declined)
    output.show(options.output, lines=lines(document), document=document)
    return 1 if document["level"] == FAILING else 0


def lines(document: dict[str, Any]) -> Iterator[str]:
    """A line for each check, with its remedy where there is something to do."""
    for check in document["checks"]:
        yield f"{MARKS.get(check['level'], '?'):8} {check['name']}: {check['says']}"
        if check["remedy"]:
            yield f"{'':8} {check['remedy']}"
    yield ""
    yield _figures(document)
    refused = sum(reason["lastDay"] for reason in document["refusedRequests"]["reasons"])
    yield f"refused before a receiver was known, within 24 hours: {refused}"
    first = document["next"]
    yield f"do next: {first['name']}: {first['remedy']}" if first else "all is well"


def _figures(document: dict[str, Any]) -> str:
    figures = document["figures"]
    if figures is None:
        return str(document["withoutFigures"])
    outcomes = [f"{count} {name}" for name, count in figures["outcomes"].items() if count]
    return f"deliveries within 24 hours: {figures['total']}" + (f" ({', '.join(outcomes)})" if outcomes else "")
