"""Slots are given by turns."""

import asyncio
from collections.abc import Iterable

from receivers.cluster.slots import Slots
from testbed.waiting import turns


class Work:
    """What goes through slots, and in which order it came in."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.inside: list[str] = []
        self.done = asyncio.Event()

    async def one(self, owner: str) -> None:
        async with self.slots.of(owner):
            self.inside.append(owner)
            await self.done.wait()

    def begin(self, owners: Iterable[str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.one(owner)) for owner in owners]


async def test_no_more_are_let_in_than_there_are_slots() -> None:
    work = Work(Slots(3))
    tasks = work.begin(["a"] * 5)
    await turns()
    assert len(work.inside) == 3
    work.done.set()
    await asyncio.gather(*tasks)
    assert len(work.inside) == 5


async def test_who_has_thousands_waiting_keeps_nobody_else_waiting_for_more_than_one() -> None:
    work = Work(Slots(1))
    tasks = work.begin([*["crowd"] * 1000, "one", "other"])
    await turns()
    work.done.set()
    await asyncio.gather(*tasks)
    assert work.inside.index("one") <= 3
    assert work.inside.index("other") <= 3


async def test_who_leaves_while_waiting_takes_no_slot() -> None:
    work = Work(Slots(1))
    first, second, third = work.begin(["a", "b", "c"])
    await turns()
    second.cancel()
    await asyncio.wait({second})
    work.done.set()
    await asyncio.gather(first, third)
    assert work.inside == ["a", "c"]


async def test_who_leaves_in_the_moment_of_being_let_in_gives_the_slot_back() -> None:
    slots = Slots(1)
    work = Work(slots)
    first, second, third = work.begin(["a", "b", "c"])
    await turns()
    work.done.set()
    first.cancel()  # it leaves, which lets the second one in, which is cancelled before it knows
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    async with asyncio.timeout(5), slots.of("d"):
        pass
