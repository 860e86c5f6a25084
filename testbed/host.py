"""Runs function app folders: in this process, or in one of their own where it must be another app."""

import asyncio
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

from receivers.local.host import FunctionHost, run

TRIVIAL = Path(__file__).parent / "trivial"
SHAPES = Path(__file__).parent / "shapes"
# A module name of its own: a process imports each name once, and other tests import function_app.
SHAPES_SETTINGS = {"PYTHON_SCRIPT_FILE_NAME": "shapes_app.py"}

READY_WITHIN = 60.0  # seconds; the machine may be busy
STOPPED_WITHIN = 20.0
READY = "listening on "


@asynccontextmanager
async def served(host: FunctionHost) -> AsyncIterator[str]:
    """The URL of a host that serves in this process and this event loop; ended as Ctrl-C ends it."""
    ready: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(host, address="127.0.0.1", port=0, on_ready=ready.put_nowait))
        yield await ready.get()
        os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def running_host(root: Path, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """The URL of a process that runs the app in ``root``, with ``env`` beside this process's environment."""
    with running_process(root, env) as (url, _):
        yield url


@contextmanager
def running_process(root: Path, env: Mapping[str, str] | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """As :func:`running_host`, with the process."""
    command = [sys.executable, "-m", "receivers.local.host", "--root", str(root), "--port", "0"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
        ) as process,
    ):
        try:
            yield ready_url(process, errors), process
        finally:
            stop(process)


def ready_url(process: subprocess.Popen[str], errors: IO[str]) -> str:
    """Wait for the line that tells the URL. Raises RuntimeError with what the process said if none comes."""
    assert process.stdout is not None
    deadline = time.monotonic() + READY_WITHIN
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0, deadline - time.monotonic())):
            line = process.stdout.readline()
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
            if not line:
                break
    errors.seek(0)
    raise RuntimeError(f"the host did not start:\n{errors.read()}")


def stop(process: subprocess.Popen[str]) -> None:
    """End the process as Ctrl-C does; kill it if that does not work, which is an error."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
