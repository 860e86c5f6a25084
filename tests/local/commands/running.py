"""Runs ``kargo-receivers`` as people do: as a program, in a folder and an environment."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from receivers.settings import Settings
from testbed.processes import GUARD

PROGRAM = Path(sys.executable).with_name("kargo-receivers")
PATIENCE = 60.0  # seconds; what is waited for takes one, on a machine with nothing else to do

MOMENT_AWAY = re.compile(
    r"WARNING receivers\.cluster\.availability: the cluster is (away: no answer within 1 s|back after \d\.\d s)$"
)

# An empty variable counts as absent, and wins over local.settings.json.
NOTHING_SET = {field.metadata["variable"]: "" for field in fields(Settings)} | {"KUBERNETES_SERVICE_HOST": ""}


@dataclass(frozen=True, slots=True)
class Serving:
    """A ``kargo-receivers serve``."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def output(self) -> str:
        """What it wrote to stdout so far."""
        return (self.folder / "stdout").read_text()

    @property
    def complaints(self) -> str:
        """What it wrote to stderr so far."""
        return (self.folder / "stderr").read_text()

    @property
    def faults(self) -> list[str]:
        """The same by lines, but that the cluster did not answer for a moment: the machine may be busy."""
        return [line for line in self.complaints.splitlines() if not MOMENT_AWAY.match(line)]

    @property
    def curls(self) -> list[str]:
        """The commands that it printed to paste."""
        return [line.strip() for line in self.output.splitlines() if line.strip().startswith("curl ")]

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.line("ready on ").removeprefix("ready on ")

    @property
    def kubeconfig(self) -> str:
        """That of the embedded cluster."""
        return self.line("export KUBECONFIG=").partition("=")[2]

    def line(self, *parts: str) -> str:
        """Its last line that has all of these parts, which may be yet to come. Fails with all it wrote if none does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            alive = self.process.poll() is None
            found = [line for line in self.output.splitlines() if all(part in line for part in parts)]
            if found:
                return found[-1].strip()
            assert alive, f"it has ended: {self.output}\n{self.complaints}"
            time.sleep(0.01)
        raise AssertionError(f"no line with {parts}: {self.output}\n{self.complaints}")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signals it, and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    @property
    def left_behind(self) -> str:
        """The processes that are left of all that it started, as ps shows them."""
        command = ["ps", "-o", "pid=,args=", "-s", str(self.process.pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Serving]:
    """``kargo-receivers serve`` with these arguments, in a session of its own. Killed in the end, if it still runs."""
    with (
        (folder / "stdout").open("wb") as stdout,
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(
            [PROGRAM, "serve", *arguments],
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        ) as process,
        subprocess.Popen(["sh", "-c", GUARD, str(process.pid)], stdin=subprocess.PIPE, start_new_session=True) as guard,
    ):
        try:
            yield Serving(process, folder)
        finally:
            process.kill()
            guard.kill()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=_environment(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def paste(command: str) -> str:
    """What bash prints for a command line. The test fails when the command does."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **NOTHING_SET, **changes}
