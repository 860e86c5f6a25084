"""Tries mutants: each in a process of its own, with the tests that run the lines it is in, the nearest first."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from coverage import CoverageData

from mutants import core, planting
from mutants.operators import Mutant

KEPT = core.ROOT / "build" / "mutants"  # what was measured; a room that has not changed is not measured again
TESTS = 60.0  # seconds of tests that one mutant is tried with, at most
AMPLE = 5.0  # times as long as it took may a test take; beside
START = 40.0  # seconds, for the servers that the first test starts
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "mutants.planting"]


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


def measure(pool: Executor) -> Measured:
    """Run the tests of the core, room by room. Raises CalledProcessError where there are none."""
    KEPT.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    failed: list[str] = []
    runs: dict[str, dict[int, frozenset[str]]] = {}
    for folder in pool.map(_measured, core.ROOMS):
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
        arguments = ["-m", "not fuzz", "--cov", "--cov-context=test", "--cov-report=", f"tests/{room}"]
        settings = {planting.MEASURED: str(folder / "tests.json"), "COVERAGE_FILE": str(folder / "coverage")}
        with (folder / "log").open("wb") as log:
            run = subprocess.run(
                [*PYTEST, *arguments], cwd=core.ROOT, env=_environment(settings), stdout=log, stderr=log, check=False
            )
        if run.returncode not in (0, 1):  # some may fail
            raise subprocess.CalledProcessError(run.returncode, run.args)
        known.write_text(state)
    return folder


def verdict(mutant: Mutant, measured: Measured) -> Verdict:
    """Try a mutant. Raises RuntimeError where pytest could not, and SyntaxError for one that is no Python."""
    tests = measured.tests(mutant)
    if not tests:
        return Verdict.UNREACHED
    source = mutant.planted((core.ROOT / mutant.file).read_bytes())
    compile(source, mutant.file, "exec", dont_inherit=True)
    with tempfile.TemporaryDirectory() as folder:
        planted, arguments = Path(folder, "source.py"), Path(folder, "tests")
        planted.write_bytes(source)
        arguments.write_text("\n".join(tests))
        settings = {
            planting.MODULE: mutant.file.removesuffix(".py").replace("/", "."),
            planting.SOURCE: str(planted),
            planting.PATIENCE: str(START + AMPLE * max(measured.seconds[test] for test in tests)),
        }
        command = [*PYTEST, "-x", "--no-cov", f"@{arguments}"]
        run = subprocess.run(
            command, cwd=core.ROOT, env=_environment(settings), capture_output=True, text=True, check=False
        )
    match run.returncode:
        case 0:
            return Verdict.SURVIVED
        case 1 | 2 | 4:  # 4: with a module that cannot be imported its tests cannot be found
            return Verdict.CAUGHT
        case code if code == -signal.SIGALRM:
            return Verdict.HUNG
        case code if code < 0:
            return Verdict.CAUGHT
    raise RuntimeError(
        f"pytest ended with {run.returncode} at {mutant.file}:{mutant.line}  {mutant.change}:\n{run.stdout}{run.stderr}"
    )


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **settings}
