"""``urls``: the receivers and where they are reached."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from receivers.local import cluster
from receivers.local.addresses import Address, addresses, base_url, masked
from receivers.local.commands import output

COLUMNS = ("name", "provider", "project", "url")


def run(options: argparse.Namespace) -> int:
    """List every receiver."""
    rows = asyncio.run(_rows(options))
    output.show(options.output, lines=table(rows), document={"receivers": rows})
    return 0


async def _rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    async with cluster.opened(cluster.environment()) as service:
        base = base_url(service.settings, options.base_url)
        found = await addresses(service.directory)
        return [_row(address, base, reveal=options.reveal) for address in found]


def _row(address: Address, base: str, *, reveal: bool) -> dict[str, Any]:
    url = address.url(base)
    return {
        "name": address.receiver.name,
        "provider": address.sender,
        "project": address.receiver.project,
        "source": address.receiver.source,
        "url": (url if reveal else masked(url)) or None,
        "problem": address.problem or None,
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
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for each in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip()
