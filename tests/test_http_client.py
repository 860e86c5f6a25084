"""The HTTP client: connections that are kept, cut and lost, and answers of any shape; tests of cluster/ say more."""

import asyncio
import contextlib
import gzip
import itertools
import socket
import ssl
import threading
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from receivers import limits
from receivers.http_answer import Answer, HttpError
from receivers.http_client import Server
from receivers.version import VERSION
from testbed.certificates import Authority
from testbed.processes import free_port
from testbed.waiting import eventually, turns

TIMEOUT = 10.0  # seconds, for what is answered
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

type Speech = Callable[[int, bytes], bytes | None]


class Scripted:
    """A server that says to the n-th request what the test gives; nothing where that is None.

    After an answer with ``Connection: close`` it closes the connection.
    """

    def __init__(self, speech: Speech) -> None:
        self.requests: list[bytes] = []
        self.connections = 0  # in all
        self.open = 0
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []
        self._speech = speech

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self.open += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                self.requests.append(head + body)
                answer = self._speech(len(self.requests), head + body)
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if b"Connection: close" in answer:
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def scripted(*speech: bytes | None, each: Speech | None = None) -> AsyncIterator[tuple[Scripted, Server]]:
    """A server with answers, of which the last is repeated, and a client for it."""
    script = Scripted(each or (lambda number, _: speech[min(number, len(speech)) - 1]))
    listening = await asyncio.start_server(script.speak, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    server = Server(script.url, called="it")
    try:
        yield script, server
    finally:
        await server.close()
        listening.close()
        for writer in script.writers:
            writer.transport.abort()
        await turns()


async def whole(answer: Answer) -> bytes:
    """The body."""
    try:
        return b"".join([chunk async for chunk in chunks(answer)])
    finally:
        answer.leave()


async def chunks(answer: Answer) -> AsyncIterator[bytes]:
    """The body, part by part."""
    while chunk := await answer.chunk():
        yield chunk


async def got(server: Server, path: str = "/", *, method: str = "GET", silence: float | None = None) -> bytes:
    """The body of an answer."""
    async with asyncio.timeout(TIMEOUT):
        return await whole(await server.ask(method, path, headers={}, silence=silence))


async def failure(call: Awaitable[object]) -> str:
    """What a call fails with, which tells no address."""
    with pytest.raises(HttpError) as failed:
        await call
    assert "127.0.0.1" not in str(failed.value)
    return str(failed.value)


# Connections


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with scripted(OK) as (script, server):
        for _ in range(5):
            assert await got(server) == b"ok"
        assert (script.connections, len(script.requests)) == (1, 5)


async def test_requests_at_the_same_time_have_a_connection_each_and_those_are_kept() -> None:
    async with scripted(OK) as (script, server):
        for _ in range(3):
            assert await asyncio.gather(*(got(server) for _ in range(8))) == [b"ok"] * 8
        assert script.connections == 8


async def test_what_is_sent_is_what_was_asked() -> None:
    async with scripted(OK) as (script, server):
        answer = await server.ask("PATCH", "/a b/ü", query="x=1", headers={"A": "ä"}, body=b"{}")
        answer.leave()
        host = script.url.removeprefix("http://").encode()
        assert script.requests == [
            b"PATCH /a%20b/%C3%BC?x=1 HTTP/1.1\r\nHost: "
            + host
            + b"\r\nUser-Agent: kargo-receivers/"
            + VERSION.encode()
            + b"\r\nAccept-Encoding: gzip\r\n"
            b"A: \xc3\xa4\r\nContent-Length: 2\r\n\r\n{}"
        ]


async def test_paths_begin_with_that_of_the_server() -> None:
    async with scripted(OK) as (script, _):
        server = Server(f"{script.url}/k8s/clusters/c-1/", called="it")
        await got(server, "/version")
        assert script.requests[0].startswith(b"GET /k8s/clusters/c-1/version HTTP/1.1\r\n")
        await server.close()


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\rb"])
async def test_a_header_cannot_bring_another_one(value: str) -> None:
    async with scripted(OK) as (script, server):
        assert await failure(server.ask("GET", "/", headers={"A": value})) == "a header has more than one line"
        assert script.requests == []


@pytest.mark.parametrize("path", ["/x HTTP/1.1\r\nA: b", "/\n", "/?a", "/#"])
async def test_a_path_can_bring_nothing_else(path: str) -> None:
    async with scripted(OK) as (script, server):
        await got(server, path)
        assert script.requests[0].count(b"\n") == 5
        assert b"?" not in script.requests[0].splitlines()[0]


@pytest.mark.parametrize("begun", [False, True])
async def test_who_is_cancelled_has_let_go_of_the_connection(*, begun: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n..."
    async with scripted(each=lambda *_: head if begun else None) as (script, server):
        asking = asyncio.create_task(got(server))
        await eventually(lambda: len(script.requests) == 1)
        await turns()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(lambda: script.open == 0)


async def test_cancelling_at_any_time_leaves_nothing_open() -> None:
    async with scripted(OK) as (script, server):
        for turn in range(40):
            asking = asyncio.create_task(got(server))
            await turns(turn % 20)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
        assert await asyncio.gather(*(got(server) for _ in range(4))) == [b"ok"] * 4
        await server.close()
        await eventually(lambda: script.open == 0)


async def test_closing_ends_what_waits() -> None:
    async with scripted(None) as (script, server):
        asking = asyncio.create_task(got(server))
        await eventually(lambda: len(script.requests) == 1)
        await server.close()
        assert await failure(asking) == "it closed the connection"
        await eventually(lambda: script.open == 0)


async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    async with scripted(OK) as (script, server):
        await got(server)
        script.writers[0].close()
        await eventually(lambda: script.open == 0)
        await turns()
        assert await got(server, method="PATCH") == b"ok"
        assert script.connections == 2


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_on_a_kept_connection_that_closes_instead_of_an_answer_only_a_get_is_sent_again(method: str) -> None:
    def speech(number: int, _: bytes) -> bytes | None:
        return None if number == 2 else OK

    async with scripted(each=speech) as (script, server):
        await got(server)
        asking = asyncio.create_task(got(server, method=method))
        await eventually(lambda: len(script.requests) == 2)
        script.writers[0].close()
        if method == "GET":
            assert await asking == b"ok"
        else:
            assert await failure(asking) == "it closed the connection"
        assert len(script.requests) == (3 if method == "GET" else 2)


async def test_a_get_is_not_sent_again_on_a_new_connection() -> None:
    async with scripted(b"HTTP/1.1 200 OK\r\nConnection: close\r\n") as (script, server):
        assert await failure(got(server)) == "it closed the connection"
        assert len(script.requests) == 1


async def test_a_connection_that_was_long_idle_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECTION_KEPT", -1.0)
    async with scripted(OK) as (script, server):
        await got(server)
        await got(server)
        assert script.connections == 2
        await eventually(lambda: script.open == 0)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        OK + b"?",
        OK.replace(b"1.1", b"1.0"),
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    ],
)
async def test_a_connection_is_not_kept_after(answer: bytes) -> None:
    async with scripted(answer) as (script, server):
        for _ in range(3):
            assert await got(server) == b"ok"
        assert script.connections == 3


async def test_what_nobody_asked_for_cuts_a_kept_connection() -> None:
    async with scripted(OK) as (script, server):
        await got(server)
        script.writers[0].write(OK)
        await eventually(lambda: script.open == 0)
        assert await got(server) == b"ok"
        assert script.connections == 2


async def test_the_addresses_of_a_name_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    lookup = loop.getaddrinfo

    async def count(host: str, port: int, **options: int) -> object:
        asked.append(host)
        return await lookup("127.0.0.1", port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", count)
    async with scripted(OK) as (script, by_address):
        server = Server(script.url.replace("127.0.0.1", "somewhere.test"), called="it")
        assert await asyncio.gather(*(got(server) for _ in range(8))) == [b"ok"] * 8
        await got(by_address)
        assert asked == ["somewhere.test"]
        await server.close()


async def test_a_server_that_takes_no_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = Server(f"https://127.0.0.1:{silent.getsockname()[1]}", called="it")
        assert await failure(got(server)) == "it did not answer in time"
        await server.close()


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://127.0.0.1", "https://", "https://127.0.0.1:x", "http://[::1"]
)
async def test_what_is_no_url(url: str) -> None:
    server = Server(url, called="it")
    assert await failure(got(server)) == "the URL of it is none that starts with http:// or https://"
    await server.close()


# Answers


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
    ],
)
async def test_an_answer_of_every_form_is_read(answer: bytes) -> None:
    async with scripted(answer) as (_, server):
        found = await server.ask("GET", "/", headers={})
        assert (found.status, found.reason, "a" in found.headers) == (200, "OK", False)
        assert await whole(found) == b"ok"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_without_a_body(status: str) -> None:
    async with scripted(f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode()) as (script, server):
        for _ in range(2):
            assert await got(server) == b""
        assert script.connections == 1


async def test_a_reader_that_is_slow_makes_the_sender_wait() -> None:
    size = 40_000_000
    async with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size) as (_, server):
        tracemalloc.start()
        answer = await server.ask("GET", "/", headers={})
        await asyncio.sleep(0.2)  # for what would come, were nobody to say no
        assert tracemalloc.get_traced_memory()[1] < 8 * limits.UNREAD
        tracemalloc.stop()
        assert len(await whole(answer)) == size


async def test_a_silence_ends_an_answer() -> None:
    async with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n...") as (script, server):
        assert await failure(got(server, silence=0.1)) == "it did not answer in time"
        await eventually(lambda: script.open == 0)
    async with scripted(None) as (_, server):
        assert await failure(got(server, silence=0.1)) == "it did not answer in time"


def packed(body: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Encoding: gzip", b"Content-Length: %d" % len(body), b"", body])


@pytest.mark.parametrize("size", [0, 1, 1000, 1_000_000])
async def test_a_compressed_answer_is_unpacked(size: int) -> None:
    body = bytes(itertools.islice(itertools.cycle(range(251)), size))
    async with scripted(packed(gzip.compress(body))) as (script, server):
        for _ in range(2):
            assert await got(server) == body
        assert script.connections == 1


async def test_what_unpacks_to_much_comes_in_parts() -> None:
    async with scripted(packed(gzip.compress(b"x" * 50_000_000))) as (_, server):
        answer = await server.ask("GET", "/", headers={})
        sizes = [len(chunk) async for chunk in chunks(answer)]
        answer.leave()
        assert sum(sizes) == 50_000_000
        assert max(sizes) <= limits.UNREAD


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"x") + b"more"],
    ids=["other bytes", "cut", "with more behind it"],  # gzip tells the time
)
async def test_what_is_no_gzip(body: bytes) -> None:
    async with scripted(packed(body)) as (_, server):
        assert await failure(got(server)) == "it answers with what is no HTTP"


async def test_an_answer_without_a_body_needs_no_unpacking() -> None:
    async with scripted(packed(b"")) as (_, server):
        answer = await server.ask("GET", "/", headers={})
        assert await answer.chunk() == b""
        answer.leave()


async def test_a_name_is_looked_up_by_one_thread_at_a_time_however_many_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = 0, threading.Event()

    def hang(*_: object, flags: int = 0, **__: object) -> list[object]:
        nonlocal asked
        if flags:
            raise socket.gaierror
        asked += 1
        answered.wait(10)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    server = Server("http://api.example.com", called="the API server")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await server.ask("GET", "/", headers={})
    assert asked == 1
    answered.set()
    with pytest.raises(HttpError, match="cannot be resolved"):
        await server.ask("GET", "/", headers={})
    await server.close()


async def test_where_it_is_not_wanted_nothing_is_unpacked() -> None:
    async with scripted(packed(b"as it is")) as (script, _):
        server = Server(script.url, called="it", gzip=False)
        assert await got(server) == b"as it is"
        assert b"Accept-Encoding: identity" in script.requests[0]
        await server.close()


async def test_an_upgrade_that_nobody_asked_for() -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    async with scripted(answer) as (_, server):
        assert await failure(got(server)) == "it answers with what is no HTTP"


# TLS and proxies


@contextlib.asynccontextmanager
async def trusted(folder: Path, *, name: str = "localhost") -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    """The port of a server with a certificate for this name, and trust in it."""
    authority = Authority(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.server(name))
    script = Scripted(lambda *_: OK)
    listening = await asyncio.start_server(script.speak, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1], ssl.create_default_context(cafile=authority.certificate)
    finally:
        listening.close()
        await turns()


async def test_without_a_context_a_certificate_has_to_be_trusted_all_the_same(tmp_path: Path) -> None:
    async with trusted(tmp_path) as (port, _):
        server = Server(f"https://localhost:{port}", called="it")
        assert await failure(got(server)) == "it's certificate is not trusted, or TLS failed"
        await server.close()


class Tunnel(Scripted):
    """A proxy that leads to whatever port of this machine it is told, or refuses."""

    def __init__(self, status: str = "200 Connection established") -> None:
        super().__init__(lambda *_: OK)
        self.status = status

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {self.status}\r\nVia: test\r\n\r\n".encode() if self.status else b"?")
        if not self.status.startswith("200"):
            writer.close()
            return
        port = int(self.requests[-1].split()[1].rpartition(b":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            to.write(data)
    to.close()


@contextlib.asynccontextmanager
async def tunnel(status: str = "200 Connection established") -> AsyncIterator[tuple[Tunnel, str]]:
    proxy = Tunnel(status)
    listening = await asyncio.start_server(proxy.speak, "127.0.0.1", 0)
    try:
        yield proxy, f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await turns()


async def test_a_proxy_leads_to_the_server_and_the_certificate_is_the_servers(tmp_path: Path) -> None:
    async with tunnel() as (proxy, address), trusted(tmp_path, name="kubernetes") as (port, tls):
        server = Server(
            f"https://api.invalid:{port}",
            called="it",
            tls=tls,
            tls_server_name="kubernetes",
            proxy=f"http://user:p%40ss@{address}",
        )
        assert [await got(server) for _ in range(2)] == [b"ok", b"ok"]
        await server.close()
        (request,) = proxy.requests
        assert request.startswith(f"CONNECT api.invalid:{port} HTTP/1.1\r\nHost: api.invalid:{port}\r\n".encode())
        assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in request
        another = Server(f"https://api.invalid:{port}", called="it", tls=tls, proxy=f"http://{address}")
        assert await failure(got(another)) == "it's certificate is not trusted, or TLS failed"
        await another.close()


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (
            "407 Proxy Authentication Required",
            "the proxy refuses to connect: HTTP/1.1 407 Proxy Authentication Required",
        ),
        ("", "the proxy closed the connection, or answers with what is no HTTP"),
    ],
)
async def test_a_proxy_that_does_not_lead_on(status: str, fault: str) -> None:
    async with tunnel(status) as (_, address):
        server = Server("https://api.invalid", called="it", proxy=f"http://{address}")
        assert await failure(got(server)) == fault
        await server.close()


async def test_a_proxy_for_plain_http_is_asked_for_the_whole_url() -> None:
    async with scripted(OK) as (script, _):
        server = Server("http://api.invalid/base", called="it", proxy=script.url.replace("//", "//user:pass@"))
        await got(server, "/version")
        assert script.requests[0].startswith(b"GET http://api.invalid/base/version HTTP/1.1\r\nHost: api.invalid\r\n")
        assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in script.requests[0]
        await server.close()


@pytest.mark.parametrize("proxy", ["https://127.0.0.1:1", "socks5://127.0.0.1:1", "127.0.0.1:3128"])
async def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    server = Server("https://127.0.0.1:1", called="it", proxy=proxy)
    assert await failure(got(server)) == "the URL of the proxy is none that starts with http://"
    await server.close()


async def test_a_proxy_that_is_not_there() -> None:
    server = Server("https://api.invalid", called="it", proxy=f"http://127.0.0.1:{free_port()}")
    assert await failure(got(server)) == "cannot connect to it: Connection refused"
    await server.close()
