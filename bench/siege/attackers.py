"""Hostile senders: random URLs, the largest bodies, slow ones. None of them keeps to anything but the plan's rates."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from urllib.parse import urlsplit

import aiohttp
import msgspec

from bench.siege.pace import Pace
from bench.siege.plan import Plan
from bench.siege.tenants import Tenant
from receivers.limits import BODY, NAME, QUALIFIERS
from receivers.providers import PROVIDERS

PATIENCE = aiohttp.ClientTimeout(total=30)
JSON = {"Content-Type": "application/json"}
GUESSES, UNKNOWN, OWN, SLOW = "random URLs", "2 MiB to random URLs", "2 MiB to their own receivers", "slow bodies"
OUTSIDE = 4096  # bytes of a largest body that are no tags

type Request = tuple[str, bytes]  # path and body


class Tally(msgspec.Struct):
    """What became of the requests of one kind."""

    outcomes: dict[str, int] = {}  # how often which status came, or none
    latencies: list[float] = []  # seconds

    def answered(self, status: int, seconds: float) -> None:
        """One more was answered."""
        self.ended(str(status))
        self.latencies.append(seconds)

    def ended(self, how: str) -> None:
        """One more was not answered."""
        self.outcomes[how] = self.outcomes.get(how, 0) + 1


async def attack(url: str, plan: Plan, tenants: Sequence[Tenant], *, seconds: float) -> dict[str, Tally]:
    """All of them at once, over the plan's connections."""
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(url, connector=connector, timeout=PATIENCE) as session,
        asyncio.TaskGroup() as tasks,
    ):

        def post(what: Iterator[Request], *, connections: int, rate: float, tally: Tally) -> None:
            pace = Pace(rate)
            for _ in range(connections):
                tasks.create_task(_post(session, what, pace, seconds, tally))

        guesses, unknown, own, slow = Tally(), Tally(), Tally(), Tally()
        half = plan.largest // 2
        post(_guesses(), connections=plan.guessing, rate=plan.guesses, tally=guesses)
        post(_largest(tenants, _random_path), connections=half, rate=plan.bodies / 2, tally=unknown)
        post(_largest(tenants, _own_path), connections=plan.largest - half, rate=plan.bodies / 2, tally=own)
        for _ in range(plan.slow):
            tasks.create_task(_drip(url, plan.drip, seconds, slow))
    return {GUESSES: guesses, UNKNOWN: unknown, OWN: own, SLOW: slow}


def tried(plan: Plan) -> dict[str, str]:
    """What a plan has them try, by kind."""
    half = plan.largest // 2
    return {
        GUESSES: f"{plan.guesses:g} a second over {plan.guessing} connections",
        UNKNOWN: f"{plan.bodies / 2:g} a second over {half}",
        OWN: f"{plan.bodies / 2:g} a second over {plan.largest - half}",
        SLOW: f"a byte each {plan.drip:g} s over {plan.slow}",
    }


async def _post(
    session: aiohttp.ClientSession, what: Iterator[Request], pace: Pace, seconds: float, tally: Tally
) -> None:
    loop = asyncio.get_running_loop()
    async for _ in pace.turns(seconds):
        path, body = next(what)
        began = loop.time()
        try:
            async with session.post(path, data=body, headers=JSON) as answer:
                await answer.read()
            tally.answered(answer.status, loop.time() - began)
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.ended(type(error).__name__)


async def _drip(url: str, between: float, seconds: float, tally: Tally) -> None:
    """Begin a body, and go on until there is an answer or the time is over; then begin anew."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (began := loop.time()) < until:
        try:
            status = await _slow_body(url, between, until)
        except (OSError, IndexError):
            tally.ended("closed")
            await asyncio.sleep(between)
            continue
        if status:
            tally.answered(status, loop.time() - began)
        else:
            tally.ended("open to the end")


async def _slow_body(url: str, between: float, until: float) -> int:
    """The status of the answer; 0 if there was none in time. Raises OSError and IndexError when it was closed."""
    loop = asyncio.get_running_loop()
    host, _, port = urlsplit(url).netloc.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"POST {_random_path()} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {BODY}\r\n\r\n".encode())
        while loop.time() < until:
            writer.write(b" ")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(between):
                    return int((await reader.readline()).split()[1])
        return 0
    finally:
        writer.close()


def _guesses() -> Iterator[Request]:
    body = msgspec.json.encode({"docker_url": "quay.io/team/app-1", "updated_tags": ["1.2.3"]})
    while True:
        yield _random_path(), body


def _largest(tenants: Sequence[Tenant], path: Callable[[Tenant], str]) -> Iterator[Request]:
    """Bodies of 2 MiB, no two alike, with as many tags as go in, or as many as are matched, which are long then."""
    many = _tags(BODY // 12, length=8)
    matched = _tags(QUALIFIERS - 1, length=min(NAME, (BODY - OUTSIDE) // QUALIFIERS - 4))
    for tenant, tags in zip(cycle(tenants), cycle([many, matched]), strict=False):
        first = secrets.token_hex(16)
        body = b'{"docker_url": "%s", "updated_tags": ["%s", %s]}' % (tenant.repository.encode(), first.encode(), tags)
        yield path(tenant), body.ljust(BODY)


def _tags(number: int, *, length: int) -> bytes:
    """So many, as they stand in a body."""
    return b", ".join(b'"v%0*d"' % (length - 1, each) for each in range(number))[: BODY - OUTSIDE].rpartition(b",")[0]


def _random_path(_: Tenant | None = None) -> str:
    """That of a receiver, by all that can be seen of it."""
    return f"/{secrets.choice(list(PROVIDERS))}/{secrets.token_hex(32)}"


def _own_path(tenant: Tenant) -> str:
    return next(hook.path for hook in tenant.hooks if hook.provider == "quay")
