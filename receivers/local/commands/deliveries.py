"""``deliveries``: what became of the latest deliveries."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from receivers.local import asking, terminal
from receivers.local.asking import Declined, Service
from receivers.local.commands import output

FILTERS = ("provider", "project", "receiver", "state", "finding", "repository", "warehouse", "search", "since", "until")
LOOK_EVERY = 2.0  # seconds
PATIENCE = 1.0  # seconds, after which and between which a long export says how far it has come
NEWS = 500  # deliveries that are looked at for news


def run(options: argparse.Namespace) -> int:
    """List them, and then those that follow."""
    if options.all:
        return asyncio.run(_all(options))
    listing = _follow if options.follow else _list
    return output.understood(options.command, lambda: asyncio.run(listing(options)))


async def _list(options: argparse.Namespace) -> int:
    async with asking.service(options) as service:
        try:
            page = await _page(service, options, limit=options.limit)
        except Declined as declined:
            return output.declined(options.command, declined)
    rows, note = page["deliveries"], page.get("note")
    lines = [line(row) for row in rows] or [f"no deliveries: {note}" if note else "no deliveries"]
    output.show(options.output, lines=lines, document={"deliveries": rows, **({"note": note} if note else {})})
    return 0


async def _all(options: argparse.Namespace) -> int:
    """Print every delivery as JSON, page by page, the newest first."""
    progress = Progress(clock=time.monotonic)
    async with asking.service(options) as service:
        before: str | None = ""
        while before is not None:
            try:
                page = await service.get("/deliveries", **_chosen(options), before=before, limit=str(NEWS))
            except Declined as declined:
                return output.declined(options.command, declined)
            terminal.show(output.encoded(row) for row in page["deliveries"])
            _complain(options, page)
            before = page["older"]
            if sys.stderr.isatty():
                progress.add(page["deliveries"])
    return 0


class Progress:
    """Says on stderr, a line a second at most, how many deliveries there were so far, once it takes a while."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at = clock()
        self._count = 0

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Further deliveries were printed."""
        self._count += len(rows)
        if rows and self._clock() - self._said_at >= PATIENCE:
            self._said_at = self._clock()
            terminal.complain(f"{self._count:,} deliveries so far, back to {rows[-1]['receivedAt'][:19]}")


async def _follow(options: argparse.Namespace) -> int:
    """Print a line for each delivery, and again when more became of it. JSON: a document on each line."""
    async with asking.service(options) as service:
        try:
            page = await _page(service, options, limit=NEWS)
        except Declined as declined:
            return output.declined(options.command, declined)
        _complain(options, page)
        rows = page["deliveries"]
        told = _progress(rows)
        _tell(options, rows[: options.limit])
        while True:
            await asyncio.sleep(LOOK_EVERY)
            rows = await _persistently(service, options)
            seen = _progress(rows)
            _tell(options, [row for row in rows if told.get(row["id"]) != seen[row["id"]]])
            told |= seen


async def _persistently(service: Service, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Ask until there is an answer; say once why there is none."""
    complaint = ""
    while True:
        try:
            page = await _page(service, options, limit=NEWS)
        except Declined as declined:
            if complaint != str(declined):
                complaint = str(declined)
                terminal.complain(f"{complaint}; still trying")
            await asyncio.sleep(LOOK_EVERY)
        else:
            rows: list[dict[str, Any]] = page["deliveries"]
            return rows


def _tell(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """Print rows, the oldest first."""
    terminal.show(output.encoded(row) if options.output == "json" else line(row) for row in reversed(rows))


async def _page(service: Service, options: argparse.Namespace, *, limit: int) -> dict[str, Any]:
    return await service.get("/deliveries", **_chosen(options), limit=str(limit))


def _complain(options: argparse.Namespace, page: dict[str, Any]) -> None:
    """Say on stderr why nothing is listed, where a name is not known."""
    if page.get("note"):
        terminal.complain(f"kargo-receivers {options.command}: {page['note']}")


def _chosen(options: argparse.Namespace) -> dict[str, str]:
    return {name: getattr(options, name) or "" for name in FILTERS}


def _progress(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str | None, str | None]]:
    """How far each delivery has come, by its id."""
    return {row["id"]: (row["state"], row["handledAt"], row["finding"]) for row in rows}


def line(row: dict[str, Any]) -> str:
    """One delivery: when, its id, what became of it, what it was, for which receiver, and why."""
    receiver = f"{row['project'] or '(cluster)'}/{row['receiver']}" if row["receiver"] else "no receiver"
    handled = f", handled after {row['handledAfter']:.1f} s" if row["handledAfter"] is not None else ""
    handled += {"found": f", found after {row['foundAfter']} s", "missing": ", not found by Kargo"}.get(
        row["finding"], ""
    )
    summary = f": {row['summary']}" if row["summary"] else ""
    when = row["receivedAt"][:19].replace("T", " ")
    return f"{when}  {row['id']}  {row['state']:<9}  {row['artifact']}  {row['provider']} {receiver}{summary}{handled}"
