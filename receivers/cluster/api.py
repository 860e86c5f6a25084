"""The Kubernetes API over HTTP: the few calls that receiving webhooks needs.

This is the only module that speaks HTTP to the cluster, over plain aiohttp: a PATCH costs half the time of the official
client's, and its import a third of the memory (docs/dependencies.md). The official client reads kubeconfigs.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any

import aiohttp
import msgspec

from receivers import limits
from receivers.cluster.credentials import Connection, CredentialsError
from receivers.text import clipped

_NOT_FOUND = 404
KARGO = "/apis/kargo.akuity.io/v1alpha1"

# Asks for an object's metadata alone: the answer to a patch is then a few hundred bytes, whatever the object holds.
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class ClusterError(Exception):
    """A call to the cluster failed. The text is for people and holds nothing secret."""


class UnreachableError(ClusterError):
    """No answer: refused, reset, timed out, or no credential to ask with."""


class TimedOutError(UnreachableError):
    """The answer was not there in time."""


class TooLargeError(ClusterError):
    """The answer is larger than the caller takes."""

    def __init__(self) -> None:
        super().__init__("the API server's answer is too large")


class RefusedError(ClusterError):
    """The API server answered with an error."""

    def __init__(self, status: int, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.retry_after = retry_after  # seconds, as the server asked for


class NotFoundError(RefusedError):
    """There is no such object, or no such resource."""


class _Status(msgspec.Struct):
    """The API server's own description of an error."""

    message: str = ""
    reason: str = ""


class Api:
    """One cluster's API. Safe for concurrent use on one event loop. Close it with :meth:`close`."""

    def __init__(self, connection: Connection) -> None:
        self.server = connection.server
        self._authorization = connection.authorization
        self._options: dict[str, Any] = {}
        if connection.tls is not None:
            self._options["ssl"] = connection.tls
        if connection.proxy:
            self._options["proxy"] = connection.proxy
        if connection.tls_server_name:
            self._options["server_hostname"] = connection.tls_server_name
        # Callers bound what they have in flight; watches stay open beside it.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.CONNECT_TIMEOUT),
            auto_decompress=True,
        )

    async def close(self) -> None:
        """Close every connection and the credential."""
        await self._session.close()
        await self._authorization.close()

    async def get(
        self,
        path: str,
        *,
        timeout: float,  # noqa: ASYNC109
        params: Mapping[str, str] | None = None,
        at_most: int = limits.ANSWER,
    ) -> bytes:
        """Read a resource or a page of a list; ``timeout`` in seconds for the whole answer, ``at_most`` in bytes.

        Raises :class:`UnreachableError`, :class:`RefusedError` and :class:`TooLargeError`, as every call here does.
        """
        return await self._call("GET", path, timeout=timeout, params=params, at_most=at_most)

    async def get_ends(
        self,
        path: str,
        *,
        timeout: float,  # noqa: ASYNC109
        params: Mapping[str, str],
    ) -> tuple[bytes, bytes]:
        """Read an answer of any size, and keep ``limits.PAGE_ENDS`` of its beginning and of its end."""
        head, tail = bytearray(), b""
        async with _within(timeout), self._answer("GET", path, params=params) as response:
            async for chunk in response.content.iter_any():
                head += chunk[: limits.PAGE_ENDS - len(head)]
                tail = (tail + chunk)[-limits.PAGE_ENDS :]
        return bytes(head), tail

    async def merge_patch(self, path: str, body: bytes, *, timeout: float) -> None:  # noqa: ASYNC109
        """Apply a JSON merge patch."""
        headers = {"Content-Type": "application/merge-patch+json", "Accept": METADATA_ONLY}
        with contextlib.suppress(TooLargeError):  # the object is patched all the same
            await self._call("PATCH", path, timeout=timeout, headers=headers, body=body)

    async def post(self, path: str, body: bytes, *, timeout: float) -> bytes:  # noqa: ASYNC109
        """Create a resource and return the API server's answer."""
        return await self._call("POST", path, timeout=timeout, headers={"Content-Type": "application/json"}, body=body)

    async def watch(self, path: str, *, params: Mapping[str, str], silence: float) -> AsyncGenerator[bytes]:
        """Yield the lines of a watch until the server ends it; first an empty one, once the watch stands.

        A line that is longer than ``limits.WATCH_LINE`` is cut there, so that the watch can go on after it. A silence
        of more than ``silence`` seconds is :class:`UnreachableError`.
        """
        async with self._answer("GET", path, params=params, read_timeout=silence) as response:
            yield b""
            line = bytearray()
            async for chunk in response.content.iter_any():
                *ends, rest = chunk.split(b"\n")
                for end in ends:
                    line += end[: limits.WATCH_LINE - len(line)]
                    if line:
                        yield bytes(line)
                    line.clear()
                line += rest[: limits.WATCH_LINE - len(line)]

    async def _call(
        self,
        method: str,
        path: str,
        *,
        timeout: float,  # noqa: ASYNC109
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        at_most: int = limits.ANSWER,
    ) -> bytes:
        received = bytearray()
        async with (
            _within(timeout),
            self._answer(method, path, params=params, headers=headers, body=body) as response,
        ):
            async for chunk in response.content.iter_any():
                received += chunk
                if len(received) > at_most:
                    raise TooLargeError
        return bytes(received)

    @contextlib.asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        read_timeout: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; a 401 is tried once more with a renewed credential."""
        rejected: str | None = None
        try:
            while True:
                authorization = await self._authorization.header(rejected=rejected)
                async with self._session.request(
                    method,
                    self.server + path,
                    params=params,
                    data=body,
                    headers=_headers(headers, authorization),
                    timeout=aiohttp.ClientTimeout(sock_connect=limits.CONNECT_TIMEOUT, sock_read=read_timeout),
                    allow_redirects=False,
                    **self._options,
                ) as response:
                    if response.status == 401 and rejected is None and authorization is not None:  # noqa: PLR2004
                        rejected = authorization
                        continue
                    if response.status >= 300:  # noqa: PLR2004
                        raise await _refusal(response)
                    with _cut_if_unfinished(response):
                        yield response
                    return
        except CredentialsError as error:
            raise UnreachableError(str(error)) from None
        except aiohttp.ClientError as error:
            raise UnreachableError(_describe(error)) from None


@contextlib.asynccontextmanager
async def _within(timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        raise TimedOutError(f"no answer within {timeout:g} s") from None


@contextlib.contextmanager
def _cut_if_unfinished(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Cut the connection of a watch or an answer that is left early.

    To end TLS in good order takes the server's consent, and by then the event loop may be gone.
    """
    try:
        yield
    except BaseException:
        if response.connection is not None and response.connection.transport is not None:
            response.connection.transport.abort()
        raise


def _headers(headers: Mapping[str, str] | None, authorization: str | None) -> dict[str, str]:
    merged = {"Accept": "application/json", **(headers or {})}
    if authorization is not None:
        merged["Authorization"] = authorization
    return merged


async def _refusal(response: aiohttp.ClientResponse) -> RefusedError:
    body = await response.content.read(limits.ERROR_BODY)
    try:
        status = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = _Status()
    reason = status.message or status.reason or response.reason or "error"
    kind = NotFoundError if response.status == _NOT_FOUND else RefusedError
    return kind(response.status, clipped(reason), retry_after=_seconds(response.headers.get("Retry-After", "")))


def _seconds(retry_after: str) -> float | None:
    """Kubernetes sends whole seconds; a date, which HTTP also allows, is not worth a clock."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


def _describe(error: aiohttp.ClientError) -> str:
    """What happened, without the URL that aiohttp's own texts hold."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientSSLError():
            return "the API server's certificate is not trusted, or TLS failed"
        case aiohttp.ClientConnectorDNSError():
            return "the API server's name cannot be resolved"
        case aiohttp.ServerTimeoutError():
            return "the API server did not answer in time"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "the API server closed the connection"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to the API server: {_describe_os_error(error.os_error)}"
        case _:
            return f"the connection to the API server failed ({type(error).__name__})"


def _describe_os_error(error: OSError) -> str:
    """The system's words, without the address that asyncio adds; several addresses have no common error number."""
    return os.strerror(error.errno) if error.errno else "none of its addresses answers"
