"""What reached the functions of the mail app, and a gate that holds them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import azure.functions as func

WITHIN = 60.0  # seconds; the machine may be busy

type Value = func.QueueMessage | func.TimerRequest


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    value: Value

    @property
    def message(self) -> func.QueueMessage:
        assert isinstance(self.value, func.QueueMessage)
        return self.value

    @property
    def body(self) -> bytes:
        return self.message.get_body()


class Inbox:
    """Calls in order. One event loop at a time; :meth:`open` begins anew."""

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: asyncio.Queue[Call] = asyncio.Queue()
        self._timers: dict[str, asyncio.Queue[Call]] = {}
        self.gate = asyncio.Semaphore(0)
        self.running = 0
        self.most_at_once = 0

    def note(self, function: str, value: Value) -> None:
        call = Call(function, value)
        if isinstance(value, func.QueueMessage):
            self._calls.put_nowait(call)
        else:
            self._timer(function).put_nowait(call)

    def note_from_thread(self, function: str, value: Value) -> None:
        self._loop.call_soon_threadsafe(self.note, function, value)

    @asynccontextmanager
    async def noted(self, function: str, value: Value) -> AsyncIterator[None]:
        """A call that takes some time."""
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.note(function, value)
        try:
            yield
        finally:
            self.running -= 1

    async def next(self) -> Call:
        """The next message that a function got."""
        async with asyncio.timeout(WITHIN):
            return await self._calls.get()

    async def tick(self, function: str) -> Call:
        """The next time that a timer called the function."""
        async with asyncio.timeout(WITHIN):
            return await self._timer(function).get()

    @property
    def empty(self) -> bool:
        """Whether every message was looked at."""
        return self._calls.empty()

    def ticks(self, function: str) -> int:
        return self._timer(function).qsize()

    def let_pass(self, count: int) -> None:
        for _ in range(count):
            self.gate.release()

    def _timer(self, function: str) -> asyncio.Queue[Call]:
        return self._timers.setdefault(function, asyncio.Queue())


INBOX = Inbox()
