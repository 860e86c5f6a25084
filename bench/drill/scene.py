"""What a drill breaks: the API server, the proxy in front of it, the Storage account, and the service itself."""

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.drill.plan import Blow, Fault
from bench.load import ROOT
from receivers.local.azurite import Azurite
from testbed.fault_proxy import FaultProxy
from testbed.processes import Process
from testbed.servers import ApiServer

LEASE = "10"  # seconds until a message comes back that a killed host had taken
PORTS = range(20_000, 30_000)  # an outgoing connection gets none of these, so it cannot take a dead host's
READY_WITHIN = 60.0
LOOK_EVERY = 0.02
SLOW = 3.0  # seconds
LOCAL_HOST = ("receivers.local.host", "--root", str(ROOT))

type Interval = tuple[float, float]


class Host:
    """The local host with this repository's function app, in a process of its own, always on the same port.

    ``module`` is what to start instead, with its arguments before that of the port.
    """

    def __init__(self, environment: dict[str, str], *, folder: Path, module: Sequence[str] = LOCAL_HOST) -> None:
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", *module, "--port", str(port)]
        self._process = Process(command, log=folder / "host.log", folder=ROOT, environment=environment)

    @property
    def pid(self) -> int:
        """Its process id. Only while it runs."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process.alive

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()

    async def start(self, *, path: str = "/healthz") -> None:
        """Start it. It answers when this returns, with 200 at ``path``."""
        self._process.start()
        async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession(self.url) as session:
            while not await _is_ok(session, path):  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_EVERY)

    def log(self) -> list[str]:
        """What it said, through all its lives."""
        return self._process.log.read_text(errors="replace").splitlines()


class Scene:
    """Everything that takes part, and what of it is broken now."""

    def __init__(self, server: ApiServer, proxy: FaultProxy, azurite: Azurite, host: Host) -> None:
        self.server, self.proxy, self.azurite, self.host = server, proxy, azurite, host
        self.host_dead: list[Interval] = []  # from the kill until it answers; readings of the event loop's clock
        self.recovered: list[tuple[Fault, float]] = []  # when a fault was over
        self._broken: list[Fault] = []

    def phase(self) -> str:
        """What is broken now, as the table calls it."""
        return " + ".join(self._broken) or "all is well"

    async def strike(self, blow: Blow) -> None:
        """Have a fault for its time, from its time on."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(blow.at)
        self._broken.append(blow.fault)
        async with self._fault(blow.fault):
            await asyncio.sleep(blow.lasts)
        self._broken.remove(blow.fault)
        self.recovered.append((blow.fault, loop.time()))

    @asynccontextmanager
    async def _fault(self, fault: Fault) -> AsyncIterator[None]:
        match fault:
            case Fault.FROZEN:
                self.server.pause()
                yield
                self.server.resume()
            case Fault.KILLED:
                await self.server.stop()
                yield
                await self.server.start()
            case Fault.SLOW | Fault.THROTTLED | Fault.BROKEN:
                self._have_proxy(fault)
                yield
                self.proxy.clear()
            case Fault.AZURITE:
                await self.azurite.stop()
                yield
                await self.azurite.start()
            case Fault.HOST:
                killed = asyncio.get_running_loop().time()
                self.host.kill()
                yield
                await self.host.start()
                self.host_dead.append((killed, asyncio.get_running_loop().time()))

    def _have_proxy(self, fault: Fault) -> None:
        if fault is Fault.SLOW:
            self.proxy.delay(SLOW, method="PATCH")
        elif fault is Fault.THROTTLED:
            self.proxy.answer(429, times=None, retry_after=1)
        else:
            self.proxy.answer(500, times=None)


@asynccontextmanager
async def scene(server: ApiServer, azurite: Azurite, folder: Path) -> AsyncIterator[Scene]:
    """Everything runs, the service with its least rights; its log is in ``folder``."""
    async with FaultProxy(server.url, ca_file=server.ca_file) as proxy:
        environment = {
            "KUBECONFIG": str(server.kubeconfig("kargo-receivers", url=proxy.url)),
            "AzureWebJobsStorage": azurite.connection_string,
            "KARGO_RECEIVERS_QUEUE_LEASE_SECONDS": LEASE,
        }
        host = Host(environment, folder=folder)
        try:
            await host.start(path="/readyz")
            yield Scene(server, proxy, azurite, host)
        finally:
            host.kill()


async def _is_ok(session: aiohttp.ClientSession, path: str) -> bool:
    try:
        async with session.get(path) as answer:
            return answer.ok
    except aiohttp.ClientError:
        return False


def _free_port() -> int:
    for port in random.sample(PORTS, len(PORTS)):  # another drill may look for one at the same time
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
