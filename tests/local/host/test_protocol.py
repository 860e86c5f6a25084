"""How large the head of a request may be. The body has a limit of its own."""

import asyncio

import pytest

from receivers.local.host.protocol import HEAD
from tests.local.host.wire import ask, connect, exchange, parse

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = b"GET /api/echo HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("piece", [b"X: 1\r\n", b"1"], ids=["many headers", "one header"])
async def test_a_head_without_end_is_refused(shapes: str, piece: bytes) -> None:
    endless = (START + b"X: " + piece * HEAD)[: HEAD + 1]
    assert (await exchange(shapes, endless)).status == 431


async def test_a_line_without_end_is_refused_too(shapes: str) -> None:
    assert (await exchange(shapes, (b"GET /" + b"a" * HEAD)[: HEAD + 1])).status == 431


async def test_the_second_request_of_a_connection_has_the_same_limit(shapes: str) -> None:
    body = b"b" * HEAD
    first = b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    reader, writer = await connect(shapes)
    async with asyncio.timeout(20):
        writer.write(first + body)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(parse(head).header("content-length") or 0))
        writer.write((START + b"X: " + b"1" * HEAD)[: HEAD + 1])
        assert parse(await reader.read()).status == 431
    writer.close()


async def test_a_large_head_that_ends_and_a_large_body_are_taken(shapes: str) -> None:
    response = await ask(shapes, "POST", "/api/echo", headers=[("X", "1" * (HEAD // 2))], body=b"b" * (3 * HEAD))
    assert response.status == 200


async def test_requests_that_come_together_are_each_answered(shapes: str) -> None:
    body = b"b" * HEAD
    one = b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body)
    response = await exchange(shapes, (one + b"\r\n" + body) * 3 + one + b"Connection: close\r\n\r\n" + body)
    assert (response.status, response.body.count(b"HTTP/1.1 200")) == (200, 3)
