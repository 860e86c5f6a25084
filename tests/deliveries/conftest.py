"""What the tests of deliveries share: the emulated Storage account, as the service uses it."""

from collections.abc import AsyncIterator

import pytest

from receivers.local.azurite import Azurite
from receivers.settings import Settings
from receivers.storage.account import Storage


@pytest.fixture
async def storage(azurite: Azurite) -> AsyncIterator[Storage]:
    """An empty Storage account."""
    storage = Storage(Settings(storage_connection=azurite.connection_string))
    yield storage
    await storage.close()
