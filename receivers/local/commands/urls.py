"""``urls``: the receivers and where they are reached."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from receivers.local import cluster
from receivers.local.addresses import Address, addresses, base_url, masked
from receivers.local.commands import output
from receivers.providers import PROVIDERS

COLUMNS = ("name", "provider", "project", "url")


def run(options: argparse.Namespace) -> int:
    """List every receiver."""
    rows = asyncio.run(_rows(options))
    lines = chain(table(rows), steps(rows)) if options.steps else table(rows)
    output.show(options.output, lines=lines, document={"receivers": rows})
    return 0


async def _rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    async with cluster.opened(cluster.environment()) as service:
        base = base_url(service.settings, options.base_url)
        found = await addresses(service.directory)
        return [_row(address, base, reveal=options.reveal) for address in found]


def _row(address: Address, base: str, *, reveal: bool) -> dict[str, Any]:
    url = address.url(base)
    registration = (PROVIDERS.get(address.sender) or PROVIDERS[address.receiver.provider]).registration
    registration = registration.of(url) if reveal and url else registration
    return {
        "name": address.receiver.name,
        "provider": address.sender,
        "project": address.receiver.project,
        "source": address.receiver.source,
        "url": (url if reveal else masked(url)) or None,
        "problem": address.problem or None,
        "registration": {"steps": list(registration.steps), "command": registration.command or None},
    }


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The rows in columns; instead of a URL that is not there, why not."""
    if not rows:
        yield "no receivers are configured"
        return
    cells = [[column.upper() for column in COLUMNS]]
    for row in rows:
        url = row["url"] or f"({row['problem']})"
        cells.append([row["name"], row["provider"], row["project"] or "(cluster)", url])
    yield from output.columns(cells)


def steps(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How each receiver is registered at its sender."""
    for row in rows:
        yield ""
        yield f"{row['name']} ({row['provider']} {row['project'] or '(cluster)'})"
        for number, step in enumerate(row["registration"]["steps"], start=1):
            yield f"  {number}. {step}"
        if row["registration"]["command"]:
            yield f"  {row['registration']['command']}"
