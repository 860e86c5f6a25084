"""Deliveries at a steady rate, whatever becomes of them: nobody waits for another's answer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from bench.drill.senders import Image
from receivers.events import Example

KEPT = 600.0  # seconds that a connection may be idle
PATIENCE = aiohttp.ClientTimeout(total=30)  # longer than any sender's, to see how late an answer is


@dataclass(slots=True, kw_only=True)
class Post:
    """One delivery, and what its sender saw. Times are readings of the event loop's clock."""

    number: int
    image: Image
    phase: str  # what was broken when it was sent
    sent: float
    ended: float = 0.0
    status: int = 0  # 0: no answer
    body: str = ""
    delivery_id: str = ""
    error: str = ""  # why there was no answer

    @property
    def accepted(self) -> bool:
        """Whether the sender was told that all is well."""
        return 200 <= self.status < 300

    @property
    def latency(self) -> float:
        """Seconds from the first byte to the whole answer."""
        return self.ended - self.sent

    @property
    def arrival(self) -> datetime:
        """When the service had it, to the millisecond: its id begins with that. Only of an answered one."""
        return datetime.fromtimestamp(int(self.delivery_id[:12], 16) / 1000, UTC)


async def send(
    images: Sequence[Image],
    url: str,
    *,
    rate: float,
    phase: Callable[[], str],
    connections: int = 0,
    after: float = 0.0,
) -> list[Post]:
    """Push each of the images, so many a second, each over a connection of its own, as senders do.

    Or over so many ``connections``, which are open before the first one is sent, and ``after`` so many seconds.
    """
    loop = asyncio.get_running_loop()
    connector = (
        aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEPT)
        if connections
        else aiohttp.TCPConnector(limit=0, force_close=True)
    )
    posts: list[Post] = []
    async with (
        aiohttp.ClientSession(url, connector=connector, timeout=PATIENCE) as session,
        asyncio.TaskGroup() as all_,
    ):
        await asyncio.gather(*(_greet(session) for _ in range(connections)))
        began = loop.time() + after
        for number, image in enumerate(images):
            await asyncio.sleep(began + number / rate - loop.time())
            post = Post(number=number, image=image, phase=phase(), sent=loop.time())
            posts.append(post)
            all_.create_task(_send(session, post, kept=connections > 0))
    return posts


async def _greet(session: aiohttp.ClientSession) -> None:
    """Open a connection; an answer shows that the host has accepted it."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get("/healthz") as answer:
            await answer.read()


async def _send(session: aiohttp.ClientSession, post: Post, *, kept: bool) -> None:
    example = post.image.push(f"1.2.{post.number}")
    post.sent = asyncio.get_running_loop().time()
    try:
        try:
            await _post(session, post, example)
        except aiohttp.ServerDisconnectedError:
            if not kept:
                raise
            await _post(session, post, example)  # the host has just closed what was idle
    except (aiohttp.ClientError, TimeoutError) as error:
        post.error = type(error).__name__
    post.ended = asyncio.get_running_loop().time()


async def _post(session: aiohttp.ClientSession, post: Post, example: Example) -> None:
    async with session.post(post.image.path, data=example.body, headers=example.headers) as answer:
        post.body = await answer.text()
        post.status = answer.status
        post.delivery_id = answer.headers.get("X-Delivery-Id", "")
