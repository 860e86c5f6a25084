"""HTTP/1.1 to one server: as much of it as asking the Kubernetes API takes.

Requests go over connections that are kept; answers are taken as they come. No task stands behind them: whoever waits
for an answer and is cancelled has let go of its connection. Names alone are looked up for all who wait. Why not a
library: docs/dependencies.md.
"""

import asyncio
import base64
import contextlib
import os
import socket
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import aiohappyeyeballs

from receivers import limits
from receivers.http_answer import Answer, ClosedError, HttpError
from receivers.text import clipped
from receivers.version import VERSION

_USER_AGENT = f"kargo-receivers/{VERSION}"
_GET = "GET"
_IN_PATHS = "/:@!$&'()*+,;=~%"  # beside letters, digits and ``_.-``; RFC 3986, section 3.3
_PORTS = {"http": 80, "https": 443}
_PROXY_PASSES = (b"HTTP/1.0 200", b"HTTP/1.1 200")

type _Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


class Server:
    """One server. Safe for concurrent use on one event loop. Close it with :meth:`close`.

    ``called`` is its name in the texts of errors. ``tls_server_name`` is the name that its certificate has to have,
    instead of the one in its URL. A ``proxy`` is an ``http://`` URL, with user name and password if it wants them.
    Without ``gzip`` answers are asked for, and taken, as they are: what is small on its way may be large here.
    """

    def __init__(
        self,
        url: str,
        *,
        called: str,
        tls: ssl.SSLContext | None = None,
        tls_server_name: str | None = None,
        proxy: str | None = None,
        gzip: bool = True,
    ) -> None:
        self._called = called
        self._kept: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        self._fault = ""  # why nothing can be asked
        self._looking: asyncio.Task[None] | None = None  # up the addresses of a name
        try:
            self._address, self._path, self._host, is_https = _taken_apart(url)
        except ValueError:
            self._fault = f"the URL of {called} is none that starts with http:// or https://"
            return
        self._tls = (tls or ssl.create_default_context()) if is_https else None
        self._tls_server_name = tls_server_name or self._address[0] if self._tls else None
        self._proxy = None
        proxys = ""  # a line
        try:
            self._proxy = _Proxy(proxy) if proxy else None
        except ValueError:
            self._fault = "the URL of the proxy is none that starts with http://"
        if self._proxy and self._tls is None:
            self._path = f"http://{self._host}{self._path}"
            proxys = self._proxy.authorization
        coding = "gzip" if gzip else "identity"
        self._fixed = (
            f" HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: {_USER_AGENT}\r\nAccept-Encoding: {coding}\r\n{proxys}"
        )
        self._gzip = gzip
        self._addresses: Sequence[_Address] = ()
        self._known_until = 0.0  # the event loop's time

    async def close(self) -> None:
        """Cut every connection. Who waits for an answer gets an error."""
        for connection in tuple(self._open):
            connection.transport.abort()
        if self._looking is not None and not self._looking.done():
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await asyncio.sleep(0)  # the sockets are closed in the event loop's next turn

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str],
        body: bytes | None = None,
        silence: float | None = None,
    ) -> Answer:
        """Send a request; returns once the answer's head is there. Whoever gets an answer has to :meth:`~Answer.leave`.

        A wait of more than ``silence`` seconds for the next part of the answer is an error. A GET is sent once more
        where its kept connection turns out to be closed. Raises :class:`HttpError`.
        """
        if self._fault:
            raise HttpError(self._fault)
        request = self._written(method, path, query, headers, body)
        while True:
            connection = self._pick()
            is_kept = connection is not None
            connection = connection or await self._connect()
            answer = Answer(connection, called=self._called, gzip=self._gzip, silence=silence)
            try:
                await answer.start(request)
            except ClosedError:
                answer.leave()
                if not is_kept or method != _GET or answer.has_begun:
                    raise
            except BaseException:
                answer.leave()
                raise
            else:
                return answer

    def keep(self, connection: "_Connection") -> None:
        """Keep a connection whose answer is complete for the next request."""
        connection.kept_until = connection.loop.time() + limits.CONNECTION_KEPT
        self._kept.append(connection)
        while self._kept and self._kept[0].kept_until < connection.loop.time():
            self._kept.popleft().transport.abort()

    def opened(self, connection: "_Connection") -> None:
        self._open.add(connection)

    def lost(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        if connection.answer is None and connection in self._kept:
            self._kept.remove(connection)

    def _pick(self) -> "_Connection | None":
        """The connection that was used last; those that were not for long may be closed at the other end."""
        while self._kept:
            connection = self._kept.pop()
            if connection.kept_until >= connection.loop.time() and not connection.transport.is_closing():
                return connection
            connection.transport.abort()
        return None

    def _written(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """A request as it goes over the wire."""
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if fields.count("\n") != len(headers) or fields.count("\r") != len(headers):
            raise HttpError("a header has more than one line")
        target = f"{self._path}{quote(path, safe=_IN_PATHS)}{'?' if query else ''}{query}"
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        return f"{method} {target}{self._fixed}{fields}{length}\r\n".encode() + (body or b"")

    async def _connect(self) -> "_Connection":
        try:
            return await self._connected()
        except TimeoutError:
            raise HttpError(f"{self._called} did not answer in time") from None
        except ssl.SSLError:
            raise HttpError(f"{self._called}'s certificate is not trusted, or TLS failed") from None
        except socket.gaierror:
            raise HttpError(f"{self._called}'s name cannot be resolved") from None
        except OSError as error:
            raise HttpError(f"cannot connect to {self._called}: {_describe(error)}") from None

    async def _connected(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        addresses = await self._looked_up(loop)
        async with asyncio.timeout(limits.CONNECT_TIMEOUT):
            connected = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=limits.NEXT_ADDRESS)
            if self._proxy and self._tls:
                try:
                    await self._proxy.tunnel(connected, self._address)
                except BaseException:
                    connected.close()
                    raise
            _, connection = await loop.create_connection(
                lambda: _Connection(self, loop), sock=connected, ssl=self._tls, server_hostname=self._tls_server_name
            )
        return connection

    async def _looked_up(self, loop: asyncio.AbstractEventLoop) -> Sequence[_Address]:
        """The addresses of where connections go; those of a name are asked for once for all who wait."""
        host, port = self._proxy.address if self._proxy else self._address
        with contextlib.suppress(socket.gaierror):  # no address, but a name
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        if loop.time() >= self._known_until:
            if self._looking is None or self._looking.done():
                self._looking = loop.create_task(self._look_up(loop, host, port))
                self._looking.add_done_callback(_take_note)
            await asyncio.shield(self._looking)
        return self._addresses

    async def _look_up(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        """Ask for the addresses of a name, which takes a thread until it is answered: one at a time, whoever leaves."""
        self._addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self._known_until = loop.time() + limits.ADDRESSES_KNOWN


def _take_note(looking: "asyncio.Task[None]") -> None:
    """Whoever waited has its error; there may be nobody left."""
    if not looking.cancelled():
        looking.exception()


class _Connection(asyncio.Protocol):
    """A connection, which has one answer at a time."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.answer: Answer | None = None
        self.transport: asyncio.Transport
        self.kept_until = 0.0  # the event loop's time
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._server.opened(self)

    def give_back(self) -> None:
        """The answer was complete, and another request may follow."""
        self._server.keep(self)

    def data_received(self, data: bytes) -> None:
        if self.answer is not None:
            self.answer.feed(data)
        else:  # nobody has asked
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer is not None:
            self.answer.end(exc)
        self._server.lost(self)


class _Proxy:
    """A proxy on the way to the server."""

    def __init__(self, url: str) -> None:
        self.address, _, _, is_https = _taken_apart(url)
        if is_https:
            raise ValueError
        parts = urlsplit(url)
        self.authorization = ""  # a line of the head
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.authorization = f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"

    async def tunnel(self, connected: socket.socket, address: tuple[str, int]) -> None:
        """Have a connection to the proxy lead on to an address."""
        loop = asyncio.get_running_loop()
        host, port = address
        to = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        await loop.sock_sendall(connected, f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{self.authorization}\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:  # what comes after it waits for us to begin
            part = await loop.sock_recv(connected, 4096)
            head += part
            if not part or len(head) > limits.ANSWER_HEAD:
                raise HttpError("the proxy closed the connection, or answers with what is no HTTP")
        if not head.startswith(_PROXY_PASSES):
            raise HttpError(f"the proxy refuses to connect: {clipped(head.partition(b'\r\n')[0].decode('latin-1'))}")


def _taken_apart(url: str) -> tuple[tuple[str, int], str, str, bool]:
    """Of a URL the host and port, the path, what a Host header has, and whether it is https. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError
    address = (parts.hostname, parts.port or _PORTS[parts.scheme])
    return address, parts.path.rstrip("/"), parts.netloc.rpartition("@")[2], parts.scheme == "https"


def _describe(error: OSError) -> str:
    """The system's words, without the address that asyncio adds; several addresses have no common error number."""
    return os.strerror(error.errno) if error.errno else "none of its addresses answers"
