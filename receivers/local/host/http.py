"""HTTP on both sides of a function: from an ASGI request to the trigger's value, from what it returned to an answer."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, quote

from receivers.limits import MIB
from receivers.local.host.worker import Cookie, Message, TypedData

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

REQUEST_BODY = 100 * MIB  # the Functions host's limit
WITHOUT_BODY = (204, 304)
OURS = ("content-length", "transfer-encoding")  # set from the body, whatever the function says
HOME_PAGE = b"<!doctype html><title>Function app</title><p>Your function app is up and running.</p>"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


class Refused(Exception):
    """The host answers in place of the function."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Disconnected(Exception):
    """The client went away before its request was whole."""


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers: names in lower case, repeats joined by a comma without a space, empty repeats left out."""
    joined: dict[str, str] = {}
    try:
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("ascii"), raw_value.decode()
            before = joined.get(name)
            joined[name] = f"{before},{value}" if before and value else before or value
    except UnicodeDecodeError:
        raise Refused(400) from None
    return joined


async def read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The request's body, but only if its length was told: the Functions host gives a chunked one to nobody."""
    length = int(headers.get("content-length", 0))
    if length > REQUEST_BODY:
        raise Refused(413)
    if length == 0:
        return b""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def trigger_value(scope: Scope, headers: Mapping[str, str], parameters: Mapping[str, str], body: bytes) -> TypedData:
    """What the Functions host gives the worker for a request. The URL stays percent-encoded as it arrived."""
    raw_query = scope["query_string"].decode("latin-1")
    url = f"{scope['scheme']}://{headers.get('host', '')}{scope['raw_path'].decode('latin-1')}"
    return TypedData(
        http=Message(
            method=scope["method"],
            url=f"{url}?{raw_query}" if raw_query else url,
            headers=headers,
            query=parse_query(raw_query) if raw_query else {},
            params=parameters,
            body=TypedData(bytes=body),
        )
    )


def parse_query(raw: str) -> dict[str, str]:
    """Query values by name. Case does not distinguish names, repeats are joined by a comma, empty values dropped."""
    spelled: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw):
        values.setdefault(spelled.setdefault(name.lower(), name), []).append(value)
    return {name: ",".join(repeats) for name, repeats in values.items()}


def answer(returned: TypedData | None) -> Answer:
    """What the client gets for what a function returned.

    Raises ValueError for a status that is no number and for a header that is not ASCII, which fail in the cloud too.
    """
    match returned:
        case None:
            return Answer(204)
        case TypedData(http=response):
            headers = [
                (name.lower().encode("ascii"), value.encode("ascii"))
                for name, value in response.headers.items()
                if name.lower() not in OURS
            ]
            headers += [(b"set-cookie", set_cookie(cookie)) for cookie in response.cookies or ()]
            return Answer(int(response.status_code), headers, response.body.bytes)
        case TypedData(string=text):
            return Answer(200, [(b"content-type", b"text/plain; charset=utf-8")], text.encode())
    raise ValueError(f"an HTTP function cannot return {returned.WhichOneof('data')}")


def set_cookie(cookie: Cookie) -> bytes:
    """A ``Set-Cookie`` value as the Functions host writes it: the value percent-encoded, attributes in lower case."""
    attributes = [f"{cookie.name}={quote(cookie.value, safe='')}"]
    if cookie.expires:
        attributes.append(f"expires={formatdate(cookie.expires.value.seconds, usegmt=True)}")
    if cookie.max_age:
        attributes.append(f"max-age={int(cookie.max_age.value)}")
    attributes += [f"{name}={value}" for name, value in texts(cookie) if value]
    attributes += [name for name, flag in (("secure", cookie.secure), ("httponly", cookie.http_only)) if flag.value]
    return "; ".join(attributes).encode("ascii")


def texts(cookie: Cookie) -> Iterable[tuple[str, str]]:
    """The attributes that the worker library leaves empty when they were not set."""
    return ("domain", cookie.domain.value), ("path", cookie.path.value), ("samesite", cookie.same_site)


def home_page(*, shown: bool) -> Answer:
    """What ``/`` answers when no function has it."""
    return Answer(200, [(b"content-type", b"text/html")], HOME_PAGE) if shown else Answer(204)


async def send_answer(send: Send, given: Answer) -> None:
    """Send an answer whole. A status that has no body is sent without one."""
    headers, body = given.headers, given.body
    if given.status in WITHOUT_BODY:
        body = b""
    else:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": given.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
