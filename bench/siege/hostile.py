"""``python -m bench.siege.hostile``: all that is hostile, in a process of its own, for a while.

It reads :class:`Orders` from standard input and writes :class:`Report` to standard output, both JSON.
"""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from bench import child
from bench.load import ROOT
from bench.siege import attackers, tenants, writing
from bench.siege.attackers import Tally
from bench.siege.plan import Plan
from testbed.servers import ApiServer


class Orders(msgspec.Struct, kw_only=True):
    """Whom to attack, and whose objects to edit."""

    plan: Plan
    service: str  # its URL
    cluster: str
    ca_file: str
    token: str  # of who may edit


class Report(msgspec.Struct, kw_only=True):
    """What was done."""

    requests: dict[str, Tally]  # by kind
    edits: dict[str, dict[int, int]]  # how often the API server answered what


def orders(plan: Plan, server: ApiServer, *, service: str) -> Orders:
    """For the tenants of a cluster."""
    token = server.token("admin")
    return Orders(plan=plan, service=service, cluster=server.url, ca_file=str(server.ca_file), token=token)


@asynccontextmanager
async def besieging(given: Orders) -> AsyncIterator[asyncio.Task[Report]]:
    """The process runs while the block does, and ends by itself; then the report is there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.siege.hostile",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    async def report() -> Report:
        output, _ = await process.communicate(msgspec.json.encode(given))
        return msgspec.json.decode(output, type=Report)

    task = asyncio.create_task(report())
    try:
        yield task
        await task
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _carry_out(given: Orders) -> Report:
    plan = given.plan
    hostile = tenants.hostile(plan)
    seconds = plan.warmth + plan.seconds
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=given.ca_file))
    headers = {"Authorization": f"Bearer {given.token}"}
    async with (
        aiohttp.ClientSession(given.cluster, connector=connector, headers=headers) as session,
        asyncio.TaskGroup() as tasks,
    ):
        attack = tasks.create_task(attackers.attack(given.service, plan, hostile, seconds=seconds))
        light = tasks.create_task(writing.edit(session, writing.light_edits(hostile), rate=plan.edits, seconds=seconds))
        heavy = tasks.create_task(
            writing.edit(session, writing.heavy_edits(hostile), rate=plan.heavy_edits, seconds=seconds)
        )
    return Report(requests=attack.result(), edits={"small": dict(light.result()), "large": dict(heavy.result())})


if __name__ == "__main__":
    child.main(Orders, _carry_out)
