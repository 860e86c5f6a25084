"""A running Azurite."""

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from receivers.local.azurite.installation import Unavailable, installed

ADDRESS = "127.0.0.1"
ACCOUNT = "local"
SERVICES = ("blob", "queue", "table")  # the service itself needs no blobs, but `func start` does
READY = "is successfully listening"  # it prints a line with this for each service
TAKEN = "EADDRINUSE"
READY_WITHIN = 60.0  # seconds; it takes one, on a machine with nothing else to do
STOPPED_WITHIN = 10.0
LOOK_EVERY = 0.02

# Waits for its standard input to end, which is when our process does, however it ends, and kills what it guards.
GUARD = 'read -r _; kill -9 "$0"'


class Azurite:
    """An emulated Storage account, with a key of its own, whose data are in ``folder``.

    As a context manager it runs while the block does. It can also be started and stopped at will: ports, key and data
    stay. ``in_memory``: data are gone when it is stopped; it writes all of them anew every five seconds otherwise, and
    ends where they exceed half a gigabyte. Raises :class:`Unavailable` when it is not installed or does not start.
    """

    def __init__(self, folder: Path, *, in_memory: bool = False) -> None:
        self._installation = installed()
        self._folder = folder
        self._in_memory = in_memory
        self._key = base64.b64encode(secrets.token_bytes(64)).decode()
        self._ports = _free_ports()
        self._told_ports = False  # somebody knows them, so they stay
        self._running: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """What the setting AzureWebJobsStorage takes. A secret."""
        self._told_ports = True
        endpoints = [f"{name.title()}Endpoint=http://{ADDRESS}:{port}/{ACCOUNT}" for name, port in self._ports.items()]
        account = [f"AccountName={ACCOUNT}", f"AccountKey={self._key}"]
        return ";".join(["DefaultEndpointsProtocol=http", *account, *endpoints]) + ";"

    @property
    def pid(self) -> int:
        """The process id. Only after it was started."""
        assert self._running is not None  # noqa: S101 - for the type checker
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether its process runs; it may be paused."""
        return self._running is not None and self._running.poll() is None

    async def start(self) -> None:
        """Start it, or resume it after a pause. It answers when this returns."""
        if self.alive:
            self.resume()
        else:
            await self.kill()
            self._launch()
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await self._is_ready():  # others were faster
                    self._ports = _free_ports()
                    await self.kill()
                    self._launch()
        except TimeoutError:
            raise Unavailable(f"Azurite was not ready within {READY_WITHIN:g} s:\n{self._told()}") from None

    async def stop(self) -> None:
        """End it in good order: nothing that it confirmed is lost."""
        if self._running is not None:
            self.resume()
            self._running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._running.wait, STOPPED_WITHIN)
        await self.kill()

    async def kill(self) -> None:
        """End it as a power cut would (SIGKILL). It writes its data every five seconds: younger ones are lost."""
        for process in (self._guard, self._running):
            if process is not None:
                process.kill()
                await asyncio.to_thread(process.communicate)
        self._guard = self._running = None

    async def restart(self) -> None:
        """Stop it in good order, and start it."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def _log(self) -> Path:
        return self._folder / "azurite.log"

    def _launch(self) -> None:
        kept: list[str | Path] = ["--inMemoryPersistence"] if self._in_memory else ["--location", self._folder]
        command: list[str | Path] = [self._installation.node, self._installation.script, *kept]
        command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]  # the client libraries are newer than it
        for name, port in self._ports.items():
            command += [f"--{name}Host", ADDRESS, f"--{name}Port", str(port)]
        with self._log.open("wb") as log:
            self._running = subprocess.Popen(  # noqa: S603 - all of it is ours
                command,
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self._key}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who then stop it
            )
        guard = ["sh", "-c", GUARD, str(self._running.pid)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - as above

    async def _is_ready(self) -> bool:
        """Wait until it answers; False where a port was taken since it was found free, and nobody knows the ports."""
        while self._told().count(READY) < len(SERVICES):
            if not self.alive:
                if TAKEN in self._told() and not self._told_ports:
                    return False
                raise Unavailable(f"Azurite did not start:\n{self._told()}")
            await asyncio.sleep(LOOK_EVERY)
        return True

    def _told(self) -> str:
        return self._log.read_text(errors="replace").strip()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)


def _free_ports() -> dict[str, int]:
    return dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens, each another one."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server((ADDRESS, 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]
