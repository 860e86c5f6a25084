"""``explain``: what a request would mean to a receiver, without posting it."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

from receivers.cluster.api import ClusterError
from receivers.deliveries import matching, report
from receivers.deliveries.delivery import Delivery
from receivers.events import Authenticated, Event, Receiver, WebhookError, WebhookRequest
from receivers.local import cluster
from receivers.local.addresses import addresses
from receivers.local.commands import output
from receivers.local.commands.send import choose, reached
from receivers.local.errors import Unable
from receivers.local.terminal import printable
from receivers.providers import PROVIDERS


def run(options: argparse.Namespace) -> int:
    """Show what it would mean."""
    request = _request(options)
    try:
        delivery = asyncio.run(_explained(options, request))
    except WebhookError as refusal:
        told = f"{refusal.status} {refusal.message}"
        output.show(options.output, lines=[told], document={"status": refusal.status, "error": refusal.message})
        return 1
    except ClusterError as error:
        raise Unable(f"what Warehouses want is not known: {error}") from None
    output.show(options.output, lines=lines(delivery), document=document(delivery))
    return 0


def lines(delivery: Delivery) -> Iterator[str]:
    """Each event, then each decision."""
    numbered = len(delivery.events) > 1
    for number, event in enumerate(delivery.events, start=1):
        yield printable(f"{number}: {report.described(event)}" if numbered else report.described(event))
    for decision in delivery.decisions:
        does = "would refresh" if decision.refresh else "would not refresh"
        yield printable(f"  {does} {decision.target.kind} {decision.target}: {decision.reason}")
    if delivery.triggers and not delivery.decisions:
        yield f"  concerns no {delivery.kind}"


def document(delivery: Delivery) -> dict[str, object]:
    """The same."""
    return {
        "events": [{"kind": type(event).__name__, "told": report.described(event)} for event in delivery.events],
        "decisions": [
            {
                "kind": decision.target.kind,
                "project": decision.target.namespace,
                "name": decision.target.name,
                "refresh": decision.refresh,
                "reason": decision.reason,
            }
            for decision in delivery.decisions
        ],
    }


def _request(options: argparse.Namespace) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path=f"/{options.provider}",
        headers=dict(_header(each) for each in options.header),
        query=dict(parse_qsl(options.query, keep_blank_values=True)),
        body=_body(options.body),
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


async def _explained(options: argparse.Namespace, request: WebhookRequest) -> Delivery:
    """The delivery as far as it would come. Nobody proves the request: nothing is refreshed for it."""
    provider = PROVIDERS[options.provider]
    async with cluster.opened(cluster.environment()) as service:
        found = await addresses(service.directory)
        receiver = choose(found, provider=provider, name=options.receiver, project=options.project).receiver
        events = reached(provider, receiver).events(Authenticated(request=request, receiver=receiver))
        delivery = _delivery(request, receiver, events)
        if delivery.triggers:
            match = await matching.match(service.mirror, delivery.triggers, project=receiver.project)
            delivery.decisions = match.decisions
        return delivery


def _delivery(request: WebhookRequest, receiver: Receiver, events: Sequence[Event]) -> Delivery:
    return Delivery(
        id="", received_at=request.received_at, provider=receiver.provider, receiver=receiver, events=list(events)
    )
