"""HTTP on the wire: uvicorn's protocol, which alone would keep a head of any size."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 40 * 1024  # bytes; Kestrel, the Functions host's web server, takes 8 KiB of request line and 32 KiB of headers
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """Refuses a request whose head does not end: what came of it is bounded by ``HEAD`` and one read of the socket."""

    _in_head = True
    _ended_head = False  # by what was received last
    _head = 0  # bytes of what has not ended

    def data_received(self, data: bytes) -> None:
        began_in_head, self._ended_head = self._in_head, False
        super().data_received(data)
        if not (began_in_head and self._in_head) or self._ended_head:
            self._head = 0
            return
        self._head += len(data)
        if self._head > HEAD and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._in_head, self._ended_head = False, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()
