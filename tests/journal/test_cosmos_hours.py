"""Counts in Azure Cosmos DB, where a write ends before it has an answer. The container is simulated."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from receivers.journal.cosmos_hours import CosmosHours
from receivers.journal.hours import names
from tests.examples import NOON, row

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy


class Container:
    """Takes documents, once it does not hang."""

    def __init__(self) -> None:
        self.documents: dict[str, Mapping[str, Any]] = {}
        self.hangs = True
        self.asked = asyncio.Event()

    async def upsert_item(self, document: Mapping[str, Any], *, no_response: bool) -> None:
        assert no_response
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        self.documents[document["id"]] = document


async def test_what_was_counted_survives_a_write_that_is_cancelled() -> None:
    container = Container()

    async def connected() -> "ContainerProxy":
        return cast("ContainerProxy", container)

    hours = CosmosHours(connected, days=30, now=lambda: NOON)
    for each in (row(NOON), row(NOON + timedelta(hours=1))):
        hours.settle(each, names(each), ())
    task = asyncio.create_task(hours.count())
    await container.asked.wait()
    task.cancel()
    await asyncio.wait({task})
    container.hangs = False
    await hours.close()
    assert len({document["hour"] for document in container.documents.values()}) == 2
