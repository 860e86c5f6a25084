"""Stand-ins for the API: they answer what no real server would, or at a moment of the test's choice."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from receivers import limits
from receivers.cluster.api import TooLargeError


class Pages:
    """Answers lists of these objects as kube-apiserver does: members are sorted, so a list's metadata come last."""

    def __init__(self, *objects: bytes, metadata_first: bool = False) -> None:
        self.objects = list(objects)
        self.asked: list[int] = []
        self.faults: list[Exception] = []
        self._metadata_first = metadata_first

    @property
    def api(self) -> Any:  # noqa: ANN401 - stands for an Api
        return self

    async def get(self, _path: str, *, params: dict[str, str], at_most: int, **_: object) -> bytes:
        body = self._page(params)
        await asyncio.sleep(0)  # as a network would have it
        if self.faults:
            raise self.faults.pop(0)
        if len(body) > at_most:
            raise TooLargeError
        return body

    async def get_ends(self, _path: str, *, params: dict[str, str], **_: object) -> tuple[bytes, bytes]:
        body = self._page(params)
        await asyncio.sleep(0)
        return body[: limits.PAGE_ENDS], body[-limits.PAGE_ENDS :]

    def _page(self, params: dict[str, str], /) -> bytes:
        limit, begin = int(params["limit"]), int(params.get("continue", "0"))
        self.asked.append(limit)
        end = begin + limit
        following = str(end) if end < len(self.objects) else ""
        metadata = json.dumps({"continue": following, "remainingItemCount": 1, "resourceVersion": "7"}).encode()
        items = b'"items":[' + b",".join(self.objects[begin:end]) + b"]"
        members = [b'"apiVersion":"v1"', items, b'"kind":"WarehouseList"', b'"metadata":' + metadata]
        if self._metadata_first:
            members.reverse()
        return b"{" + b",".join(members) + b"}\n"


class Watch(Pages):
    """As :class:`Pages`, and with watches that the test fills."""

    def __init__(self, *objects: bytes) -> None:
        super().__init__(*objects)
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.watched: list[str] = []  # from which versions

    @property
    def lists(self) -> int:
        """How many were asked for, each of one page."""
        return len(self.asked)

    async def watch(self, _path: str, *, params: dict[str, str], **_: object) -> AsyncIterator[bytes]:
        self.watched.append(params["resourceVersion"])
        yield b""
        while True:
            line = await self.lines.get()
            await asyncio.sleep(0)
            yield line

    def send(self, kind: str, encoded: bytes) -> None:
        """The next event of the watch."""
        self.lines.put_nowait(b'{"type":"' + kind.encode() + b'","object":' + encoded + b"}")
