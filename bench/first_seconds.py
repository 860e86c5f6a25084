"""``python -m bench.first_seconds``: for how long the event loop of a fresh process is held in its first seconds.

The local host with this repository's function app. Another process sends what has everything loaded that is loaded
late: deliveries of many senders, and visits of a page.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from bench import child
from bench.load import ROOT
from bench.mirrors import Longest, pipes
from receivers.local.host.host import FunctionHost
from testbed.host import served

SETTLED = 0.1  # seconds: while the app is indexed nobody is connected, and what held the loop until then is noted


class Orders(msgspec.Struct, kw_only=True):
    """What the app is to know, and how long to look."""

    settings: dict[str, str]
    seconds: float


class Held(msgspec.Struct, kw_only=True):
    """Seconds for which the event loop was held at most, while it served."""

    longest: float


async def carry_out(orders: Orders) -> Held:
    """Serve for so long; the URL goes to standard error, on a line of its own."""
    longest = Longest()
    looking = asyncio.create_task(longest.look())
    async with served(FunctionHost(ROOT, settings=orders.settings)) as url:
        await asyncio.sleep(SETTLED)
        longest.seconds = 0.0
        sys.stderr.write(f"{url}\n")
        sys.stderr.flush()
        await asyncio.sleep(orders.seconds)
        held = Held(longest=longest.seconds)
    looking.cancel()
    return held


@contextmanager
def running(settings: Mapping[str, str], seconds: float) -> Iterator[tuple[str, Callable[[], Held]]]:
    """The URL of a fresh process, and what waits until it is over and tells."""
    orders = msgspec.json.encode(Orders(settings=dict(settings), seconds=seconds))
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "bench.first_seconds"]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            stdin, stdout = pipes(process)
            stdin.write(orders)
            stdin.close()
            yield _url(process), lambda: msgspec.json.decode(stdout.read(), type=Held)
        finally:
            process.kill()


def _url(process: subprocess.Popen[bytes]) -> str:
    """The first line of standard error."""
    if process.stderr is None:
        raise RuntimeError("the process has no standard error")
    return process.stderr.readline().decode().strip()


if __name__ == "__main__":
    child.main(Orders, carry_out)
