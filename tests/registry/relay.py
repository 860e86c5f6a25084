"""Between a sender and the service: passes on what is posted, keeps it with its answer, and can spoil it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.service import Service

UNREADABLE = b"\xff\x00 no JSON"
OF_THE_CONNECTION = ("connection", "content-length", "host", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Posted:
    """One request of the sender, and its answer."""

    body: bytes  # as the sender wrote it
    status: int
    answer: bytes


@dataclass
class Relay:
    """What was posted, in the order of the answers."""

    service: Service
    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    to_spoil: int = 0  # of the next requests
    to_refuse: int = 0

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Pass one request on, or do what the test asked for."""
        body = await request.read()
        status, answer = await self._answer(request, body)
        self.posted.append(Posted(body, status, answer))
        return web.Response(status=status, body=answer)

    async def _answer(self, request: web.BaseRequest, body: bytes) -> tuple[int, bytes]:
        if self.to_refuse:
            self.to_refuse -= 1
            return 400, b"{}"
        passed_on = body
        if self.to_spoil:
            self.to_spoil -= 1
            passed_on = UNREADABLE
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in OF_THE_CONNECTION]
        answer = await self.service.ask("POST", request.path, headers=headers, body=passed_on)
        return answer.status, answer.body


@asynccontextmanager
async def relaying(service: Service) -> AsyncIterator[Relay]:
    """A relay on a port of 127.0.0.1."""
    relay = Relay(service)
    runner = web.ServerRunner(web.Server(relay.handle), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield relay
    finally:
        await runner.cleanup()
