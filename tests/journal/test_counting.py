"""When what was counted is written."""

import asyncio

import pytest

from receivers import limits
from receivers.journal.counting import Counting
from receivers.storage.account import StorageError


async def test_nothing_is_written_after_the_close_that_waited_for_a_write_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "HOURS_INTERVAL", 0.0)
    begun, go_on, saves = asyncio.Event(), asyncio.Event(), 0

    async def save() -> None:
        nonlocal saves
        saves += 1
        begun.set()
        await go_on.wait()
        raise StorageError("away")

    counting = Counting(save)
    counting.changed()
    await begun.wait()
    closing = asyncio.create_task(counting.close())
    await asyncio.sleep(0)  # it waits for the write
    go_on.set()
    await closing
    for _ in range(5):  # in which a timer of no seconds would have begun another write
        await asyncio.sleep(0)
    assert saves == 2
