"""A stand-in for an API server of very many Warehouses: pages of lists and watch events are made as they are asked for.

Nothing is stored, so a hundred thousand take it no memory, and a page some ten microseconds for each object: what is
measured is who reads. ``python -m bench.pages PORT WAREHOUSES EVENTS`` serves until it is killed; each watch of the
Warehouses gets so many events, one after the other, and then stays open.
"""

import asyncio
import json
import sys
import zlib
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from bench import realistic
from testbed.objects import KARGO

REVISION = 1_000_000
LEVEL = 1  # what kube-apiserver compresses with
COMPRESSED_FROM = 128 * 1024  # bytes: what it does not compress is smaller
BATCH = 16  # events in one write


class Server:
    """Answers GETs, over connections that stay open."""

    def __init__(self, *, warehouses: int, events: int, compressed: bool) -> None:
        self._warehouses = warehouses
        self._events = events
        self._compressed = compressed

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client ends it."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                address = urlsplit(head.split(b" ", 2)[1].decode())
                query = {name: values[0] for name, values in parse_qs(address.query).items()}
                if "watch" in query:
                    await self._watch(writer, address.path)
                else:
                    writer.write(self._page(address.path, query, head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _page(self, path: str, query: dict[str, str], head: bytes) -> bytes:
        begin, count = int(query.get("continue", "0")), self._warehouses if path.endswith("/warehouses") else 0
        end = min(count, begin + int(query.get("limit") or count))
        metadata = {"continue": str(end) if end < count else "", "resourceVersion": str(REVISION)}
        body = b"".join(
            (
                b'{"apiVersion":"%s","items":[' % KARGO.encode(),
                b",".join(map(realistic.encoded, range(begin, end))),
                b'],"kind":"WarehouseList","metadata":',
                json.dumps(metadata).encode(),
                b"}",
            )
        )
        encoding = b""
        if self._compressed and len(body) >= COMPRESSED_FROM and b"gzip" in head.lower():
            packer = zlib.compressobj(LEVEL, wbits=31)
            body, encoding = packer.compress(body) + packer.flush(), b"Content-Encoding: gzip\r\n"
        headers = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
        return headers % (encoding, len(body)) + body

    async def _watch(self, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        if path.endswith("/warehouses"):
            for lines in self._changes():
                writer.write(b"%x\r\n%s\r\n" % (len(lines), lines))
                await writer.drain()
        await asyncio.Event().wait()

    def _changes(self) -> Iterator[bytes]:
        for first in range(0, self._events, BATCH):
            numbers = range(first, min(self._events, first + BATCH))
            yield b"".join(map(self._change, numbers))

    def _change(self, number: int) -> bytes:
        changed = realistic.encoded(number % self._warehouses, version=REVISION + 1 + number)
        return b'{"type":"MODIFIED","object":%s}\n' % changed


async def main(port: int, warehouses: int, events: int, *, compressed: bool) -> None:
    """Serve until killed."""
    server = Server(warehouses=warehouses, events=events, compressed=compressed)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", port)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4]), compressed="--compressed" in sys.argv))
