"""``deliveries``: what became of the latest deliveries."""

import argparse
import asyncio
import json
import sys
from typing import Any

from receivers.local import asking
from receivers.local.asking import Declined, Service
from receivers.local.commands import output

FILTERS = ("provider", "project", "state", "repository", "since")
LOOK_EVERY = 2.0  # seconds
NEWS = 500  # deliveries that are looked at for news


def run(options: argparse.Namespace) -> int:
    """List them, and then those that follow."""
    return asyncio.run(_follow(options) if options.follow else _list(options))


async def _list(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        try:
            document = await _ask(service, options, limit=options.limit)
        except Declined as declined:
            return output.declined(options.command, declined)
    rows = document["deliveries"]
    output.show(options.output, lines=[line(row) for row in rows] or ["no deliveries"], document=document)
    return 0


async def _follow(options: argparse.Namespace) -> int:
    """Print a line for each delivery, and again when more became of it. JSON: a document on each line."""
    told: dict[str, tuple[str, str | None]] = {}
    complaint = ""
    async with asking.service(options) as service:
        while True:
            try:
                rows = (await _ask(service, options, limit=NEWS if told else options.limit))["deliveries"]
                complaint = ""
            except Declined as declined:
                if not told:
                    return output.declined(options.command, declined)
                if complaint != str(declined):
                    complaint = str(declined)
                    print(f"{complaint}; still trying", file=sys.stderr)
                rows = []
            for row in reversed(rows):
                if told.get(row["id"]) != _progress(row) and (not told or row["id"] >= min(told)):
                    print(json.dumps(row) if options.output == "json" else line(row), flush=True)
            told |= {row["id"]: _progress(row) for row in rows}
            await asyncio.sleep(LOOK_EVERY)


async def _ask(service: Service, options: argparse.Namespace, *, limit: int) -> dict[str, Any]:
    chosen = {name: getattr(options, name) or "" for name in FILTERS}
    return await service.get("/deliveries", **chosen, limit=str(limit))


def _progress(row: dict[str, Any]) -> tuple[str, str | None]:
    return row["state"], row["handledAt"]


def line(row: dict[str, Any]) -> str:
    """One delivery: when, its id, what became of it, what it was, for which receiver, and why."""
    receiver = f"{row['project'] or '(cluster)'}/{row['receiver']}" if row["receiver"] else "no receiver"
    handled = f", handled after {row['handledAfter']:.1f} s" if row["handledAfter"] is not None else ""
    summary = f": {row['summary']}" if row["summary"] else ""
    when = row["receivedAt"][:19].replace("T", " ")
    return f"{when}  {row['id']}  {row['state']:<9}  {row['artifact']}  {row['provider']} {receiver}{summary}{handled}"
