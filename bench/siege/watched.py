"""``python -m bench.siege.watched HOLDS --port 7071``: the local host, and in its event loop a task that watches it.

The task asks to be woken every few milliseconds. When it is woken late, something held the loop, or another process had
the core: the kernel says how long this thread waited for one, and that is taken off. Each hold is a line of the file
HOLDS; what held the loop for long is in the file HOLDS.traces.
"""

import argparse
import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Self

import msgspec

from bench.load import ROOT
from receivers.local.host import FunctionHost, local_settings, serve

EVERY = 0.01  # seconds
NOTED = 0.02  # seconds; shorter holds are not noted
TRACED = 0.1  # seconds by the clock, of which another process may have had some
DEPTH = 12  # frames, the innermost ones
NANOSECONDS = 1e9


class Hold(msgspec.Struct, array_like=True, frozen=True):
    """Once that the loop did not turn. Seconds."""

    at: float  # when it was over, by time.time()
    late: float  # by the clock
    held: float  # without what the thread waited for a core

    @property
    def began(self) -> float:
        return self.at - self.late


def read(file: Path) -> list[Hold]:
    """The holds that were noted."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Hold) for line in lines]


class Watch:
    """Notes in ``file`` every hold of the event loop of the thread that makes it, and in ``traces`` what held it.

    Until the process ends; as a context manager, while the block runs.
    """

    def __init__(self, file: IO[bytes], traces: IO[str]) -> None:
        self._file = file
        self._traces = traces
        self._thread = threading.get_ident()
        self._turned = time.monotonic()
        self._over = threading.Event()
        self._task = asyncio.get_running_loop().create_task(self._watch())
        self._tracing = threading.Thread(target=self._trace, daemon=True)
        self._tracing.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._task.cancel()
        self._over.set()
        self._tracing.join()

    async def _watch(self) -> None:
        waits = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        waited = _waited(waits)
        while True:
            self._turned = time.monotonic()
            await asyncio.sleep(EVERY)
            late = time.monotonic() - self._turned - EVERY
            before, waited = waited, _waited(waits)
            held = late - (waited - before)
            if held > NOTED:
                self._file.write(msgspec.json.encode(Hold(time.time(), late, held)) + b"\n")
                self._file.flush()

    def _trace(self) -> None:
        """In a thread of its own: look at the other one when its loop has not turned for a while, once each time."""
        traced = 0.0
        while not self._over.wait(TRACED / 2):
            turned, late = self._turned, time.monotonic() - self._turned
            if late > TRACED and turned != traced:
                traced = turned
                stack = traceback.extract_stack(sys._current_frames().get(self._thread))  # noqa: SLF001 - no other way
                lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in stack[-DEPTH:]]
                self._traces.write("\n    ".join([f"{time.time():.2f}: {late:.2f} s", *lines]) + "\n")
                self._traces.flush()


def _waited(schedstat: int) -> float:
    """Seconds that a thread was ready to run and had no core, ever.

    https://docs.kernel.org/scheduler/sched-stats.html
    """
    return int(os.pread(schedstat, 100, 0).split()[1]) / NANOSECONDS


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m bench.siege.watched")
    parser.add_argument("holds", type=Path)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    watches = []  # only the list keeps it
    with options.holds.open("ab") as file, options.holds.with_suffix(".traces").open("a") as traces:
        host = FunctionHost(ROOT, settings=local_settings(ROOT, os.environ))
        serve(
            host,
            address="127.0.0.1",
            port=options.port,
            on_ready=lambda _: watches.append(Watch(file, traces)),
        )


if __name__ == "__main__":
    main()
