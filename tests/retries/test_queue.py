"""The retry queue on an emulated Storage account."""

import asyncio
import base64
from datetime import datetime, timedelta

import msgspec
import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from receivers import limits
from receivers.local.azurite import Azurite
from receivers.retries import messages
from receivers.retries.messages import Attempt, Message, Poisoned
from receivers.retries.queue import PARKED, POISON, QUEUE, RetryQueue
from receivers.settings import Settings
from receivers.storage.account import Storage, StorageError
from tests.examples import NOON, delivery, push


@pytest.fixture
def queue(storage: Storage) -> RetryQueue:
    return RetryQueue(storage, now=lambda: NOON, jitter=lambda: 0.5)


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seconds for which each message that was sent is hidden. They are seen at once all the same."""
    seen: list[int] = []
    send = QueueClient.send_message

    async def sending(client: QueueClient, content: str, **options: int) -> QueueMessage:
        sent = await send(client, content, **{**options, "visibility_timeout": 0})
        seen.append(options["visibility_timeout"])
        return sent

    monkeypatch.setattr(QueueClient, "send_message", sending)
    return seen


def message(tries: int = 0, *, at: datetime = NOON, tag: str = "1.2.3") -> Message:
    (fresh,) = messages.of(delivery(push(tag=tag), at=at))
    for number in range(tries):
        fresh = fresh.tried(Attempt(at=at, refreshed=0, error=f"failure {number + 1}"))
    return fresh


async def test_a_delivery_waits_as_the_host_expects_to_find_it(
    queue: RetryQueue, storage: Storage, delays: list[int]
) -> None:
    waiting = delivery()
    await queue.put(waiting)
    (found,) = await (await storage.queue(QUEUE)).peek_messages(max_messages=32)
    assert messages.decode(base64.b64decode(found.content, validate=True)) == messages.of(waiting)[0]
    assert found.expires_on is not None
    assert found.expires_on.year == 9999  # never
    assert delays == [5]


async def test_every_part_of_a_large_batch_waits(queue: RetryQueue, delays: list[int]) -> None:
    batch = delivery(*(push(tag=f"1.{number}.0") for number in range(400)))
    await queue.put(batch)
    contents = await queue.peek()
    assert contents.waiting == len(messages.of(batch)) > 1
    assert sorted(contents.due, key=messages.encode) == sorted(messages.of(batch), key=messages.encode)


async def test_each_further_try_waits_longer(queue: RetryQueue, delays: list[int]) -> None:
    for tries in range(1, 8):
        assert await queue.put_back(message(tries))
    assert delays == [30, 120, 600, 3600, 3600, 3600, 3600]


@pytest.mark.parametrize(("jitter", "delay"), [(0.0, 480), (0.5, 600), (1.0, 720)])
async def test_what_failed_together_does_not_return_together(
    storage: Storage, delays: list[int], jitter: float, delay: int
) -> None:
    await RetryQueue(storage, now=lambda: NOON, jitter=lambda: jitter).put_back(message(3))
    assert delays == [delay]


async def test_after_three_days_a_delivery_is_given_up_with_the_reason(storage: Storage, delays: list[int]) -> None:
    later = NOON + timedelta(seconds=limits.RETRY_AGE + 1)
    queue = RetryQueue(storage, now=lambda: later)
    tired = message(75)
    assert not await queue.put_back(tired)
    contents = await queue.peek()
    (given_up,) = contents.poison
    assert given_up.poisoned == Poisoned(reason="given up after 75 tries: failure 75", message=tired)
    assert (contents.waiting, contents.poisoned) == (0, 1)


async def test_after_nearly_three_days_it_is_tried_again(storage: Storage, delays: list[int]) -> None:
    later = NOON + timedelta(seconds=limits.RETRY_AGE - 1)
    assert await RetryQueue(storage, now=lambda: later).put_back(message(75))


async def test_nothing_is_shown_of_queues_that_are_not_there(queue: RetryQueue) -> None:
    contents = await queue.peek()
    assert (contents.waiting, contents.due, contents.poisoned, contents.poison) == (0, [], 0, [])


async def test_what_still_has_to_wait_is_counted_and_not_shown(queue: RetryQueue) -> None:
    await queue.put(delivery())
    contents = await queue.peek()
    assert (contents.waiting, contents.due) == (1, [])


async def test_what_somebody_else_put_there_is_counted_and_not_shown(queue: RetryQueue, storage: Storage) -> None:
    await queue.warm_up()
    await (await storage.queue(QUEUE)).send_message("neither base64 nor ours")
    contents = await queue.peek()
    assert (contents.waiting, contents.due) == (1, [])


async def test_what_the_host_gave_up_is_shown_as_it_is(queue: RetryQueue, storage: Storage) -> None:
    await queue.poison(Poisoned(reason="damaged", unreadable=b"\x00"))
    poison = await storage.queue(POISON)
    await poison.send_message("neither base64 nor ours")
    await poison.send_message(base64.b64encode(messages.encode(message())).decode())
    reasons = [each.poisoned.reason for each in (await queue.peek()).poison]
    assert reasons == [
        "damaged",
        "it is not a message of this service, or was damaged",
        "the service failed at it again and again; its log has the details",
    ]


async def test_no_more_is_shown_than_asked_for(queue: RetryQueue) -> None:
    for _ in range(3):
        await queue.poison(Poisoned(reason="damaged", unreadable=b"\x00"))
    contents = await queue.peek(limit=2)
    assert (contents.poisoned, len(contents.poison)) == (3, 2)


async def test_a_delivery_that_was_given_up_can_be_revived(queue: RetryQueue) -> None:
    one, other = message(3, tag="1.0.0"), message(3, tag="2.0.0")
    await queue.poison(Poisoned(reason="given up", message=one))
    await queue.poison(Poisoned(reason="given up", message=other))
    chosen = next(each.id for each in (await queue.peek()).poison if each.poisoned.message == other)
    assert await queue.revive({chosen}) == 1
    contents = await queue.peek()
    assert contents.due == [other]
    assert [each.poisoned.message for each in contents.poison] == [one]


async def test_all_that_was_given_up_can_be_revived_at_once(queue: RetryQueue) -> None:
    for number in range(40):
        await queue.poison(Poisoned(reason="given up", message=message(3, tag=f"1.0.{number}")))
    assert await queue.revive() == 40
    contents = await queue.peek()
    assert (contents.waiting, contents.poisoned) == (40, 0)


async def test_what_is_given_up_again_meanwhile_is_not_revived_for_ever(
    queue: RetryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = Poisoned(reason="given up", message=message(3))
    revive = queue._revive

    async def in_vain(poisoned: Poisoned) -> None:
        await revive(poisoned)
        await queue.poison(given_up)

    monkeypatch.setattr(queue, "_revive", in_vain)
    for _ in range(3):
        await queue.poison(given_up)
    assert await queue.revive() == 3
    assert (await queue.peek()).poisoned == 3


async def test_what_could_not_be_read_is_revived_as_it_was(queue: RetryQueue, storage: Storage) -> None:
    newer = messages.encode(msgspec.structs.replace(message(), version=2))
    await queue.poison(Poisoned(reason="newer", unreadable=newer))
    await queue.revive()
    (found,) = await (await storage.queue(QUEUE)).peek_messages()
    assert base64.b64decode(found.content) == newer


async def test_there_may_be_nothing_to_revive(queue: RetryQueue) -> None:
    assert await queue.revive() == 0


async def test_a_queue_that_is_away_says_so_until_it_is_back(queue: RetryQueue, azurite: Azurite) -> None:
    await azurite.stop()
    with pytest.raises(StorageError, match="cannot be reached"):
        await queue.put(delivery())
    assert "cannot be reached" in queue.fault()
    await azurite.start()
    await queue.put(delivery())
    assert queue.fault() == ""


async def test_a_queue_that_hangs_is_given_up_in_time(
    queue: RetryQueue, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue.warm_up()
    monkeypatch.setattr(limits, "STORAGE_TIMEOUT", 0.2)
    azurite.pause()
    try:
        with pytest.raises(StorageError, match=r"no answer within 0\.2 s"):
            await queue.put(delivery())
    finally:
        azurite.resume()


async def test_the_queue_can_be_made_ready_before_it_is_needed(queue: RetryQueue, storage: Storage) -> None:
    await queue.warm_up()
    assert queue.fault() == ""
    assert await (await storage.queue(QUEUE)).peek_messages() == []  # it exists


async def test_a_queue_that_cannot_be_made_ready_is_reported(queue: RetryQueue, azurite: Azurite) -> None:
    await azurite.stop()
    await queue.warm_up()
    assert "cannot be reached" in queue.fault()


async def test_two_who_create_the_queue_at_once_both_succeed(queue: RetryQueue) -> None:
    await asyncio.gather(*(queue.put(delivery()) for _ in range(5)))
    assert (await queue.peek()).waiting == 5


async def test_a_queue_that_somebody_else_has_just_created_is_used(
    queue: RetryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage answers 409 to who creates it with other metadata."""
    create = QueueClient.create_queue
    refusals: list[int | None] = []

    async def overtaken(client: QueueClient) -> None:
        await create(client, metadata={"by": "another"})
        try:
            await create(client)
        except HttpResponseError as error:
            refusals.append(error.status_code)
            raise

    monkeypatch.setattr(QueueClient, "create_queue", overtaken)
    await queue.put(delivery())
    assert refusals == [409]
    assert (await queue.peek()).waiting == 1


async def test_a_queue_that_may_not_be_created_is_told(
    queue: RetryQueue, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Storage(Settings(storage_connection=azurite.connection_string.replace("AccountKey=", "AccountKey=AAAA")))
    client = await stranger.queue(QUEUE)
    monkeypatch.setattr(QueueClient, "create_queue", staticmethod(client.create_queue))
    with pytest.raises(StorageError, match=r"^403 ") as refused:
        await queue.put(delivery())
    await stranger.close()
    assert refused.value.status == 403
    assert queue.fault() == str(refused.value)


async def test_what_cannot_be_released_stays_parked_and_is_told(
    queue: RetryQueue, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue.park(message())

    async def refuse(*_: object, **__: object) -> None:
        raise AzureError("the test's")

    monkeypatch.setattr(QueueClient, "send_message", refuse)
    with pytest.raises(StorageError, match="cannot be reached"):
        await queue.release()
    assert (await (await storage.queue(PARKED)).get_queue_properties()).approximate_message_count == 1


async def test_a_refusal_is_told_by_its_name() -> None:
    storage = Storage(Settings(storage_connection="not a connection string"))
    with pytest.raises(StorageError, match="is not valid"):
        await RetryQueue(storage).put(delivery())
