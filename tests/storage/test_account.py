"""The clients of Azure Storage."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from receivers.local.azurite import Azurite
from receivers.settings import Settings
from receivers.storage.account import Storage, StorageError, calling

KEY = "c2VjcmV0LWtleQ=="
IDENTITY = Settings(
    storage_queues="https://kargo.queue.core.windows.net",
    storage_tables="https://kargo.table.core.windows.net",
    storage_client_id="00000000-0000-0000-0000-000000000001",
)


async def test_there_is_one_client_for_each_queue_and_table(storage: Storage) -> None:
    queues = await asyncio.gather(*(storage.queue("refreshes") for _ in range(5)))
    tables = await asyncio.gather(*(storage.table("deliveries") for _ in range(5)))
    assert len(set(map(id, queues))) == len(set(map(id, tables))) == 1
    assert await storage.queue("refreshes-poison") is not queues[0]


async def test_the_emulator_can_be_named_as_azure_functions_names_it() -> None:
    storage = Storage(Settings(storage_connection="UseDevelopmentStorage=true"))
    assert (await storage.queue("refreshes")).url == "http://127.0.0.1:10001/devstoreaccount1/refreshes"
    assert (await storage.table("deliveries")).url.startswith("http://127.0.0.1:10002/devstoreaccount1")
    await storage.close()


async def test_a_managed_identity_needs_no_key() -> None:
    storage = Storage(IDENTITY)
    await storage.warm_up()
    assert (await storage.queue("refreshes")).url == "https://kargo.queue.core.windows.net/refreshes"
    assert (await storage.table("deliveries")).url == "https://kargo.table.core.windows.net"
    await storage.close()


async def test_an_account_can_be_named_without_the_urls_of_its_services() -> None:
    storage = Storage(Settings(storage_account="kargo"))
    assert (await storage.queue("refreshes")).url == "https://kargo.queue.core.windows.net/refreshes"
    assert (await storage.table("deliveries")).url == "https://kargo.table.core.windows.net"
    await storage.close()


@pytest.mark.parametrize("text", ["", "nonsense", f"AccountName=kargo;AccountKee={KEY}", f"AccountKey={KEY}"])
async def test_a_connection_string_that_is_wrong_is_not_quoted(text: str) -> None:
    storage = Storage(Settings(storage_connection=text or " "))
    for client in (storage.queue, storage.table):
        with pytest.raises(StorageError, match="is not valid") as refused:
            await client("refreshes")
        assert KEY not in str(refused.value)
        assert refused.value.__cause__ is None


@pytest.fixture
async def wrong_key(azurite: Azurite) -> AsyncIterator[Storage]:
    connection = azurite.connection_string.replace("AccountKey=", f"AccountKey={KEY[:4]}")
    storage = Storage(Settings(storage_connection=connection))
    yield storage
    await storage.close()


@pytest.mark.filterwarnings("ignore:Testing an element:DeprecationWarning")  # the library's own
async def test_a_refusal_tells_status_and_code(wrong_key: Storage) -> None:
    queue, table = await wrong_key.queue("refreshes"), await wrong_key.table("deliveries")
    with pytest.raises(StorageError, match="403 AuthenticationFailed") as refused:
        async with calling():
            await queue.send_message("text")
    assert refused.value.status == 403
    with pytest.raises(StorageError, match="403 AuthorizationFailure"):
        async with calling():
            await table.get_entity("partition", "row")
