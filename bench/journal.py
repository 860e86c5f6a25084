"""(i) A journal of a month with a million deliveries: the first page of each filter, and the nightly clean-up.

Against Azurite, which is one process of Node and looks at every entity of a table for each query, where Azure reads a
range: on Azure a page takes as many calls, and each is shorter. Rows are written straight through the table's client,
as an instance writes them, with the lists of their hours.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec

from bench import child
from bench.clusters import NotHere
from bench.figures import Chapter, Figure, milliseconds, say
from bench.size import Size
from receivers.deliveries.delivery import new_id
from receivers.events import Pushed
from receivers.journal import entities, hours, journal
from receivers.journal.catalogue import SINCE
from receivers.journal.catalogue import TABLE as HOURS
from receivers.journal.journal import Filter, Finding, Reach, Row, State, WarehouseRow
from receivers.journal.segments import Segment
from receivers.journal.table_journal import TABLE, TableJournal
from receivers.local.azurite import Azurite, Unavailable
from receivers.settings import Settings
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import CONFLICT, TRANSACTION, Entity, Table, batches

DAYS = 30
OLD = 1  # further days, for the clean-up
AT_ONCE = 8  # transactions
TRIES = 5  # of one
REPOSITORIES, WAREHOUSES, RECEIVERS = 2_000, 500, 40
RARE = 20_000  # deliveries of which one is for the rare repository
PAGE = 51  # rows: what a page shows, and one more
WRITE_EVERY = 0.1  # seconds, during the clean-up
SECOND, ROOM = 1.0, 64 * 1024 * 1024
HEAP = 16_000  # MiB that Node may take for Azurite's tables
FILTERS = {
    "nothing": Filter(),
    "provider": Filter(provider="quay"),
    "project": Filter(project="project-3"),
    "receiver": Filter(receiver="receiver-7"),
    "state": Filter(state="failed"),
    "finding": Filter(finding="missing"),
    "repository": Filter(repository="registry.example.com/team/app-77"),
    "a rare repository": Filter(repository="registry.example.com/team/rare"),
    "a part of its name": Filter(repository="rar"),
    "a repository that is not there": Filter(repository="nobody/pushed/this"),
    "Warehouse": Filter(warehouse="project-3/warehouse-33"),
    "rare repository, failed": Filter(repository="rare", state="failed"),
}


class Orders(msgspec.Struct):
    """What a reading process is to do."""

    connection: str
    only: str  # a key of FILTERS


class Read(msgspec.Struct):
    """What a reading process found."""

    rows: int
    seconds: float
    grown: int  # bytes of resident memory, above those of a process that has read one row
    resident: int
    until: str


def measure(size: Size) -> Chapter:
    """Raises NotHere without Azurite."""
    before = os.environ.get("NODE_OPTIONS")
    os.environ["NODE_OPTIONS"] = f"--max-old-space-size={HEAP}"
    try:
        figures = asyncio.run(_measure(size.journal))
    except Unavailable as reason:
        raise NotHere(str(reason)) from None
    finally:
        os.environ.pop("NODE_OPTIONS")
        if before is not None:
            os.environ["NODE_OPTIONS"] = before
    return Chapter(f"(i) A journal of {size.journal:,} rows, Azurite", figures)


async def _measure(count: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        azurite = await stack.enter_async_context(Azurite(Path(folder), in_memory=True))
        storage = Storage(Settings(storage_connection=azurite.connection_string))
        stack.push_async_callback(storage.close)
        filled = await _fill(storage, count)
        figures = [Figure("filling", f"{filled:.0f} s, {filled / count * 10_000:.1f} s for 10,000 rows")]
        figures += [await asyncio.to_thread(_page, azurite.connection_string, name) for name in FILTERS]
        return [*figures, *await _clean_up(storage)]


def _page(connection: str, name: str) -> Figure:
    """The first page of a filter, read by a process of its own."""
    orders = msgspec.json.encode(Orders(connection, name))
    done = subprocess.run([sys.executable, "-m", "bench.journal"], input=orders, capture_output=True, check=True)
    read = msgspec.json.decode(done.stdout, type=Read)
    say(f"    {name}: {read.rows} rows, {read.seconds:.2f} s")
    early = ", ended early" if read.until else ""
    return Figure(
        f"first page by {name}" if FILTERS[name] != Filter() else "first page",
        f"{milliseconds(read.seconds)}, {read.grown / 2**20:.0f} MB more, {read.rows} rows{early}",
        "1 s, 64 MB",
        read.seconds <= SECOND and read.grown <= ROOM,
    )


async def _read(orders: Orders) -> Read:
    storage = Storage(Settings(storage_connection=orders.connection))
    kept = TableJournal(storage, days=DAYS)
    await kept.read("0" * 24)
    before = _resident()
    began = time.perf_counter()
    found, reach = 0, Reach()
    async for _ in kept.rows(FILTERS[orders.only], reach=reach):
        found += 1
        if found == PAGE:
            break
    seconds = time.perf_counter() - began
    after = _resident()
    await kept.close()
    await storage.close()
    return Read(rows=found, seconds=seconds, grown=after - before, resident=after, until=reach.until)


def _resident() -> int:
    """The most that this process has held so far. (getrusage would count its parent's.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


async def _clean_up(storage: Storage) -> list[Figure]:
    """Delete what is too old while another instance writes deliveries."""
    cleaning = TableJournal(storage, days=DAYS)
    writing = TableJournal(storage, days=DAYS)
    began = time.perf_counter()
    task = asyncio.create_task(cleaning.clean())
    writes: list[float] = []
    number = 0
    while not task.done() or not writes:
        number += 1
        writing.write(_row(number, datetime.now(UTC)))
        wrote = time.perf_counter()
        await writing.close()  # which writes what waits
        writes.append(time.perf_counter() - wrote)
        await asyncio.sleep(WRITE_EVERY)
    seconds = time.perf_counter() - began
    deleted = await task
    fault = writing.fault()
    await cleaning.close()
    return [
        Figure("clean-up", f"{deleted:,} rows in {seconds:.1f} s"),
        Figure(
            "a row written meanwhile",
            f"{milliseconds(median(writes))}, the longest {milliseconds(max(writes))}{'; ' + fault if fault else ''}",
            "1 s",
            max(writes) <= SECOND and not fault,
        ),
    ]


async def _fill(storage: Storage, count: int) -> float:
    """Write rows of a month, and of the day before it. Returns how many seconds that took."""
    rows, lists = Table(storage, TABLE), Table(storage, HOURS)
    first = _row(0, datetime.now(UTC))
    await rows.merge([entities.entity_of(first, journal.encode(first), counted="bench")])
    await lists.merge([{"PartitionKey": SINCE, "RowKey": SINCE, "hour": "1"}])
    began = time.perf_counter()
    under_way: deque[asyncio.Task[None]] = deque()
    for table, batch in _transactions(rows, lists, count):
        under_way.append(asyncio.create_task(_merge(table, batch)))
        await asyncio.sleep(0)
        if len(under_way) >= AT_ONCE:
            await under_way.popleft()
    await asyncio.gather(*under_way)
    return time.perf_counter() - began


async def _merge(table: Table, batch: list[Entity]) -> None:
    """Azurite may be busy for some seconds."""
    for attempt in range(TRIES):
        try:
            await table.replace([(entity, "") for entity in batch])  # faster than an insert or merge
        except StorageError as error:
            if error.status == CONFLICT:  # it was written, though nobody said so
                return
            if attempt + 1 == TRIES:
                raise
            await asyncio.sleep(1)
        else:
            return


def _transactions(rows: Table, lists: Table, count: int) -> Iterator[tuple[Table, list[Entity]]]:
    """All that is to be written: rows, and a list of each hour that is full or over."""
    step = timedelta(days=DAYS + OLD) / count
    newest = datetime.now(UTC)
    waiting: list[Entity] = []
    segment = Segment(0, "bench-0")
    for number in range(count):
        row = _row(number, newest - number * step)
        if segment.is_full or segment.hour != hours.hour_of(row):
            yield lists, [segment.entity()]
            segment = Segment(hours.hour_of(row), f"bench-{number}")
        segment.settle(row)
        segment.tally.change(row, hours.names(row), ())
        waiting.append(entities.entity_of(row, journal.encode(row), counted="bench"))
        if len(waiting) == TRANSACTION or number == count - 1:
            yield from ((rows, batch) for batch in batches(waiting))
            waiting = []
        if number % 50_000 == 0:
            say(f"    {number:,} rows")
    yield lists, [segment.entity()]


def _row(number: int, at: datetime) -> Row:
    """One of many kinds, evenly mixed."""
    name = "rare" if number % RARE == 1 else f"app-{number * 7919 % REPOSITORIES}"
    warehouse = number * 7919 % WAREHOUSES
    state = State.FAILED if number % 500 == 1 else State.NOTHING if number % 5 == 1 else State.REFRESHED
    finding = (Finding.MISSING if number % 1_000 == 2 else Finding.FOUND) if state == State.REFRESHED else None
    pushed = Pushed(
        repository_urls=(f"registry.example.com/team/{name}",),
        qualifiers=(f"1.0.{number}",),
        registry="registry.example.com",
        repository=f"team/{name}",
        tag=f"1.0.{number}",
        digest=f"sha256:{number:064x}",
    )
    return Row(
        id=new_id(at),
        received_at=at,
        provider="quay" if number % 10 == 3 else "azure",
        receiver=f"receiver-{number % RECEIVERS}",
        project=f"project-{number % 20}",
        event="push",
        registry=pushed.registry,
        repository=pushed.repository,
        tag=pushed.tag,
        digest=pushed.digest,
        state=state,
        status=200,
        answer="refreshed 1 warehouse(s)",
        duration=0.02,
        warehouses=[
            WarehouseRow(
                project=f"project-{warehouse % 20 if warehouse != 33 else 3}",
                name=f"warehouse-{warehouse}",
                refresh=state != State.NOTHING,
                reason=f"tag 1.0.{number} satisfies ^1.0.0",
                state=state if state != State.NOTHING else None,
                value=at.isoformat(),
                handled_at=at + timedelta(seconds=2),
            )
        ],
        handled_at=at + timedelta(seconds=2),
        finding=finding,
        found_at=at + timedelta(seconds=4) if finding == Finding.FOUND else None,
        events=[pushed],
    )


if __name__ == "__main__":
    child.main(Orders, _read)
