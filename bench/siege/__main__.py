"""``python -m bench.siege [--seconds 120] [--short]``: a siege. Exit status 1 when an aim was missed."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import clusters, machine, page
from bench.figures import say, table
from bench.load import ROOT
from bench.siege.audit import AuditLog
from bench.siege.plan import FULL, SHORT, Plan
from bench.siege.record import Outcome
from bench.siege.siege import Siege
from receivers.local.azurite import Azurite, Unavailable
from testbed.servers import ApiServer

PAGE = ROOT / "docs" / "siege.md"
BEGIN = "<!-- figures: written by `make siege` -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """The page is written when the siege was one of full size, and nothing else disturbed it."""
    parser = argparse.ArgumentParser(prog="python -m bench.siege", description=__doc__)
    parser.add_argument("--seconds", type=float, default=FULL.seconds, help="of each of the two loads (%(default)s)")
    parser.add_argument("--short", action="store_true", help="10 seconds and fewer projects, as the tests have it")
    parser.add_argument("--logs", type=Path, help="a folder that keeps logs, the holds of the event loop, and why")
    options = parser.parse_args(arguments)
    facts = machine.describe()
    plan = SHORT if options.short else replace(FULL, seconds=options.seconds)
    try:
        outcome = run(plan, logs=options.logs)
    except (clusters.NotHere, Unavailable) as reason:
        say(str(reason))
        return 1
    print("\n".join([*facts, "", table(outcome.chapters()), "", *outcome.refusals]))
    if not outcome.telling:
        print("the machine was too busy: the honest deliveries alone took too long already")
    elif plan == FULL:
        page.write(outcome.chapters(), facts, now=datetime.now(UTC), page=PAGE, begin=BEGIN)
        print(f"written to {PAGE}")
    missed = outcome.missed()
    print("\n".join(f"missed: {line}" for line in missed) or "every aim was met", flush=True)
    return 1 if missed else 0


def run(plan: Plan, *, logs: Path | None = None) -> Outcome:
    """A siege with an API server and a Storage account of its own. Raises NotHere and Unavailable."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        audit = AuditLog(folder)
        with clusters.real(flags=audit.flags) as server:
            return asyncio.run(_with_storage(plan, server, audit, folder))


async def _with_storage(plan: Plan, server: ApiServer, audit: AuditLog, folder: Path) -> Outcome:
    data = folder / "azurite"
    data.mkdir(exist_ok=True)
    async with Azurite(data) as azurite:
        return await Siege(plan, server, audit, azurite, folder).run()


if __name__ == "__main__":
    sys.exit(main())
