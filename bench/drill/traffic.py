"""Deliveries at a steady rate, whatever becomes of them: nobody waits for another's answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from bench.drill.senders import Image

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


async def send(images: Sequence[Image], url: str, *, rate: float, phase: Callable[[], str]) -> list[Post]:
    """Push each of the images, so many a second, each over a connection of its own, as senders do."""
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    posts: list[Post] = []
    async with (
        aiohttp.ClientSession(url, connector=connector, timeout=PATIENCE) as session,
        asyncio.TaskGroup() as all_,
    ):
        began = loop.time()
        for number, image in enumerate(images):
            await asyncio.sleep(began + number / rate - loop.time())
            post = Post(number=number, image=image, phase=phase(), sent=loop.time())
            posts.append(post)
            all_.create_task(_send(session, post))
    return posts


async def _send(session: aiohttp.ClientSession, post: Post) -> None:
    headers, body = post.image.sender.push(post.image.repository, f"1.2.{post.number}")
    post.sent = asyncio.get_running_loop().time()
    try:
        async with session.post(post.image.path, data=body, headers=headers) as answer:
            post.body = await answer.text()
            post.status = answer.status
            post.delivery_id = answer.headers.get("X-Delivery-Id", "")
    except (aiohttp.ClientError, TimeoutError) as error:
        post.error = type(error).__name__
    post.ended = asyncio.get_running_loop().time()
