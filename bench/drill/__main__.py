"""``python -m bench.drill [--short] [--runs 10] [--outages 15,900]``: an outage drill.

Exit status 1 when a promise was broken.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import clusters, machine
from bench.drill import drill, recovery
from bench.drill.plan import FULL, SHORT, Plan
from bench.drill.record import Record, table
from bench.figures import say
from receivers.local.azurite import Azurite, Unavailable
from testbed.servers import ApiServer

OUTAGES, SHORT_OUTAGES = (15.0, 900.0), (4.0,)  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Every run has an API server and a Storage account of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=__doc__)
    parser.add_argument("--short", action="store_true", help="300 deliveries and three faults, as the tests have it")
    parser.add_argument("--runs", type=int, default=1, help="how many in turn (default: %(default)s)")
    parser.add_argument(
        "--outages",
        type=lambda text: [float(each) for each in text.split(",") if each],
        metavar="SECONDS,…",
        help="how long the API server is gone where the recovery is timed (default: 15,900, short: 4); empty: none",
    )
    options = parser.parse_args(arguments)
    print("\n".join(machine.describe()))
    plan, outages = (SHORT, SHORT_OUTAGES) if options.short else (FULL, OUTAGES)
    if options.outages is not None:
        outages = tuple(options.outages)
    try:
        runs = [_report(number, _run(plan)) for number in range(1, options.runs + 1)]
        broken = _time_recovery(outages) if outages else []
    except (clusters.NotHere, Unavailable) as reason:
        say(str(reason))
        return 1
    if len(runs) > 1:
        print(f"\nall runs\n\n{table([run.row for run in runs])}")
    return 1 if broken or any(run.broken for run in runs) else 0


@dataclass(frozen=True, slots=True)
class Run:
    """What is kept of a run until all are over."""

    row: list[str]
    broken: list[str]


def _run(plan: Plan) -> Record:
    return _with_everything(lambda server, azurite, folder: drill.run(plan, server, azurite, folder))


def _time_recovery(outages: Sequence[float]) -> list[str]:
    """Print how soon what waited was refreshed; the promises that were broken."""
    found = _with_everything(lambda server, azurite, folder: recovery.measure(outages, server, azurite, folder))
    broken = [fault for each in found for fault in each.broken()]
    print("\n".join(["", "recovery", "", recovery.table(found), "", *broken]), flush=True)
    return broken


def _with_everything[Found](work: Callable[[ApiServer, Azurite, Path], Awaitable[Found]]) -> Found:
    """Work with an API server and a Storage account of its own."""

    async def with_storage(server: ApiServer, folder: Path) -> Found:
        data = folder / "azurite"
        data.mkdir()
        async with Azurite(data) as azurite:
            return await work(server, azurite, folder)

    with tempfile.TemporaryDirectory() as folder, clusters.real() as server:
        return asyncio.run(with_storage(server, Path(folder)))


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
