"""(f) A very large cluster: time to ready, memory, and the time to match, with Warehouses as large as real ones.

The API server is a stand-in that makes its pages as they are asked for, so that what reads them is measured.
"""

import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median

from bench import mirrors, pages, realistic
from bench.figures import Chapter, Figure, milliseconds, percentile
from bench.load import ROOT
from bench.size import Size
from testbed.processes import Process, free_port

READY = 10.0  # seconds
RESIDENT = 600.0  # MB
MATCH = 0.001  # seconds
HELD = 0.05  # seconds: the promise of docs/security.md
KARGO_INTERVAL = 300.0  # seconds between two discoveries of a Warehouse: what its `interval` says, mostly
WITHIN = 30.0  # seconds, for the stand-in to listen


def measure(size: Size) -> Chapter:
    """The mirror alone, in a process of its own, over plain HTTP."""
    count = size.large
    weight = mean(len(realistic.encoded(number)) for number in range(realistic.STYLES))
    images = [realistic.image(number * count // size.matches) for number in range(min(size.matches, count))]
    with (
        stand_in(warehouses=count, events=size.events) as url,
        mirrors.running(mirrors.Orders(server=url, images=images)) as running,
    ):
        found, quiet = running.found, running.until_quiet()
    return Chapter(
        f"(f) {count:,} Warehouses of {weight / 1000:.0f} KB in {count // realistic.PER_PROJECT:,} projects",
        [
            *_reading(found, weight),
            *_matching(found.matches),
            Figure("one watch event", f"{quiet.cpu / size.events * 1e6:.0f} µs CPU"),
            Figure(
                f"watch, each Warehouse once in {KARGO_INTERVAL:.0f} s: for each instance",
                f"{weight * count / KARGO_INTERVAL / 1e6:.1f} MB/s, "
                f"{quiet.cpu / size.events * count / KARGO_INTERVAL:.0%} of a core",
            ),
        ],
    )


def _reading(found: mirrors.Found, weight: float) -> list[Figure]:
    taken = found.resident - found.resident_before
    return [
        Figure("ready", f"{found.ready:.1f} s", f"at most {READY:.0f} s", found.ready <= READY),
        Figure(
            "processor time until then",
            f"{found.cpu:.1f} s, {found.cpu / found.objects * 1e6:.0f} µs a Warehouse, "
            f"{found.objects * weight / found.cpu / 1e6:.0f} MB/s",
        ),
        Figure("known", f"{found.objects:,}, and {found.unreadable:,} that cannot be read"),
        Figure(
            "resident",
            f"{found.resident:.0f} MB, {taken / found.objects * 1e6:,.0f} bytes a Warehouse; peak {found.peak:.0f} MB",
            f"at most {RESIDENT:.0f} MB",
            found.peak <= RESIDENT,
        ),
        Figure(
            "event loop held at most",
            milliseconds(found.longest),
            f"at most {milliseconds(HELD)}",
            found.longest <= HELD,
        ),
    ]


def _matching(matches: list[float]) -> list[Figure]:
    typical, most = median(matches), percentile(matches, 0.99)
    return [
        Figure(
            "processor time to match one push",
            f"median {milliseconds(typical)}, p99 {milliseconds(most)}",
            f"below {milliseconds(MATCH)}",
            most < MATCH,
        )
    ]


@contextmanager
def stand_in(*, warehouses: int, events: int = 0, flags: tuple[str, ...] = ()) -> Iterator[str]:
    """The URL of :mod:`bench.pages`, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", pages.__name__, str(port), str(warehouses), str(events), *flags]
    with tempfile.TemporaryDirectory() as folder:
        process = Process(command, log=Path(folder) / "pages.log", folder=ROOT)
        process.start()
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
