"""The lease of a real message."""

import asyncio
import logging

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from receivers.local.azurite import Azurite
from receivers.local.host.triggers.lease import Lease
from testbed.waiting import eventually
from tests.local.host.triggers.inbox import WITHIN


async def taken(queue: QueueClient, *, seconds: int) -> QueueMessage:
    async for message in queue.receive_messages(visibility_timeout=seconds):
        return message
    raise AssertionError("there is no message")


async def until_taken(queue: QueueClient) -> QueueMessage:
    """The message, once its lease has ended."""
    async with asyncio.timeout(WITHIN):
        while True:
            async for message in queue.receive_messages(visibility_timeout=60):
                return message


async def until_renewed(lease: Lease, *, times: int) -> None:
    receipts = set[str | None]()

    def renewed() -> bool:
        receipts.add(lease._receipt)
        return len(receipts) > times

    await eventually(renewed)


@pytest.fixture
async def message(letters: QueueClient) -> QueueMessage:
    """A message under a lease of one second."""
    await letters.send_message("hello")
    return await taken(letters, seconds=1)


async def test_a_lease_lasts_as_long_as_it_is_renewed(letters: QueueClient, message: QueueMessage) -> None:
    lease = Lease(letters, message, seconds=1)
    async with lease.renewed():
        await until_renewed(lease, times=4)
        assert [other async for other in letters.receive_messages()] == []
    await lease.delete()
    assert (await letters.get_queue_properties()).approximate_message_count == 0


async def test_a_released_message_is_seen_again(letters: QueueClient, message: QueueMessage) -> None:
    await Lease(letters, message, seconds=3600).release(after=0)
    assert (await taken(letters, seconds=1)).dequeue_count == 2


async def test_a_message_that_somebody_else_has_taken_is_left_alone(
    letters: QueueClient, message: QueueMessage
) -> None:
    lease = Lease(letters, message, seconds=1)
    other = await until_taken(letters)
    await lease.delete()
    await lease.release(after=0)
    await letters.delete_message(other)


async def test_a_message_that_is_gone_is_left_alone(letters: QueueClient, message: QueueMessage) -> None:
    lease = Lease(letters, message, seconds=1)
    await letters.delete_message(message)
    await lease.delete()
    await lease.release(after=0)


async def test_another_refusal_is_an_error(letters: QueueClient, message: QueueMessage) -> None:
    with pytest.raises(HttpResponseError):
        await Lease(letters, message, seconds=1).release(after=-1)


async def test_a_renewal_that_fails_is_said_and_tried_again(
    azurite: Azurite, letters: QueueClient, message: QueueMessage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    lease = Lease(letters, message, seconds=1)
    async with lease.renewed():
        await azurite.stop()
        await eventually(lambda: "could not be renewed" in caplog.text)
        await azurite.start()
        await until_renewed(lease, times=1)
