"""Tries mutants: each in a process of its own, with the tests that run the lines it is in, the nearest first."""

import hashlib
import json
import multiprocessing
import signal
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from pathlib import Path

from coverage import CoverageData

from mutants import core, planting
from mutants.operators import Mutant
from mutants.planting import Measuring, Planting

KEPT = core.ROOT / "build" / "mutants"  # what was measured; a room that has not changed is not measured again
TESTS = 60.0  # seconds of tests that one mutant is tried with, at most
AMPLE = 5.0  # times as long as it took may a test take; beside
START = 40.0  # seconds, for the servers that the first test starts
# What tests import of others is imported once: each process begins as a copy of one that has it.
IMPORTED = [
    "mutants.planting",
    "aiohttp.web",
    "azure.data.tables.aio",
    "azure.storage.queue.aio",
    "coverage",
    "cryptography.x509",
    "hypothesis.strategies",
    "msgspec",
    "opentelemetry.sdk.trace",
    "pytest_asyncio",
    "uvicorn",
    "yaml",
]


class Verdict(Enum):
    """What became of a mutant."""

    CAUGHT = "caught"
    HUNG = "caught, as a test hung"
    SURVIVED = "survived"
    UNREACHED = "no test runs it"


@dataclass(frozen=True, slots=True)
class Measured:
    """The tests as they are without a mutant."""

    seconds: Mapping[str, float]  # of each test that passes
    failed: list[str]
    runs: Mapping[str, Mapping[int, frozenset[str]]]  # by file and line: the tests that run it

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that may notice a mutant, the nearest and fastest first."""
        lines = self.runs.get(mutant.file, {})
        of_lines = frozenset().union(*(lines.get(line, ()) for line in mutant.lines)) & self.seconds.keys()
        if not of_lines and any(line in lines for line in mutant.lines):  # it runs when the module is imported
            of_lines = frozenset().union(*lines.values()) & self.seconds.keys()
        ordered = sorted(of_lines, key=lambda test: (core.distance(mutant.file, test), self.seconds[test], test))
        chosen: list[str] = []
        left = TESTS
        for test in ordered:
            left -= self.seconds[test]
            if chosen and left < 0:
                break
            chosen.append(test)
        return chosen


def measure(pool: Executor, rooms: Iterable[str] = core.ROOMS) -> Measured:
    """Run the tests of these rooms, one by one. Raises RuntimeError where that fails."""
    KEPT.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    failed: list[str] = []
    runs: dict[str, dict[int, frozenset[str]]] = {}
    for folder in pool.map(_measured, rooms):
        told = json.loads((folder / "tests.json").read_text())
        seconds |= told["passed"]
        failed += told["failed"]
        data = CoverageData(folder / "coverage")
        data.read()
        for file in data.measured_files():
            lines = runs.setdefault(str(Path(file).relative_to(core.ROOT)), {})
            for line, contexts in data.contexts_by_lineno(file).items():
                lines[line] = lines.get(line, frozenset()) | {each.rpartition("|")[0] for each in contexts if each}
    return Measured(seconds, failed, runs)


def _measured(room: str) -> Path:
    """The folder with what was measured of a room."""
    tests = core.ROOT / "tests"
    parts = [core.ROOT / "receivers", core.ROOT / "testbed", tests / room]
    files = sorted([*tests.glob("*.py"), *(file for part in parts for file in part.rglob("*.py"))])
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    folder = KEPT / room
    known = folder / "state"
    if not known.exists() or known.read_text() != state:
        folder.mkdir(exist_ok=True)
        known.unlink(missing_ok=True)
        log = folder / "log"
        arguments = ["-m", "not fuzz", "--cov=receivers", "--cov-context=test", "--cov-report=", f"tests/{room}"]
        code = _pytest(log, arguments, Measuring(folder / "tests.json"), COVERAGE_FILE=str(folder / "coverage"))
        if code not in (0, 1):  # some may fail
            raise RuntimeError(f"the tests of {room} cannot be run: {log}")
        known.write_text(state)
    return folder


def verdict(mutant: Mutant, measured: Measured) -> Verdict:
    """Try a mutant. Raises RuntimeError where pytest could not, and SyntaxError for one that is no Python."""
    tests = measured.tests(mutant)
    if not tests:
        return Verdict.UNREACHED
    source = mutant.planted((core.ROOT / mutant.file).read_bytes())
    compile(source, mutant.file, "exec", dont_inherit=True)
    module = mutant.file.removesuffix(".py").replace("/", ".")
    patience = START + AMPLE * max(measured.seconds[test] for test in tests)
    with tempfile.TemporaryDirectory() as folder:
        chosen, log = Path(folder, "tests"), Path(folder, "log")
        chosen.write_text("\n".join(tests))
        code = _pytest(log, ["-x", "--no-cov", f"@{chosen}"], Planting(module, source, patience=patience))
        told = log.read_text()
    match code:
        case 0:
            return Verdict.SURVIVED
        case 1 | 2 | 4:  # 4: with a module that cannot be imported its tests cannot be found
            return Verdict.CAUGHT
        case _ if code == -signal.SIGALRM:
            return Verdict.HUNG
        case _ if code < 0:
            return Verdict.CAUGHT
    raise RuntimeError(f"pytest ended with {code} at {mutant.file}:{mutant.line}  {mutant.change}:\n{told}")


def is_quiet(chosen: Iterable[Mutant], measured: Measured) -> bool:
    """Whether tests pass that are run as for a mutant, with nothing changed."""
    reached = (each for each in chosen if measured.tests(each))
    unchanged = (replace(each, after=each.before) for each in islice(reached, 1))
    return any(verdict(each, measured) is Verdict.SURVIVED for each in unchanged)


def _pytest(log: Path, arguments: list[str], *plugins: object, **environment: str) -> int:
    """Run pytest in a process of its own; its exit code, or the signal that ended it, below zero."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=planting.run, args=(core.ROOT, log, arguments, environment, *plugins))
    process.start()
    process.join()
    return process.exitcode or 0
