"""Programs that the tests start: known by process id, and gone when the test run is, however it ends."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Waits for its standard input to end, which is when the test run ends, and kills the process that it guards.
GUARD = 'read -r _; kill -9 "$0"'


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Process:
    """A program with its log file. It can be killed, started again, paused and resumed.

    ``environment`` is beside that of this process.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [str(part) for part in command]
        self._folder = folder
        self._environment = environment or {}
        self._running: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self.log = log

    @property
    def pid(self) -> int:
        """The process id. Only while it runs."""
        assert self._running is not None
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        """Starts it; what it writes is appended to the log. A session of its own keeps Ctrl-C from it."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        command = ["sh", "-c", GUARD, str(self._running.pid)]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def kill(self) -> None:
        """Ends it at once, as a power cut would (SIGKILL). Nothing happens when it does not run."""
        for process in (self._guard, self._running):
            if process is not None:
                process.kill()
                process.communicate()
        self._guard = self._running = None

    def pause(self) -> None:
        """Freezes it: connections stay open and are not answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a pause. Nothing happens when it is not paused."""
        if self.alive:
            os.kill(self.pid, signal.SIGCONT)

    def last_lines(self, count: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
