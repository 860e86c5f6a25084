"""Where searches wait: in a queue of an emulated Storage account, or in this process."""

import asyncio
import base64
import logging

import pytest

from receivers import limits
from receivers.searches import search as searching
from receivers.searches.queue import QUEUE, InProcess, SearchQueue
from receivers.searches.search import Search, Sought
from receivers.storage.account import Storage, StorageError
from tests.examples import NOON, push
from tests.service import until

SEARCH = Search(
    project="kargo-demo",
    warehouse="app",
    value="x",
    sought=(Sought(event=push(), deliveries=("0" * 24,), since=NOON),),
    begun=NOON,
)


async def seen(storage: Storage) -> list[Search]:
    """What can be taken from the queue now."""
    queue = await storage.queue(QUEUE)
    taken = [message async for message in queue.receive_messages(max_messages=32)]
    return [searching.decode(base64.b64decode(message.content)) for message in taken]


async def test_a_search_waits_in_the_queue_which_is_made_for_it(storage: Storage) -> None:
    queue = SearchQueue(storage)
    await queue.put(SEARCH, delay=0)
    assert await seen(storage) == [SEARCH]
    await queue.close()


async def test_it_is_seen_after_its_delay(storage: Storage) -> None:
    await SearchQueue(storage).put(SEARCH, delay=1)
    assert await seen(storage) == []

    async def there() -> bool:
        return await seen(storage) == [SEARCH]

    await until(there)


async def test_a_queue_that_two_make_at_once_is_there(storage: Storage) -> None:
    await asyncio.gather(*(SearchQueue(storage).put(SEARCH, delay=0) for _ in range(4)))
    assert await seen(storage) == [SEARCH] * 4


async def test_a_queue_that_cannot_be_made_is_told(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receivers.searches.queue.QUEUE", "No Name Of A Queue")
    with pytest.raises(StorageError):
        await SearchQueue(storage).put(SEARCH, delay=0)


async def test_without_an_account_it_waits_in_this_process() -> None:
    looked: list[Search] = []

    async def look(search: Search) -> None:
        looked.append(search)

    here = InProcess()
    await here.put(SEARCH, delay=0)
    await asyncio.sleep(0.01)
    assert looked == []  # nobody looks
    here.handle = look
    await here.put(SEARCH, delay=0.01)
    await here.put(SEARCH, delay=1_000)

    async def done() -> bool:
        return looked == [SEARCH]

    await until(done)
    await here.close()


async def test_so_many_wait_here_and_no_more(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(limits, "SEARCHES_HELD", 2)
    here = InProcess()
    for _ in range(3):
        await here.put(SEARCH, delay=1_000)
    assert caplog.record_tuples == [
        (
            "receivers.searches.queue",
            logging.WARNING,
            "Warehouse kargo-demo/app: nobody looks whether Kargo finds what was pushed",
        )
    ]
    await here.close()
