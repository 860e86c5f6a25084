"""What a query finds in Azure Cosmos DB."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from receivers.storage.account import NotFoundError, calling

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy


async def pages(
    container: "ContainerProxy", query: str, parameters: list[dict[str, Any]], *, size: int
) -> AsyncIterator[list[dict[str, Any]]]:
    """The documents, so many at a time; none where the container is not there. Raises StorageError."""
    found = container.query_items(query, parameters=parameters, max_item_count=size).by_page()
    while True:
        try:
            async with calling():
                documents = [document async for document in await anext(found)]
        except (StopAsyncIteration, NotFoundError):
            return
        yield documents
