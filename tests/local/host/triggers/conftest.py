"""The emulated Storage account, seen from the sender's side."""

from collections.abc import AsyncIterator

import pytest
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from receivers.local.azurite import Azurite
from tests.local.host.triggers.inbox import INBOX


@pytest.fixture(autouse=True)
async def inbox() -> None:
    INBOX.open()


@pytest.fixture
async def storage(azurite: Azurite) -> AsyncIterator[QueueServiceClient]:
    """A client of the account. Messages are sent and received as they are."""
    async with QueueServiceClient.from_connection_string(azurite.connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
async def letters(storage: QueueServiceClient) -> QueueClient:
    """The queue that the mail app reads."""
    return await storage.create_queue("letters")


@pytest.fixture
def poison(storage: QueueServiceClient) -> QueueClient:
    """Its poison queue, which is not there yet."""
    return storage.get_queue_client("letters-poison")
