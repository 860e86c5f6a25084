"""``python -m bench [a b c d e | f g h | i] [--quick]``: measure, print a table, and write it to its page.

(a) to (e) are those of docs/benchmarks.md, and run when none is named; (f) to (h) are those of docs/scale.md. (i) is
run by itself: filling a table with a million rows takes minutes.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bench import backlog, burst, deliveries, instances, journal, large, machine, page, real, scale, start
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
AT_SCALE: dict[str, Callable[[Size], Chapter]] = {
    "f": large.measure,
    "g": instances.measure,
    "h": backlog.measure,
}
BY_ITSELF: dict[str, Callable[[Size], Chapter]] = {"i": journal.measure}
PAGES = {
    page.PAGE: (list(BENCHMARKS), page.BEGIN),
    page.SCALE: (list(AT_SCALE), page.BEGIN_SCALE),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """A page is written when everything of it was measured, in full."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "which", nargs="*", choices=[*BENCHMARKS, *AT_SCALE, *BY_ITSELF], help="what to run; none means a to e"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, to try the benchmarks out")
    options = parser.parse_args(arguments)
    chosen = sorted(set(options.which)) or list(BENCHMARKS)
    facts = machine.describe()
    chapters = [measure(letter, QUICK if options.quick else FULL) for letter in chosen]
    print("\n".join(facts))
    print()
    print(table(chapters))
    for written, (letters, begin) in PAGES.items():
        if chosen == letters and not options.quick:
            page.write(chapters, facts, now=datetime.now(UTC), page=written, begin=begin)
            print(f"\nwritten to {written}")


def measure(letter: str, size: Size) -> Chapter:
    """Run one benchmark. What cannot run here is said, and no failure."""
    began = time.monotonic()
    say(f"({letter})")
    try:
        return (BENCHMARKS | AT_SCALE | BY_ITSELF)[letter](size)
    except NotHere as reason:
        return Chapter(f"({letter}) not run", [Figure("not run here", str(reason))])
    finally:
        say(f"({letter}) took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
