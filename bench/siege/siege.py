"""A siege: the same honest deliveries twice, first alone, then while all the others are hostile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice
from pathlib import Path

import aiohttp
from azure.core.exceptions import AzureError
from azure.data.tables.aio import TableClient

from bench import service
from bench.drill import senders, traffic
from bench.drill.annotations import Annotations
from bench.drill.scene import Host
from bench.drill.traffic import Post
from bench.figures import say
from bench.siege import hostile, tenants, watched, writing
from bench.siege.audit import USER, AuditLog
from bench.siege.control import Control, Latencies
from bench.siege.hostile import Report
from bench.siege.load import Load
from bench.siege.plan import Plan
from bench.siege.record import Outcome
from bench.workload import SECRETS_NAMESPACE
from receivers.journal.entities import inverted
from receivers.journal.table_journal import TABLE
from receivers.local.azurite import Azurite
from testbed.servers import ApiServer
from testbed.storage import empty

JOURNAL_WITHIN = 20.0  # seconds until the rows of the last deliveries are there
JOURNAL_PAGES = 50  # of 1,000 rows; the emulator takes long to count more
LOOK_EVERY = 0.2


class Siege:
    """Against an empty API server and an emulated Storage account; both run. Logs are in ``folder``."""

    def __init__(self, plan: Plan, server: ApiServer, audit: AuditLog, azurite: Azurite, folder: Path) -> None:
        self._plan = plan
        self._server = server
        self._audit = audit
        self._azurite = azurite
        self._folder = folder
        self._control = Control(server)
        self._images = tenants.honest(plan)
        self._hostile = tenants.hostile(plan)

    async def run(self) -> Outcome:
        """Both loads, each with a service of its own, which starts with what the cluster then holds."""
        await self._server.apply(*senders.objects(self._images, tenants.HONEST_SENDERS))
        await self._control.prepare()
        await self._allow([SECRETS_NAMESPACE, *senders.projects(self._images)])
        say("  the honest projects are there")
        calm = await self._load("calm", besieged=False)
        say("  the honest deliveries alone are done")
        refusals = await writing.write(self._server, self._hostile)
        await self._allow([tenant.project for tenant in self._hostile])
        say("  the hostile projects are there")
        siege = await self._load("siege", besieged=True)
        return Outcome(plan=self._plan, calm=calm, siege=siege, refusals=refusals)

    async def _allow(self, namespaces: Sequence[str]) -> None:
        await asyncio.gather(*(self._server.allow_secrets(namespace) for namespace in namespaces))

    async def _load(self, name: str, *, besieged: bool) -> Load:
        await empty(self._azurite.connection_string)
        self._audit.new()
        annotations = Annotations(self._server)
        holds = self._folder / f"{name}.holds"
        async with self._host(name, holds) as (host, ready), annotations.running():
            posts, bare, report = await self._traffic(host, besieged=besieged)
            alive = host.alive
            await annotations.settled(posts, patience=self._plan.patience if alive else 0)
            rows, rows_of = await _rows(self._azurite, posts)
            return Load(
                posts=posts,
                bare=bare,
                annotations=annotations,
                ready=ready,
                peak=service.memory(host.pid, "VmHWM") if alive else 0.0,
                alive=alive,
                holds=watched.read(holds),
                calls=self._audit.new(),
                rows=rows,
                rows_of=rows_of,
                report=report,
            )

    @asynccontextmanager
    async def _host(self, name: str, holds: Path) -> AsyncIterator[tuple[Host, float | None]]:
        """The service with its least rights, and after how long it was ready."""
        environment = {
            "KUBECONFIG": str(self._server.kubeconfig(USER)),
            "AzureWebJobsStorage": self._azurite.connection_string,
            "ANSWER_BUDGET_SECONDS": f"{self._plan.answer_budget:g}",
        }
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        host = Host(environment, folder=folder, module=("bench.siege.watched", str(holds)))
        try:
            await host.start()
            yield host, await _ready(host, within=self._plan.readiness)
        finally:
            host.kill()

    async def _traffic(self, host: Host, *, besieged: bool) -> tuple[list[Post], Latencies, Report | None]:
        if not besieged:
            return *await self._honest(host), None
        async with hostile.besieging(hostile.orders(self._plan, self._server, service=host.url)) as report:
            posts, bare = await self._honest(host, after=self._plan.warmth)
        return posts, bare, report.result()

    async def _honest(self, host: Host, *, after: float = 0.0) -> tuple[list[Post], Latencies]:
        plan = self._plan
        pushed = list(islice(cycle(self._images), plan.deliveries))
        async with self._control.running(after=after, seconds=plan.seconds) as bare:
            posts = await traffic.send(
                pushed, host.url, rate=plan.rate, phase=lambda: "", connections=plan.connections, after=after
            )
        return posts, bare


async def _ready(host: Host, *, within: float) -> float | None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with aiohttp.ClientSession(host.url) as session:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while host.alive and not await _is_ok(session):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_EVERY)
                return loop.time() - began if host.alive else None
    return None


async def _is_ok(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/readyz") as answer:
            return answer.ok
    except aiohttp.ClientError:
        return False


async def _rows(azurite: Azurite, posts: Sequence[Post]) -> tuple[int, int]:
    """How many rows the journal has, and how many of them are of these deliveries; all of them, if that is soon."""
    expected = {inverted(post.delivery_id) for post in posts if post.delivery_id}
    found = await _row_keys(azurite)
    with suppress(TimeoutError):
        async with asyncio.timeout(JOURNAL_WITHIN):
            while not expected <= found:
                await asyncio.sleep(LOOK_EVERY)
                found |= await _row_keys(azurite)
    return len(found), len(expected & found)


async def _row_keys(azurite: Azurite) -> set[str]:
    found: set[str] = set()
    async with TableClient.from_connection_string(azurite.connection_string, TABLE) as table:
        with suppress(AzureError):
            pages = table.list_entities(select="RowKey").by_page()
            async for page in pages:
                found |= {entity["RowKey"] async for entity in page}
                if len(found) >= JOURNAL_PAGES * 1000:
                    break
    return found
