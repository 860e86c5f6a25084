"""``compare``: the URLs of this service beside those that Kargo published."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from receivers.cluster.api import ClusterError
from receivers.kargo import paths
from receivers.local import cluster
from receivers.local.addresses import Address, addresses, masked
from receivers.local.commands import output
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime

COLUMNS = ("receiver", "kargo", "here", "result")
SAME, DIFFERS, OURS = "same", "differs", "here alone"


def run(options: argparse.Namespace) -> int:
    """Compare every receiver."""
    rows = asyncio.run(_rows(options))
    differing = sum(row["result"] == DIFFERS for row in rows)
    output.show(options.output, lines=table(rows), document={"differing": differing, "receivers": rows})
    return 1 if differing else 0


async def _rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    async with cluster.opened(cluster.environment()) as service:
        return [await _row(service, each, reveal=options.reveal) for each in await addresses(service.directory)]


async def _row(service: Runtime, address: Address, *, reveal: bool) -> dict[str, Any]:
    receiver = address.receiver
    here = f"{service.settings.base_path}/{receiver.provider}/{address.token}" if address.token else ""
    result, reason = await _compared(service, address, here)
    show = str if reveal else masked
    return {
        "name": address.name,
        "provider": receiver.provider,
        "project": receiver.project,
        "kargo": show(receiver.status_path) or None,
        "here": show(here) or None,
        "result": result,
        "reason": reason or None,
    }


async def _compared(service: Runtime, address: Address, here: str) -> tuple[str, str]:
    """How the two paths differ, and why."""
    published = address.receiver.status_path
    if address.receiver.source == "settings":
        return OURS, "it stands in the settings, of which Kargo knows nothing"
    if here and published == here:
        return SAME, "" if address.secret else "its Secret may not be read here, so that what Kargo published counts"
    return DIFFERS, await _difference(service, address, published)


async def _difference(service: Runtime, address: Address, published: str) -> str:
    if not address.token:
        return f"this service has no URL for it: {address.problem}"
    if not published:
        return "it is not in the status: not yet reconciled, or Kargo's management controller does not run"
    before, _, token = published.rpartition("/")
    if token == address.token:
        return f"the token is the same, and what stands before it is {before} at Kargo"
    if await _is_previous(service, address, token):
        return "the secret was changed: Kargo still shows the URL of the previous one, which is served too"
    return "the secret was changed, and Kargo has not reconciled it since"


async def _is_previous(service: Runtime, address: Address, token: str) -> bool:
    """Whether a previous secret, which still counts, makes this token."""
    receiver = address.receiver
    try:
        secrets = await service.directory.secrets_of(PROVIDERS[receiver.provider], receiver)
    except ClusterError:
        return False
    made = (paths.token(project=receiver.project, name=receiver.name, secrets=(each,)) for each in secrets or ())
    return token in made


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The rows in columns, and how many differ."""
    if not rows:
        yield "no receivers are configured"
        return
    cells = [[column.upper() for column in COLUMNS]]
    for row in rows:
        result = f"{row['result']}: {row['reason']}" if row["reason"] else row["result"]
        cells.append([row["name"], row["kargo"] or "-", row["here"] or "-", result])
    yield from output.columns(cells)
    yield f"{sum(row['result'] == DIFFERS for row in rows)} of {len(rows)} differ"
