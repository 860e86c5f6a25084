"""``explain``: what a push, or a sender's request, would do, without posting it."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

from receivers.cluster.api import ClusterError
from receivers.deliveries import explaining, pushes, report
from receivers.deliveries.explaining import Explanation
from receivers.deliveries.pushes import NoPush
from receivers.deliveries.reading import BusyError
from receivers.directory.addresses import named
from receivers.directory.coverage import Tellers
from receivers.events import Decision, Event, PullRequestClosed, WebhookError, WebhookRequest
from receivers.local import cluster
from receivers.local.addresses import addresses
from receivers.local.cluster import WITHIN
from receivers.local.commands import output
from receivers.local.commands.send import choose, reached
from receivers.local.errors import Unable
from receivers.local.terminal import printable
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime


def run(options: argparse.Namespace) -> int:
    """Show what it would do."""
    try:
        if options.what in PROVIDERS:
            request = _request(options)
            explanation = asyncio.run(_request_explained(options, request))
        else:
            events = _push(options)
            explanation = asyncio.run(_push_explained(options, events))
    except WebhookError as refusal:
        told = f"{refusal.status} {refusal.message}"
        output.show(options.output, lines=[told], document={"status": refusal.status, "error": refusal.message})
        return 1
    except (ClusterError, BusyError) as error:
        raise Unable(f"what Warehouses want is not known: {error}") from None
    output.show(options.output, lines=lines(explanation), document=explaining.document(explanation))
    return 0 if explanation.refreshes else 1


def lines(explanation: Explanation) -> Iterator[str]:
    """Each event, then each decision."""
    numbered = len(explanation.events) > 1
    for number, event in enumerate(explanation.events, start=1):
        yield printable(f"{number}: {report.described(event)}" if numbered else report.described(event))
    for decision in explanation.decisions:
        does = "would refresh" if decision.refresh else "would not refresh"
        yield printable(f"  {does} {decision.target.kind} {decision.target}: {decision.reason}")
        yield from map(printable, _told_by(explanation, decision))
    if explanation.triggers and not explanation.decisions:
        closed = all(isinstance(event, PullRequestClosed) for event in explanation.events)
        yield f"  concerns no {'Promotion' if closed else 'Warehouse'}"
    if explanation.alike:
        yield printable(f"  what Warehouses do subscribe to: {', '.join(explanation.alike)}")


def _told_by(explanation: Explanation, decision: Decision) -> Iterator[str]:
    by = explanation.told_by.get(decision.target)
    if by is not None:
        yield f"    {f'told by {named(by)}' if by else 'but no receiver can tell of it'}"


def _push(options: argparse.Namespace) -> list[Event]:
    if options.body is not None or options.header or options.query or options.receiver is not None:
        raise Unable(f"--body, --header, --query and --receiver are of a sender's request: {', '.join(PROVIDERS)}")
    try:
        return pushes.read(
            options.what, media_type=options.media_type, ref=options.ref, changed_files=options.changed_file
        )
    except NoPush as wrong:
        raise Unable(f"{options.what!r} is no sender and no push: {wrong}") from None


async def _push_explained(options: argparse.Namespace, events: list[Event]) -> Explanation:
    async with cluster.opened(cluster.environment()) as service:
        tellers = await Tellers.among(service.directory.receivers())
        return await explaining.explain(service.mirror, events, project=options.project, tellers=tellers)


def _request(options: argparse.Namespace) -> WebhookRequest:
    if options.media_type or options.ref or options.changed_file:
        raise Unable("--media-type, --ref and --changed-file are of a push; a sender's request has them in its body")
    return WebhookRequest(
        method="POST",
        path=f"/{options.what}",
        headers=dict(_header(each) for each in options.header),
        query=dict(parse_qsl(options.query, keep_blank_values=True)),
        body=_body(options.body or "-"),
        received_at=datetime.now(UTC),
    )


def _header(written: str) -> tuple[str, str]:
    name, colon, value = written.partition(":")
    if not colon or not name.strip():
        raise Unable("a header is written as Name: value")
    return name.strip().lower(), value.strip()


def _body(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise Unable(f"the body cannot be read: {error.strerror}") from None


async def _request_explained(options: argparse.Namespace, request: WebhookRequest) -> Explanation:
    """As far as the request would come. Nobody proves it: nothing is refreshed for it."""
    async with cluster.opened(cluster.environment()) as service:
        return await _meant(service, options, request)


async def _meant(service: Runtime, options: argparse.Namespace, request: WebhookRequest) -> Explanation:
    provider = PROVIDERS[options.what]
    found = await addresses(service.directory)
    receiver = choose(found, provider=provider, name=options.receiver, project=options.project).receiver
    until = asyncio.get_running_loop().time() + WITHIN
    events = await service.pipeline.meaning(request, reached(provider, receiver), receiver, until=until)
    return await explaining.explain(service.mirror, events, project=receiver.project)
