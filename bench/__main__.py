"""``python -m bench [a b c d e] [--quick]``: measure, print a table, and write docs/benchmarks.md."""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bench import burst, deliveries, machine, page, real, scale, start
from bench.clusters import NotHere
from bench.figures import Chapter, Figure, say, table
from bench.size import FULL, QUICK, Size

BENCHMARKS: dict[str, Callable[[Size], Chapter]] = {
    "a": start.measure,
    "b": deliveries.measure,
    "c": burst.measure,
    "d": scale.measure,
    "e": real.measure,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The page is written when everything was measured, in full."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[*BENCHMARKS], help="the benchmarks to run; none means all")
    parser.add_argument("--quick", action="store_true", help="less of everything, to try the benchmarks out")
    options = parser.parse_args(arguments)
    chosen = sorted(set(options.which)) or list(BENCHMARKS)
    facts = machine.describe()
    chapters = [measure(letter, QUICK if options.quick else FULL) for letter in chosen]
    print("\n".join(facts))
    print()
    print(table(chapters))
    if chosen == list(BENCHMARKS) and not options.quick:
        page.write(chapters, facts, now=datetime.now(UTC))
        print(f"\nwritten to {page.PAGE}")


def measure(letter: str, size: Size) -> Chapter:
    """Run one benchmark. What cannot run here is said, and no failure."""
    began = time.monotonic()
    say(f"({letter})")
    try:
        return BENCHMARKS[letter](size)
    except NotHere as reason:
        return Chapter(f"({letter}) not run", [Figure("not run here", str(reason))])
    finally:
        say(f"({letter}) took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
