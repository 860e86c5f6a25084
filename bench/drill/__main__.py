"""``python -m bench.drill [--short] [--runs 10]``: an outage drill. Exit status 1 when a promise was broken."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import clusters, machine
from bench.drill import drill
from bench.drill.plan import FULL, SHORT, Plan
from bench.drill.record import Record, table
from bench.figures import say
from receivers.local.azurite import Azurite, Unavailable
from tests.cluster.servers import ApiServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Every run has an API server and a Storage account of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=__doc__)
    parser.add_argument("--short", action="store_true", help="300 deliveries and three faults, as the tests have it")
    parser.add_argument("--runs", type=int, default=1, help="how many in turn (default: %(default)s)")
    options = parser.parse_args(arguments)
    print("\n".join(machine.describe()))
    plan = SHORT if options.short else FULL
    try:
        runs = [_report(number, _run(plan)) for number in range(1, options.runs + 1)]
    except (clusters.NotHere, Unavailable) as reason:
        say(str(reason))
        return 1
    if len(runs) > 1:
        print(f"\nall runs\n\n{table([run.row for run in runs])}")
    return 1 if any(run.broken for run in runs) else 0


@dataclass(frozen=True, slots=True)
class Run:
    """What is kept of a run until all are over."""

    row: list[str]
    broken: list[str]


def _run(plan: Plan) -> Record:
    with tempfile.TemporaryDirectory() as folder, clusters.real() as server:
        return asyncio.run(_with_storage(plan, server, Path(folder)))


async def _with_storage(plan: Plan, server: ApiServer, folder: Path) -> Record:
    data = folder / "azurite"
    data.mkdir()
    async with Azurite(data) as azurite:
        return await drill.run(plan, server, azurite, folder)


def _report(number: int, record: Record) -> Run:
    """Print what a run gave."""
    broken = record.broken()
    verdict = f"{len(broken)} times a promise was broken" if broken else "every promise was kept"
    print(f"\nrun {number}: {verdict}\n")
    rows = record.rows()
    print(table(rows))
    print("\n".join(["", *record.summary()]))
    print("\n".join(["", *broken[:20]]), flush=True)
    return Run([f"run {number}", *rows[-1][1:]], broken)


if __name__ == "__main__":
    sys.exit(main())
