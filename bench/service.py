"""The service under measurement, in a process of its own: the local host with this repository's function app."""

import http.client
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import ROOT
from testbed.host import TRIVIAL, running_process

READY_WITHIN = 120.0  # seconds
POLL = 0.005  # seconds between two looks
TICKS = os.sysconf("SC_CLK_TCK")  # of processor time in a second
MEMORY = re.compile(r"^(Vm\w+):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Service:
    """A running host."""

    url: str
    process: int  # its id

    @property
    def resident(self) -> float:
        """Resident memory in MB."""
        return memory(self.process, "VmRSS")

    @property
    def cpu(self) -> float:
        """Seconds of processor time that it took so far, to a hundredth."""
        fields = Path(f"/proc/{self.process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / TICKS

    def get(self, path: str) -> int:
        """The status of a GET."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=READY_WITHIN)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Return once the cluster is known. Raises TimeoutError."""
        deadline = time.monotonic() + READY_WITHIN
        while self.get("/readyz") != http.client.OK:
            if time.monotonic() > deadline:
                raise TimeoutError("the service did not become ready")
            time.sleep(POLL)


@contextmanager
def service(kubeconfig: Path | None = None, /, **settings: str) -> Iterator[Service]:
    """The function app, connected to a cluster: by a kubeconfig, or by settings as an app in Azure has them."""
    cluster = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
    with running_process(ROOT, cluster | settings) as (url, process):
        yield Service(url, process.pid)


@contextmanager
def trivial() -> Iterator[Service]:
    """The least a function app can be, in the same host."""
    with running_process(TRIVIAL) as (url, process):
        yield Service(url, process.pid)


def memory(process: int, what: str) -> float:
    """What the kernel says of a process's memory, in MB: ``VmRSS`` is what is resident, ``VmHWM`` its peak."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(dict(MEMORY.findall(status)).get(what, 0)) / 1024
