"""The emulated Storage account between two tests."""

from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient


async def empty(connection_string: str) -> None:
    """Delete every queue and every table."""
    async with QueueServiceClient.from_connection_string(connection_string) as queues:
        async for queue in queues.list_queues():
            await queues.delete_queue(queue)
    async with TableServiceClient.from_connection_string(connection_string) as tables:
        async for table in tables.list_tables():
            await tables.delete_table(table.name)
