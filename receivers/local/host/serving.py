"""Serves the local host over HTTP until it is told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
import uvloop

from receivers.local.host.errors import AddressUnavailable
from receivers.local.host.host import FunctionHost
from receivers.local.host.protocol import Protocol

BACKLOG = 2048  # connections the kernel holds until they are accepted
LAST_ANSWERS = 10  # seconds that invocations under way have once the host was told to stop

type Ready = Callable[[str], None]


def serve(host: FunctionHost, *, address: str, port: int, on_ready: Ready | None = None) -> None:
    """Run until SIGINT or SIGTERM, answer what is under way, and return.

    ``on_ready`` gets the URL once requests are answered; port 0 takes any free port. What is under way has
    ``LAST_ANSWERS`` seconds, and is cut short by a second signal.
    Raises :class:`~receivers.local.host.errors.HostError` when the port is taken or the app cannot be indexed.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(host, address=address, port=port, on_ready=on_ready))


async def run(host: FunctionHost, *, address: str, port: int, on_ready: Ready | None = None) -> None:
    """:func:`serve` for a caller that has an event loop, in the main thread."""
    with listen(address, port) as listener:
        await host.start()
        try:
            config = uvicorn.Config(
                host,
                loop="none",
                http=Protocol,
                ws="none",
                lifespan="off",
                access_log=False,  # it would record URLs, which are credentials here
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=LAST_ANSWERS,
            )
            await Server(config, host, on_ready).serve(sockets=[listener])
        finally:
            await host.stop()


def listen(address: str, port: int) -> socket.socket:
    """Take the port before the app is indexed: a port that is taken is known at once."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error.strerror
        raise AddressUnavailable(
            f"cannot listen on {address}, port {port}: {reason}. Is a host running already? Try another --port"
        ) from None


class Server(uvicorn.Server):
    """Tells when it is ready, and returns after a signal where uvicorn would raise the signal once more."""

    def __init__(self, config: uvicorn.Config, host: FunctionHost, on_ready: Ready | None) -> None:
        super().__init__(config)
        self._host = host
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready and sockets:
            self._on_ready(url_of(sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.gather(super().shutdown(sockets), self._host.finish())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:  # uvicorn alone would still wait for every connection to close
            for task in self.server_state.tasks:
                task.cancel()
            self._host.abandon()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def url_of(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
