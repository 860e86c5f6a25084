"""The Kubernetes API over HTTP: the few calls that receiving webhooks needs.

This is the only module that asks the cluster, by an HTTP client of our own: docs/dependencies.md says why. The official
client reads kubeconfigs.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from urllib.parse import urlencode

import msgspec

from receivers import limits
from receivers.cluster.credentials import Connection, CredentialsError
from receivers.http_answer import Answer, HttpError
from receivers.http_client import Server
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
        # Callers bound what they have in flight; watches stay open beside it.
        self._http = Server(
            connection.server,
            called="the API server",
            tls=connection.tls,
            tls_server_name=connection.tls_server_name,
            proxy=connection.proxy,
        )

    async def close(self) -> None:
        """Close every connection and the credential."""
        await self._http.close()
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
        async with _within(timeout), self._answer("GET", path, params=params) as answer:
            while chunk := await answer.chunk():
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
        async with self._answer("GET", path, params=params, silence=silence) as answer:
            yield b""
            line = bytearray()
            while chunk := await answer.chunk():
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
            self._answer(method, path, params=params, headers=headers, body=body) as answer,
        ):
            while chunk := await answer.chunk():
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
        silence: float | None = None,
    ) -> AsyncIterator[Answer]:
        """Send a request; a 401 is tried once more with a renewed credential."""
        rejected: str | None = None
        query = urlencode(params) if params else ""
        try:
            while True:
                authorization = await self._authorization.header(rejected=rejected)
                answer = await self._http.ask(
                    method,
                    path,
                    query=query,
                    headers=_headers(headers, authorization),
                    body=body,
                    silence=silence,
                )
                try:
                    if answer.status == 401 and rejected is None and authorization is not None:  # noqa: PLR2004
                        rejected = authorization
                        continue
                    if answer.status >= 300:  # noqa: PLR2004
                        raise await _refusal(answer)
                    yield answer
                    return
                finally:
                    answer.leave()
        except (CredentialsError, HttpError) as error:
            raise UnreachableError(str(error)) from None


@contextlib.asynccontextmanager
async def _within(timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        raise TimedOutError(f"no answer within {timeout:g} s") from None


def _headers(headers: Mapping[str, str] | None, authorization: str | None) -> dict[str, str]:
    merged = {"Accept": "application/json", **(headers or {})}
    if authorization is not None:
        merged["Authorization"] = authorization
    return merged


async def _refusal(answer: Answer) -> RefusedError:
    body = b""
    while len(body) < limits.ERROR_BODY and (chunk := await answer.chunk()):
        body += chunk
    try:
        status = msgspec.json.decode(body[: limits.ERROR_BODY], type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = _Status()
    reason = status.message or status.reason or answer.reason or "error"
    kind = NotFoundError if answer.status == _NOT_FOUND else RefusedError
    return kind(answer.status, clipped(reason), retry_after=_seconds(answer.headers.get("retry-after", "")))


def _seconds(retry_after: str) -> float | None:
    """Kubernetes sends whole seconds; a date, which HTTP also allows, is not worth a clock."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
