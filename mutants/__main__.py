"""Asks whether the tests of the core would notice small faults in it: `make mutants`.

Each mutant is one fault of mutants/operators.py in one line. It is tried with the tests that run that line, the nearest
and fastest first, until one fails: then it is caught. A test that hangs catches it too. What is tried first is decided
by --seed alone, so that the same seed goes on to the same mutants. The working tree stays as it is.
Before, the tests are run once as they are, to see which of them run which line: some minutes, until a room changes.

What survives is printed, and wants a test, or a line in mutants/equivalent.toml that says why no test can notice it.
"""

import argparse
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from mutants import core, trying
from mutants.operators import Mutant, mutants
from mutants.trying import Measured, Verdict

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
MOST = 2  # mutants tried at the same time: more, and tests are slow enough to fail by themselves

CATCHES = (Verdict.CAUGHT, Verdict.HUNG)

type Tried = tuple[Mutant, Verdict]


def equivalent() -> dict[tuple[str, str, str], str]:
    """Why no test can notice a mutant, by its file, its line as it is written and its change."""
    told = tomllib.loads(EQUIVALENT.read_text())
    return {(file, each["code"], each["change"]): each["why"] for file, found in told.items() for each in found}


def tried(chosen: Iterable[Mutant], measured: Measured, *, workers: int, seconds: float) -> Iterator[Tried]:
    """Try mutants until there are none left, or no time."""
    ends = time.monotonic() + seconds
    left = iter(chosen)
    running: dict[Future[Verdict], Mutant] = {}
    with ThreadPoolExecutor(workers) as pool:
        while True:
            while len(running) < workers and time.monotonic() < ends and (mutant := next(left, None)) is not None:
                running[pool.submit(trying.verdict, mutant, measured)] = mutant
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def main() -> int:
    """Exit code 1: the score is below what was asked for; 2: nothing can be tried."""
    arguments = _arguments()
    known = equivalent()
    every = [each for file in arguments.files for each in mutants(file, (core.ROOT / file).read_bytes())]
    chosen = [each for each in every if (each.file, each.code, each.change) not in known]
    random.Random(arguments.seed).shuffle(chosen)  # noqa: S311 - no secret
    print(f"{len(chosen)} mutants, and {len(every) - len(chosen)} that no test can notice")
    with ThreadPoolExecutor(arguments.workers) as pool:
        measured = trying.measure(pool, core.rooms(arguments.files))
    for test in measured.failed:
        print(f"left out, as it fails anyway: {test}")
    if not trying.is_quiet(chosen, measured):
        print("tests fail though nothing is changed, or none runs what was chosen", file=sys.stderr)
        return 2
    counts: Counter[Verdict] = Counter()
    survivors: list[Tried] = []
    for mutant, verdict in tried(chosen, measured, workers=arguments.workers, seconds=arguments.seconds):
        counts[verdict] += 1
        if verdict not in CATCHES:
            survivors.append((mutant, verdict))
        _show_progress(counts, of=len(chosen))
    return _report(counts, survivors, of=len(chosen), least=arguments.least)


def _caught(counts: Counter[Verdict]) -> int:
    return sum(counts[each] for each in CATCHES)


def _show_progress(counts: Counter[Verdict], *, of: int) -> None:
    if sys.stdout.isatty() or counts.total() % 25 == 0:
        end = "\r" if sys.stdout.isatty() else "\n"
        print(f"{counts.total()} of {of} tried, {_caught(counts)} caught", end=end, flush=True)


def _report(counts: Counter[Verdict], survivors: list[Tried], *, of: int, least: float) -> int:
    print()
    for mutant, verdict in sorted(survivors, key=lambda each: (each[0].file, each[0].start)):
        remark = f"  ({verdict.value})" if verdict is Verdict.UNREACHED else ""
        print(f"{mutant.file}:{mutant.line}  {mutant.change}{remark}")
    score = 100 * _caught(counts) / counts.total() if counts else 0.0
    told = (
        f"{_caught(counts)} of {counts.total()} mutants were caught, {counts[Verdict.HUNG]} of them by a test that hung"
    )
    print(f"\n{told}: {score:.1f} %. {of - counts.total()} were not tried.")
    return int(score < least)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "files",
        nargs="*",
        default=core.modules(),
        help="modules of the core, tried with the tests of their rooms; all of it by default",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=float(os.environ.get("MUTANTS_SECONDS") or 1800),
        help="after which no further mutant is tried; 1800, or what MUTANTS_SECONDS says, by default",
    )
    parser.add_argument("--seed", default="kargo", help="decides which mutants come first")
    parser.add_argument("--workers", type=int, choices=range(1, MOST + 1), default=MOST, help="2 by default")
    parser.add_argument("--least", type=float, default=0.0, metavar="PERCENT", help="fail with a lower score")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
