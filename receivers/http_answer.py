"""An answer of HTTP/1.1, as it comes over a connection.

llhttp reads it (https://llhttp.org), the parser of Node.js, by httptools.
"""

import asyncio
import ssl
import zlib
from collections import deque
from typing import Protocol, cast

import httptools

from receivers import limits

_OK = 200
_GZIP = 16 + zlib.MAX_WBITS  # tells zlib that it is gzip


class HttpError(Exception):
    """No answer, or none that is HTTP. The text is for people and holds no URL, no address and nothing secret."""


class ClosedError(HttpError):
    """The other end closed the connection."""


class Carrier(Protocol):
    """The connection that an answer comes over. It tells the answer what comes, and when it is lost."""

    answer: "Answer | None"
    transport: asyncio.Transport

    def give_back(self) -> None:
        """The answer was complete, and another request may follow."""


class Answer:
    """An answer, as it comes: read it with :meth:`chunk`, and :meth:`leave` it in any case."""

    def __init__(self, connection: Carrier, *, called: str, gzip: bool, silence: float | None) -> None:
        self.status = 0
        self.reason = ""
        self.headers: dict[str, str] = {}  # by their names in lower case; of several of a name the last
        self.has_begun = False
        self._connection: Carrier | None = connection
        self._called = called
        self._gzip = gzip
        self._silence = silence
        self._parser = httptools.HttpResponseParser(self)
        self._head_size = 0  # bytes
        self._is_head_complete = self._is_complete = False
        self._may_follow = False  # another request, on the same connection
        self._is_surplus = False  # more came than the answer
        self._is_paused = False
        self._unread: deque[bytes] = deque()
        self._unread_size = 0  # bytes
        self._unpacker: zlib._Decompress | None = None
        self._is_packed = False  # some of a compressed body has come
        self._error: HttpError | None = None
        self._waiting: asyncio.Future[None] | None = None

    async def start(self, request: bytes) -> None:
        """Send the request, and wait for the answer's head."""
        connection = cast("Carrier", self._connection)
        connection.answer = self
        if connection.transport.is_closing():
            self.end(None)
        else:
            connection.transport.write(request)
        while not self._is_head_complete:
            await self._wait()

    async def chunk(self) -> bytes:
        """The next part of the body; nothing at its end. Raises :class:`HttpError` where the answer breaks off."""
        if self._unpacker is None:
            return await self._packed()
        while True:
            packed = self._unpacker.unconsumed_tail or await self._packed()
            if not packed and not self._is_packed:  # there is no body
                return b""
            self._is_packed = True
            try:
                part = self._unpacker.decompress(packed, limits.UNREAD) if packed else self._unpacker.flush()
            except zlib.error:
                raise self._garbled() from None
            if self._unpacker.unused_data or not (packed or self._unpacker.eof):
                raise self._garbled()
            if part or not packed:
                return part

    def leave(self) -> None:
        """Give the connection back once the answer is complete; else cut it.

        To end TLS in good order takes the server's consent, and by then the event loop may be gone.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.answer = None
        del self._parser  # which refers to this answer
        if self._may_follow and not self._is_surplus and not self._is_paused:
            connection.give_back()
        else:
            connection.transport.abort()

    async def _packed(self) -> bytes:
        """The next part of the body as it was sent."""
        while not self._unread:
            if self._is_complete:
                return b""
            await self._wait()
        part = self._unread.popleft()
        self._unread_size -= len(part)
        if self._is_paused and not self._unread and self._connection is not None:
            self._is_paused = False
            self._connection.transport.resume_reading()
        return part

    async def _wait(self) -> None:
        """Wait for more of the answer. Raises the error that ended it instead."""
        if self._error is not None:
            raise self._error
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        alarm = loop.call_later(self._silence, self._fall_silent) if self._silence is not None else None
        try:
            await self._waiting
        finally:
            self._waiting = None
            if alarm is not None:
                alarm.cancel()
        if self._error is not None:
            raise self._error

    def _fall_silent(self) -> None:
        self._fail(HttpError(f"{self._called} did not answer in time"))

    def _fail(self, error: HttpError) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _garbled(self) -> HttpError:
        return HttpError(f"{self._called} answers with what is no HTTP")

    # What the connection tells

    def feed(self, data: bytes) -> None:
        """Read what has come."""
        self.has_begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._is_surplus = True
            if not self._is_complete:
                self._fail(self._garbled())
        if self._head_size > limits.ANSWER_HEAD:
            self._fail(self._garbled())
        if self._unread_size > limits.UNREAD and not self._is_paused and self._connection is not None:
            self._is_paused = True
            self._connection.transport.pause_reading()
        self._wake()

    def end(self, error: Exception | None) -> None:
        """Take note that the connection is lost; for an answer that does not tell its length that is the end."""
        if self._is_head_complete and not self._tells_its_end() and error is None:
            self._is_complete = True
        if isinstance(error, ssl.SSLError):
            self._fail(HttpError(f"{self._called}'s certificate is not trusted, or TLS failed"))
        elif not self._is_complete:
            self._fail(ClosedError(f"{self._called} closed the connection"))
        self._wake()

    def _tells_its_end(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    # What the parser tells

    def on_message_begin(self) -> None:
        """An answer begins: the first, or one after what was but told in between, such as 100 Continue."""
        self._is_surplus = self._is_complete

    def on_status(self, status: bytes) -> None:
        """A part of the reason, if there is any."""
        self._head_size += len(status)
        self.reason += status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._head_size += len(name) + len(value)
        if self._head_size <= limits.ANSWER_HEAD and not self._is_complete:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._is_complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < _OK:
            self.reason, self.headers = "", {}
            return
        self._is_head_complete = True
        if self._gzip and self.headers.get("content-encoding", "").lower() == "gzip":
            self._unpacker = zlib.decompressobj(_GZIP)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._is_complete:
            self._unread.append(body)
            self._unread_size += len(body)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        self._is_complete = self._is_head_complete
        self._may_follow = self._is_complete and self._parser.should_keep_alive()
