"""What reaches a function, and what reaches its client: over a socket, through the worker library."""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest

from receivers.local.host.http import REQUEST_BODY, answer, read_body
from receivers.local.host.worker import Message, TypedData
from testbed.gate import GATE
from tests.local.host.wire import ask, connect, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def seen(
    url: str, method: str, target: str, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> dict[str, Any]:
    """What the function saw of a request."""
    response = await ask(url, method, target, headers=headers, body=body)
    assert response.status == 200
    return response.json()


@pytest.mark.parametrize(
    ("method", "target", "function", "route"),
    [
        ("GET", "/api/echo", "echo", {}),
        ("GET", "/API/Echo/", "echo", {}),
        ("PATCH", "/api/echo", "echo", {}),
        ("GET", "/api/items/7", "read_item", {"id": "7"}),
        ("POST", "/api/items/7", "write_item", {"id": "7"}),
        ("PUT", "/api/items/latest", "latest_item", {}),
        ("GET", "/api/items/a%20b%2Fc%252F", "read_item", {"id": "a b%2Fc%2F"}),
        ("GET", "/api/files/a/b", "files", {"rest": "a/b"}),
        ("GET", "/api/files", "files", {}),
        ("GET", "/api/unrouted", "unrouted", {}),
        ("GET", "/api/sync", "sync", {}),
    ],
)
async def test_a_request_reaches_its_function(
    shapes: str, method: str, target: str, function: str, route: dict[str, str]
) -> None:
    told = await seen(shapes, method, target)
    assert (told["function"], told["method"], told["route"]) == (function, method, route)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api"),
        ("GET", "/echo"),
        ("GET", "/api/echo/more"),
        ("DELETE", "/api/items/7"),
        ("GET", "/api/on_message"),
    ],
)
async def test_an_unknown_path_and_a_wrong_method_are_404_without_a_body(shapes: str, method: str, target: str) -> None:
    response = await ask(shapes, method, target)
    assert (response.status, response.body) == (404, b"")


async def test_the_url_arrives_as_it_was_sent(shapes: str) -> None:
    told = await seen(shapes, "GET", "/api/files/a%2Fb%20c?x=%41&y=")
    assert told["url"] == f"{shapes}/api/files/a%2Fb%20c?x=%41&y="


async def test_a_url_without_a_query_has_no_question_mark(shapes: str) -> None:
    assert (await seen(shapes, "GET", "/api/echo"))["url"] == f"{shapes}/api/echo"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&empty=&bare", {"a": "1"}),
        ("a=1&a=2&A=3", {"a": "1,2,3"}),
        ("a=&a=2", {"a": "2"}),
        ("a=x+y%26z", {"a": "x y&z"}),
        ("", {}),
    ],
)
async def test_query_values(shapes: str, query: str, values: dict[str, str]) -> None:
    assert (await seen(shapes, "GET", f"/api/echo?{query}"))["query"] == values


async def test_header_names_are_lower_case_and_repeats_are_joined(shapes: str) -> None:
    headers = [("X-Many", "one"), ("x-many", ""), ("X-MANY", "two"), ("X-Empty", ""), ("X-Late", ""), ("X-Late", "1")]
    told = await seen(shapes, "GET", "/api/echo", headers=headers)
    arrived = {name: value for name, value in told["headers"].items() if name.startswith("x-")}
    assert arrived == {"x-many": "one,two", "x-empty": "", "x-late": "1"}


async def test_a_header_may_be_utf8(shapes: str) -> None:
    told = await seen(shapes, "GET", "/api/echo", headers=[("X-Greeting", "grüße")])
    assert told["headers"]["x-greeting"] == "grüße"


async def test_a_header_that_is_not_utf8_is_a_bad_request(shapes: str) -> None:
    request = b"GET /api/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Greeting: gr\xfc\xdfe\r\n\r\n"
    assert (await exchange(shapes, request)).status == 400


@pytest.mark.parametrize("body", [b"{}", bytes(range(256)), b"\xff\xfe\x00", b"x" * 300_000], ids=len)
async def test_a_body_arrives_byte_for_byte(shapes: str, body: bytes) -> None:
    assert (await seen(shapes, "POST", "/api/echo", body=body))["body"] == body.hex()


async def test_bytes_go_back_byte_for_byte(shapes: str) -> None:
    response = await ask(shapes, "POST", "/api/bytes", body=bytes(range(256)))
    assert response.body == bytes(range(256))
    assert (response.header("content-type"), response.header("x-kind")) == ("application/octet-stream", "raw")


async def test_a_chunked_body_arrives_empty(shapes: str) -> None:
    request = (
        b"POST /api/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
    )
    response = await exchange(shapes, request)
    assert (response.status, response.json()["body"]) == (200, "")


async def test_a_body_over_the_limit_of_the_host_is_413_before_it_is_sent(shapes: str) -> None:
    response = await ask(
        shapes,
        "POST",
        "/api/echo",
        headers=[("Content-Length", str(REQUEST_BODY + 1)), ("Expect", "100-continue")],
    )
    assert (response.status, response.body) == (413, b"")


async def test_a_body_at_the_limit_of_the_host_is_read() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"the last part of it"}

    assert await read_body({"content-length": str(REQUEST_BODY)}, receive) == b"the last part of it"


async def test_text_that_a_function_returns_is_plain_text(shapes: str) -> None:
    response = await ask(shapes, "GET", "/api/text")
    assert (response.status, response.body.decode()) == (200, "grüße")
    assert response.header("content-type") == "text/plain; charset=utf-8"


async def test_a_function_without_an_answer_answers_204(shapes: str) -> None:
    response = await ask(shapes, "GET", "/api/no-output")
    assert (response.status, response.body) == (204, b"")


async def test_a_status_without_a_body_is_sent_without_one(shapes: str) -> None:
    response = await ask(shapes, "GET", "/api/nothing")
    assert (response.status, response.body, response.header("content-length")) == (204, b"", None)


async def test_head_has_the_length_and_no_body(shapes: str) -> None:
    response = await ask(shapes, "HEAD", "/api/text")
    assert (response.status, response.header("content-length"), response.body) == (200, "7", b"")


async def test_cookies_are_written_as_the_functions_host_writes_them(shapes: str) -> None:
    response = await ask(shapes, "GET", "/api/cookies")
    plain, full = [value for name, value in response.headers if name == "set-cookie"]
    assert plain == "plain=a%20b"
    assert full.startswith("full=1; expires=")
    assert full.endswith("; max-age=60; domain=example.org; path=/p; samesite=strict; secure; httponly")


@pytest.mark.parametrize(
    ("function", "reason"),
    [("fails", "out of luck"), ("returns-nothing", "unsupported type"), ("umlaut-header", "ascii")],
)
async def test_a_function_that_fails_answers_500_without_a_body_and_is_logged(
    shapes: str, caplog: pytest.LogCaptureFixture, function: str, reason: str
) -> None:
    response = await ask(shapes, "GET", f"/api/{function}")
    assert (response.status, response.body) == (500, b"")
    [record] = [record for record in caplog.records if record.name.startswith("receivers")]
    assert function.replace("-", "_") in record.getMessage()
    assert reason in record.getMessage()


async def test_what_http_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot return"):
        answer(TypedData(json=json.dumps({})))
    with pytest.raises(ValueError, match="invalid literal"):
        answer(TypedData(http=Message(status_code="fine", headers={}, cookies=None, body=TypedData(bytes=b""))))


async def test_the_home_page_is_up(shapes: str) -> None:
    response = await ask(shapes, "GET", "/")
    assert (response.status, response.header("content-type")) == (200, "text/html")
    assert b"up and running" in response.body


async def test_requests_run_side_by_side(shapes: str) -> None:
    GATE.close(expected=50)
    asked = [asyncio.create_task(ask(shapes, "GET", "/api/gate")) for _ in range(50)]
    async with asyncio.timeout(10):
        await GATE.reached.wait()
    GATE.opened.set()
    assert [response.body for response in await asyncio.gather(*asked)] == [b"passed"] * 50


async def test_a_function_finishes_though_its_client_went_away(shapes: str) -> None:
    GATE.close()
    _, writer = await connect(shapes)
    writer.write(b"GET /api/gate HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(10):
        await GATE.reached.wait()
        writer.close()
        await writer.wait_closed()
        GATE.opened.set()
        await GATE.passed.wait()


async def test_no_url_and_no_header_reaches_a_log(shapes: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for target in ("/api/echo/canary", "/api/items/canary", "/api/fails?canary"):
        await ask(shapes, "GET", target, headers=[("Authorization", "canary")])
    assert "canary" not in caplog.text


async def test_the_worker_library_logs_nothing_per_invocation(shapes: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(shapes, "GET", "/api/echo")
    assert [record for record in caplog.records if record.name.startswith("azure")] == []
