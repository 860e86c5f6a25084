"""A proxy in front of an API server that does as a test tells it, and remembers every request.

It speaks plain HTTP with the client and, where the server has it, TLS with the server::

    async with FaultProxy(server.url, ca_file=server.ca_file) as proxy:      # or the fixture fault_proxy
        kubeconfig = server.kubeconfig("admin", url=proxy.url)

Faults. Each applies to the next ``times`` requests (None: until cleared) that it matches, by ``method``, by a part
of the ``path``, and by ``watch`` (True: watches only, False: anything else). The first fault that matches is used,
in the order they were asked for::

    proxy.answer(429, times=2, retry_after=1, method="PATCH")   an answer of its own; the server sees nothing
    proxy.answer(410, watch=True)                               the watch's resourceVersion is too old
    proxy.answer(503, forward=True)                             the server does the work, and its answer is lost
    proxy.expire(path="warehouses")                             410 as an event of an accepted watch
    proxy.delay(0.2, method="PATCH")                            seconds before the server gets it
    proxy.hold(method="PATCH")                                  until proxy.release(): then the server gets it
    proxy.reset()                                               connection reset, unanswered
    proxy.hang()                                                accepted and never answered
    proxy.truncate(10)                                          the connection ends after so many bytes of the answer
    proxy.garble()                                              an answer that is no JSON
    proxy.drop_watches()                                        ends the watches that are open, as a load balancer does
    proxy.clear()                                               no more faults; held requests go on

Each of them returns a :class:`Fault`, whose ``used`` counts the requests it met.

What it remembers::

    proxy.sent("PATCH", "/warehouses/guestbook")    list[Request]: method, path, query, body, user, status, began, ended
    proxy.watches                                   the watches that are open now
    proxy.most_at_once("PATCH")                     the most of them that were under way at the same time
    await proxy.wait_for(3, "PATCH")                returns those sent once there are three (answered or not)
    await proxy.wait_for_watches(4)                 returns once so many watches are open and answered 200

``began`` and ``ended`` are readings of time.monotonic(): the request had wholly arrived, and the answer was sent.
"""

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs
from weakref import WeakSet

import aiohttp
from aiohttp import web
from yarl import URL

from testbed.waiting import eventually

PATIENCE = 60.0  # seconds that wait_for waits before the test fails
HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


type Json = Any  # whatever JSON can say


@dataclass(eq=False, slots=True)
class Request:
    """One request, and what became of it."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    user: str  # the bearer token
    began: float
    ended: float | None = None  # None: under way
    status: int | None = None  # None: not answered, or not yet
    connection: asyncio.Transport | None = field(default=None, repr=False)

    @property
    def is_watch(self) -> bool:
        return "watch" in self.query and self.query["watch"] not in ("0", "false")

    @property
    def json(self) -> Json:
        """The body, decoded."""
        return json.loads(self.body)


type Act = Callable[["FaultProxy", web.BaseRequest, Request], Awaitable[web.StreamResponse]]


@dataclass(eq=False, slots=True)
class Fault:
    """What happens to the requests it matches."""

    act: Act
    times: int | None
    method: str
    path: str
    watch: bool | None
    used: int = 0

    def matches(self, request: Request) -> bool:
        return (
            (self.times is None or self.used < self.times)
            and self.method in ("", request.method)
            and self.path in request.path
            and self.watch in (None, request.is_watch)
        )


class FaultProxy:
    """The module's description lists what tests use."""

    def __init__(self, server: str, *, ca_file: Path | None = None) -> None:
        self._server = server
        self._ssl = ssl.create_default_context(cafile=ca_file) if ca_file else False
        self._faults: list[Fault] = []
        self._released = asyncio.Event()
        self._changed = asyncio.Condition()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self.requests: list[Request] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._ssl, limit=0, socket_factory=self._connect)
        timeout = aiohttp.ClientTimeout(total=None)
        self._client = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.clear()
        for request in self.requests:
            _reset(request)
        await self._runner.cleanup()
        await self._wait_until(
            lambda: all(each.ended is not None for each in self.requests), "the end of every request"
        )
        await self._client.close()
        # To end TLS takes the server's consent, and after the test there is no event loop that would wait for it.
        await eventually(lambda: all(each.fileno() < 0 for each in self._sockets))

    # Faults

    def answer(
        self,
        status: int,
        *,
        times: int | None = 1,
        retry_after: float | str | None = None,
        forward: bool = False,
        method: str = "",
        path: str = "",
        watch: bool | None = None,
    ) -> Fault:
        """Answers with a Status object. ``forward``: the server gets the request all the same."""

        async def act(proxy: FaultProxy, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
            if forward:
                async with proxy.upstream(raw, request) as response:
                    await response.read()
            headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
            return web.json_response(status_object(status), status=status, headers=headers)

        return self._add(act, times, method, path, watch)

    def expire(self, *, times: int | None = 1, path: str = "") -> Fault:
        """Accepts a watch and sends the event that its resourceVersion is too old."""

        async def act(_proxy: FaultProxy, _raw: web.BaseRequest, _request: Request) -> web.StreamResponse:
            event = json.dumps({"type": "ERROR", "object": status_object(410)})
            return web.Response(text=event + "\n", content_type="application/json")

        return self._add(act, times, "", path, watch=True)

    def delay(
        self, seconds: float, *, times: int | None = None, method: str = "", path: str = "", watch: bool | None = None
    ) -> Fault:
        """Lets the server have the request so many seconds later."""

        async def act(proxy: FaultProxy, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await proxy.forward(raw, request)

        return self._add(act, times, method, path, watch)

    def hold(self, *, times: int | None = None, method: str = "", path: str = "", watch: bool | None = None) -> Fault:
        """Lets the server have the request after :meth:`release`."""
        self._released.clear()

        async def act(proxy: FaultProxy, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
            await proxy._released.wait()
            return await proxy.forward(raw, request)

        return self._add(act, times, method, path, watch)

    def release(self) -> None:
        """Lets held requests go on, and later ones pass."""
        self._released.set()

    def reset(self, *, times: int | None = 1, method: str = "", path: str = "", watch: bool | None = None) -> Fault:
        """Resets the connection instead of answering."""

        async def act(_proxy: FaultProxy, _raw: web.BaseRequest, request: Request) -> web.StreamResponse:
            _reset(request)
            return web.Response()

        return self._add(act, times, method, path, watch)

    def hang(self, *, times: int | None = None, method: str = "", path: str = "", watch: bool | None = None) -> Fault:
        """Never answers; the server sees nothing."""

        async def act(_proxy: FaultProxy, _raw: web.BaseRequest, _request: Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError

        return self._add(act, times, method, path, watch)

    def truncate(
        self, size: int, *, times: int | None = 1, method: str = "", path: str = "", watch: bool | None = None
    ) -> Fault:
        """Ends the connection after ``size`` bytes of the server's answer."""

        async def act(proxy: FaultProxy, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
            async with proxy.upstream(raw, request) as response:
                whole = await response.content.readany() if request.is_watch else await response.read()
            answer = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
            answer.content_length = max(len(whole), size + 1)
            await answer.prepare(raw)
            await answer.write(whole[:size])
            assert raw.transport is not None
            raw.transport.close()
            return answer

        return self._add(act, times, method, path, watch)

    def garble(self, *, times: int | None = 1, method: str = "", path: str = "", watch: bool | None = None) -> Fault:
        """Answers 200 with what is no JSON, though it says so."""

        async def act(_proxy: FaultProxy, _raw: web.BaseRequest, _request: Request) -> web.StreamResponse:
            return web.Response(body=b'{"kind": "List", "items": [{]\n', content_type="application/json")

        return self._add(act, times, method, path, watch)

    def drop_watches(self, path: str = "") -> int:
        """Resets the connections of the watches that are open; returns how many."""
        dropped = [watch for watch in self.watches if path in watch.path]
        for watch in dropped:
            _reset(watch)
        return len(dropped)

    def clear(self) -> None:
        """No more faults; held requests go on. What was sent is still remembered."""
        self._faults.clear()
        self._released.set()

    # What it remembers

    @property
    def watches(self) -> list[Request]:
        """The watches that are open now."""
        return [each for each in self.requests if each.is_watch and each.ended is None and each.status == 200]

    def sent(self, method: str = "", path: str = "") -> list[Request]:
        """The requests of a method, "" for any, with this in their path."""
        return [each for each in self.requests if method in ("", each.method) and path in each.path]

    def most_at_once(self, method: str = "", path: str = "") -> int:
        """The most of these requests that were under way at the same time."""
        sent = self.sent(method, path)
        ended = [(each.ended, -1) for each in sent if each.ended is not None]
        most = now = 0
        for _, step in sorted([*((each.began, 1) for each in sent), *ended]):
            now += step
            most = max(most, now)
        return most

    async def wait_for(self, count: int, method: str = "", path: str = "") -> list[Request]:
        """Returns the requests once there are as many."""
        await self._wait_until(lambda: len(self.sent(method, path)) >= count, f"{count} {method} {path}")
        return self.sent(method, path)

    async def wait_for_watches(self, count: int) -> None:
        """Returns once as many watches are open."""
        await self._wait_until(lambda: len(self.watches) >= count, f"{count} watches")

    async def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            seen = [f"{each.method} {each.path} {each.status}" for each in self.requests[-20:]]
            raise AssertionError(f"waited in vain for {what}; the last requests were {seen}") from None

    # The proxy

    def _add(self, act: Act, times: int | None, method: str, path: str, watch: bool | None) -> Fault:
        fault = Fault(act, times, method, path, watch)
        self._faults.append(fault)
        return fault

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(raw.transport, asyncio.Transport | None)
        request = Request(
            method=raw.method,
            path=raw.path,
            query={name: values[-1] for name, values in parse_qs(raw.query_string).items()},
            body=await raw.read(),
            user=raw.headers.get("Authorization", "").removeprefix("Bearer "),
            began=time.monotonic(),
            connection=raw.transport,
        )
        self.requests.append(request)
        await self._notify()
        try:
            return await self._answer(raw, request)
        finally:
            request.ended = time.monotonic()
            await self._notify()

    async def _answer(self, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
        fault = next((each for each in self._faults if each.matches(request)), None)
        if fault is None:
            return await self.forward(raw, request)
        fault.used += 1
        answer = await fault.act(self, raw, request)
        request.status = request.status or answer.status
        return answer

    @asynccontextmanager
    async def upstream(self, raw: web.BaseRequest, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The server's answer to the request, as a context. Leaving it early cuts the connection.

        To end TLS in good order takes the server's consent, and by then the test's event loop may be gone.
        """
        headers = {name: value for name, value in raw.headers.items() if name.lower() not in HOP_BY_HOP}
        url = URL(self._server + raw.raw_path, encoded=True)
        async with self._client.request(
            request.method, url, data=request.body or None, headers=headers, allow_redirects=False
        ) as response:
            try:
                yield response
            except BaseException:
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()
                raise

    async def forward(self, raw: web.BaseRequest, request: Request) -> web.StreamResponse:
        """Passes the server's answer on, byte by byte as it comes. A server that is away resets the connection."""
        answer = web.StreamResponse()
        try:
            async with self.upstream(raw, request) as response:
                headers = {name: value for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP}
                answer = web.StreamResponse(status=response.status, headers=headers)
                answer.content_length = response.content_length
                await answer.prepare(raw)
                request.status = response.status
                await self._notify()
                async for chunk in response.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
        except aiohttp.ClientError:
            _reset(request)
        return answer

    def _connect(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """A socket towards the server, remembered until it is closed."""
        family, kind, protocol, _, _ = address
        connected = socket.socket(family, kind, protocol)
        self._sockets.add(connected)
        return connected

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def status_object(status: int) -> dict[str, Any]:
    """The error as an API server words it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "told by the test",
        "reason": REASONS.get(status, ""),
        "code": status,
    }


def _reset(request: Request) -> None:
    """Ends the connection with RST, as a peer does that went away."""
    transport = request.connection
    if transport is not None and not transport.is_closing():
        connected = transport.get_extra_info("socket")
        with suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
