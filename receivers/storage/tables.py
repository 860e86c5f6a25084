"""Tables of Azure Table Storage, as far as this service needs them. They are created when they are first written to."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from receivers.storage import transactions
from receivers.storage.account import NotFoundError, Storage, StorageError, calling

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient

TRANSACTION = 100  # entities in one transaction: Azure's limit
PAGE = 1_000  # entities in one answer: Azure's limit
CONFLICT = 409

type Entity = Mapping[str, Any]  # by "PartitionKey", "RowKey" and properties


class Table:
    """One table. Every method raises :class:`StorageError`; a table that is not there yet reads as empty."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._name = name

    async def merge(self, entities: Sequence[Entity]) -> None:
        """Write entities of one partition, 100 and 4 MiB at most, all or none. Properties not named stay."""
        table = await self._storage.table(self._name)
        try:
            await transactions.merge(table, entities)
        except NotFoundError:
            await _create(table)
            await transactions.merge(table, entities)

    async def replace(self, entities: Sequence[tuple[Entity, str]]) -> list[str]:
        """The same, where each still has the ETag beside it, or is not there where that is empty.

        Returns the new ETags, or none where they are not told. Status 404, 409 or 412: somebody else has written one.
        """
        table = await self._storage.table(self._name)
        try:
            return await transactions.replace(table, entities)
        except NotFoundError:
            await _create(table)
            return await transactions.replace(table, entities)

    async def read(self, partition: str, row: str) -> Entity | None:
        """One entity."""
        table = await self._storage.table(self._name)
        try:
            async with calling():
                return await table.get_entity(partition, row)
        except NotFoundError:
            return None

    async def pages(
        self, query: str, *, select: Sequence[str] | None = None, size: int = PAGE
    ) -> AsyncIterator[list[Entity]]:
        """What matches an OData filter, by partition and row key, in pages; a page may be short of ``size``."""
        table = await self._storage.table(self._name)
        found = table.query_entities(query, select=list(select) if select else None, results_per_page=size).by_page()
        while True:
            try:
                async with calling():
                    page: list[Entity] = [entity async for entity in await anext(found)]
            except StopAsyncIteration:
                return
            except NotFoundError:
                return
            yield page

    async def remove(self, partition: str, row: str) -> None:
        """Delete one entity; one that is not there is deleted already."""
        table = await self._storage.table(self._name)
        with contextlib.suppress(NotFoundError):
            async with calling():
                await table.delete_entity(partition, row)

    async def delete(self, query: str) -> int:
        """Delete what matches an OData filter. Returns how many entities that were."""
        table = await self._storage.table(self._name)
        deleted = 0
        async for page in self.pages(query, select=("PartitionKey", "RowKey")):
            for entities in batches(page):
                await transactions.delete(table, entities)
                deleted += len(entities)
        return deleted


def literal(text: str) -> str:
    """A text as an OData filter has it."""
    return "'" + text.replace("'", "''") + "'"


def batches(entities: Sequence[Entity]) -> list[list[Entity]]:
    """Entities as transactions take them: each of one partition."""
    partitions: dict[str, list[Entity]] = {}
    for entity in entities:
        partitions.setdefault(entity["PartitionKey"], []).append(entity)
    return [
        partition[start : start + TRANSACTION]
        for partition in partitions.values()
        for start in range(0, len(partition), TRANSACTION)
    ]


async def _create(table: "TableClient") -> None:
    try:
        async with calling():
            await table.create_table()
    except StorageError as error:
        if error.status != CONFLICT:  # somebody else was faster
            raise
