"""``show``: all that is known of one delivery."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from receivers.local import asking
from receivers.local.asking import Declined
from receivers.local.commands import output

FACTS = {
    "id": "delivery",
    "receivedAt": "received",
    "state": "outcome",
    "summary": "",
    "handledAfter": "handled after",
    "foundAfter": "found after",
    "finding": "by Kargo",
    "provider": "provider",
    "project": "project",
    "receiver": "receiver",
    "event": "event",
    "artifact": "what",
    "digest": "digest",
    "mediaType": "media type",
    "senderEventId": "sender's event id",
    "status": "answered",
    "answer": "answer",
    "duplicateOf": "duplicate of",
    "redeliveryOf": "redelivery of",
    "redeliveredAs": "redelivered as",
}
WIDTH = max(map(len, FACTS.values())) + 2


def run(options: argparse.Namespace) -> int:
    """Show it."""
    return output.understood(options.command, lambda: asyncio.run(_show(options)))


async def _show(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        try:
            document = await service.get(f"/deliveries/{options.delivery}")
        except Declined as declined:
            return output.declined(options.command, declined)
    several = document.get("deliveries")
    shown = alike(several) if several else lines(document["delivery"])
    output.show(options.output, lines=shown, document=document)
    return 1 if several else 0


def alike(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The deliveries whose ids begin alike, to choose from."""
    yield f"{len(rows)} deliveries begin so:"
    for row in rows:
        yield f"  {row['id']}  {row['state']}  {row['artifact']}"


def lines(row: dict[str, Any]) -> Iterator[str]:
    """The facts, the decisions, the attempts."""
    for name, label in FACTS.items():
        value = row[name]
        if value not in ("", None):
            yield f"{label:<{WIDTH}}{f'{value:g} s' if name.endswith('After') else value}"
    for warehouse in row["warehouses"]:
        became = warehouse["state"] or "not refreshed"
        error = f" ({warehouse['error']})" if warehouse["error"] else ""
        searched = warehouse.get("searched") or {}
        found = f"; {searched['reason']}" if searched.get("reason") else ""
        kind = "Promotion " if warehouse.get("kind") == "Promotion" else ""
        yield f"  {kind}{warehouse['project']}/{warehouse['name']}: {became}{error}: {warehouse['reason']}{found}"
    if row["others"]:
        yield f"  {row['others']} other Warehouse(s) subscribe to other repositories"
    things = "Promotion(s)" if row["event"] == "pull request" else "Warehouse(s)"
    for attempt in row["attempts"]:
        became = attempt["error"] or f"refreshed {attempt['refreshed']} {things}"
        yield f"  tried again {attempt['at'][:19].replace('T', ' ')}: {became}"
