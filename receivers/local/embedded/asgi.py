"""The few parts of ASGI that the embedded API needs."""

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import msgspec

from receivers.local.embedded.resources import Object

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


async def read_body(receive: Receive) -> bytes:
    """The whole body of the request."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def answer(send: Send, status: HTTPStatus, body: Object) -> None:
    """Answers with a JSON document."""
    encoded = msgspec.json.encode(body)
    await start_answer(send, status, length=len(encoded))
    await send({"type": "http.response.body", "body": encoded})


async def start_answer(send: Send, status: HTTPStatus, *, length: int | None = None) -> None:
    """Sends status and headers. Without a length, lines follow until :func:`end_answer`."""
    headers = [(b"content-type", b"application/json")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})


async def send_line(send: Send, document: Object) -> None:
    """Sends one JSON document of many."""
    line = msgspec.json.encode(document) + b"\n"
    await send({"type": "http.response.body", "body": line, "more_body": True})


async def end_answer(send: Send) -> None:
    """Ends the lines."""
    await send({"type": "http.response.body", "body": b""})
