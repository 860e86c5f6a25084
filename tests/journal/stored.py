"""Everything that the service has stored, as somebody sees it who may read the Storage account."""

import base64

from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient


async def everything(connection_string: str) -> str:
    """The text of every entity of every table, and of every message that can be seen now."""
    found: list[str] = []
    async with TableServiceClient.from_connection_string(connection_string) as tables:
        async for table in tables.list_tables():
            found += [str(dict(entity)) async for entity in tables.get_table_client(table.name).list_entities()]
    async with QueueServiceClient.from_connection_string(connection_string) as queues:
        async for queue in queues.list_queues():
            peeked = await queues.get_queue_client(queue).peek_messages(max_messages=32)
            found += [base64.b64decode(message.content).decode(errors="replace") for message in peeked]
    return "\n".join(found)
