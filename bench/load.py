"""A load generator: posts ready-made requests over connections that stay open, and notes when each was answered.

``python -m bench.load`` reads a :class:`Plan` from standard input and writes a :class:`Run` to standard output, both
JSON, so that it runs in a process of its own. It knows as much of HTTP as it needs: a status, and where a body ends.
"""

import asyncio
import itertools
import re
import resource
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec

from bench import child

ROOT = Path(__file__).parent.parent  # of the repository
PATIENCE = 60.0  # seconds that the last answers may take
GREETING = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"transfer-encoding: chunked", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"
DELIVERY_ID = re.compile(r"x-delivery-id: (\w+)", re.IGNORECASE)


class Plan(msgspec.Struct, kw_only=True):
    """What to send: the requests in turn, each connection one at a time.

    For so many ``seconds``, or so many requests in all when there is a ``count``. The clock starts when the
    host has answered something else on every connection, so that all of them are open on its side too.
    """

    url: str
    requests: list[bytes]
    connections: int
    seconds: float = 0.0
    count: int | None = None
    ca_file: str = ""  # speak TLS, and trust this


class Exchange(msgspec.Struct, array_like=True):
    """One request and its answer. Times are readings of time.monotonic(), which all processes share."""

    sent: float
    answered: float
    status: int
    head: str

    @property
    def latency(self) -> float:
        """Seconds from the request to its whole answer."""
        return self.answered - self.sent

    @property
    def delivery_id(self) -> str:
        """The answer's X-Delivery-Id, or ``""``."""
        found = DELIVERY_ID.search(self.head)
        return found[1] if found else ""


class Run(msgspec.Struct, kw_only=True):
    """What became of a plan."""

    began: float
    until: float  # when sending stopped
    cpu: float  # seconds of processor time that the load generator itself took
    exchanges: list[Exchange]

    @property
    def rate(self) -> float:
        """Answers a second, for as long as requests were sent."""
        answered = sum(exchange.answered <= self.until for exchange in self.exchanges)
        return answered / (self.until - self.began)

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(exchange.status for exchange in self.exchanges)


def drive(plan: Plan) -> Run:
    """Carry out a plan in a process of its own. Raises subprocess.CalledProcessError when a connection is lost."""
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, cwd=ROOT, input=msgspec.json.encode(plan), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Run)


async def run(plan: Plan) -> Run:
    """Carry out a plan. Raises ConnectionError when a connection is lost, TimeoutError when answers stay away."""
    sending = _Sending(plan)
    loop = asyncio.get_running_loop()
    host, _, port = urlsplit(plan.url).netloc.rpartition(":")
    tls = ssl.create_default_context(cafile=plan.ca_file) if plan.ca_file else None
    connections: list[_Connection] = []
    async with asyncio.timeout(plan.seconds + PATIENCE):
        for _ in range(plan.connections):
            _, connection = await loop.create_connection(lambda: _Connection(sending), host, int(port), ssl=tls)
            connections.append(connection)
            await connection.greeted
        cpu = _cpu()
        sending.begin()
        for connection in connections:
            connection.send_next()
        await asyncio.gather(*(connection.done for connection in connections))
    return sending.result(cpu=_cpu() - cpu)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class _Sending:
    """What all connections share: the requests still to send, and what was answered."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        requests = itertools.cycle(plan.requests)
        self._requests = requests if plan.count is None else itertools.islice(requests, plan.count)
        self._began = self._until = 0.0
        self._answers: list[tuple[float, float, bytes]] = []

    def begin(self) -> None:
        self._began = time.monotonic()
        self._until = self._began + self._plan.seconds

    def next(self) -> bytes | None:
        """The next request; None when all were sent or the time is over."""
        if self._plan.count is None and time.monotonic() >= self._until:
            return None
        return next(self._requests, None)

    def note(self, sent: float, head: bytes) -> None:
        self._answers.append((sent, time.monotonic(), head))

    def result(self, *, cpu: float) -> Run:
        exchanges = [
            Exchange(sent, answered, int(head[9:12]), head.decode("latin-1")) for sent, answered, head in self._answers
        ]
        until = self._until if self._plan.count is None else max(exchange.answered for exchange in exchanges)
        return Run(began=self._began, until=until, cpu=cpu, exchanges=exchanges)


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, sending: _Sending) -> None:
        self._sending = sending
        self._sent = 0.0
        self._received = b""
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(GREETING)

    def send_next(self) -> None:
        request = self._sending.next()
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(HEAD_END)
        if end and _is_whole(head, body):
            self._received = b""
            if self.greeted.done():
                self._sending.note(self._sent, head)
                self.send_next()
            else:
                self.greeted.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in (self.greeted, self.done):
            if not waiting.done():
                waiting.set_exception(exc or ConnectionResetError("the host closed a connection"))


def _is_whole(head: bytes, body: bytes) -> bool:
    length = CONTENT_LENGTH.search(head)
    if length is None and CHUNKED.search(head):
        return body.endswith(LAST_CHUNK)
    return len(body) >= (int(length[1]) if length else 0)


if __name__ == "__main__":
    child.main(Plan, run)
