"""What takes long is read in a thread, by turns of the projects."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from receivers import limits
from receivers.deliveries.reading import BusyError, Reading, is_laborious
from testbed.waiting import eventually, turns


class Gate:
    """Reads nothing until it is opened."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def reading(self, name: str) -> Callable[[], str]:
        def read() -> str:
            self.entered.append(name)
            self._open.wait(10)
            return name

        return read


async def test_one_project_s_requests_keep_another_waiting_for_one_of_them() -> None:
    reading, gate = Reading(), Gate()
    until = asyncio.get_running_loop().time() + 20.0
    evil = [asyncio.create_task(reading.read(gate.reading(f"evil-{n}"), owner="evil", until=until)) for n in range(20)]
    await eventually(lambda: gate.entered)
    honest = asyncio.create_task(reading.read(gate.reading("honest"), owner="honest", until=until))
    await turns()
    gate.open()
    assert await honest == "honest"
    assert gate.entered.index("honest") <= 2
    assert await asyncio.gather(*evil) == [f"evil-{n}" for n in range(20)]


async def test_who_waits_too_long_is_told_so_and_what_has_begun_goes_on() -> None:
    reading, gate = Reading(), Gate()
    soon = asyncio.get_running_loop().time() + 0.05
    with pytest.raises(BusyError):
        await reading.read(gate.reading("first"), owner="a", until=soon)
    with pytest.raises(BusyError):
        await reading.read(gate.reading("never"), owner="b", until=soon)
    gate.open()
    until = asyncio.get_running_loop().time() + 20.0
    assert await reading.read(gate.reading("second"), owner="c", until=until) == "second"
    assert gate.entered == ["first", "second"]
    assert not reading._tasks


async def test_a_thread_that_fails_when_nobody_waits_is_no_complaint() -> None:
    reading, opened = Reading(), threading.Event()

    def fail() -> None:
        opened.wait(10)
        raise ValueError

    with pytest.raises(BusyError):
        await reading.read(fail, owner="a", until=asyncio.get_running_loop().time() + 0.05)
    opened.set()
    await eventually(lambda: not reading._tasks)


async def test_what_is_read_or_goes_wrong_is_the_caller_s() -> None:
    until = asyncio.get_running_loop().time() + 20.0
    assert await Reading().read(lambda: 7, owner="a", until=until) == 7

    def fail() -> None:
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        await Reading().read(fail, owner="a", until=until)


@pytest.mark.parametrize(
    ("body", "laborious"),
    [
        (b"{}", False),
        (b"x" * limits.LARGE_BODY, False),
        (b"x" * (limits.LARGE_BODY + 1), True),
        (b"{}," * limits.MANY_OBJECTS, False),
        (b"{}," * (limits.MANY_OBJECTS + 1), True),
    ],
)
def test_a_long_body_or_one_of_many_objects_is_laborious(body: bytes, laborious: bool) -> None:
    assert is_laborious(body) is laborious
