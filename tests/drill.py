"""A service with an emulated Storage account, whose cluster a test can take away."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from receivers import runtime
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery
from receivers.events import WebhookRequest
from receivers.journal.journal import Filter, Row
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from receivers.retries.contents import Contents
from receivers.retries.queue import QUEUE
from receivers.runtime import Runtime
from receivers.settings import Settings
from testbed.objects import PROJECT, Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.service import acr_push

HOOK = Hook(provider="azure", name="acr")
AMPLE = 30.0  # seconds of answer budget, for tests that are not about it: the machine may be busy


@dataclass
class Drill:
    """The service, and who sends to it."""

    service: Runtime
    told: list[Delivery] = field(default_factory=list)  # the deliveries that were answered

    async def deliver(self, *, tag: str = "1.2.3", path: str = HOOK.path, body: object = None) -> Answer:
        """A push to the container registry, or another body."""
        request = WebhookRequest(
            method="POST",
            path=path,
            headers={},
            query={},
            body=json.dumps(acr_push(tag=tag) if body is None else body).encode(),
            received_at=datetime.now(UTC),
        )
        return await self.service.pipeline.deliver(request, PROVIDERS[path.split("/")[1]])

    def hurry(self) -> None:
        """From now on a delivery is answered within two seconds, though the cluster may do better later."""
        self.service.pipeline._budget = 2.0

    async def work_off(self) -> int:
        """Give each waiting message that is due to the service, as the Functions host does; how many there were."""
        assert self.service.storage is not None
        assert self.service.retries is not None
        queue = await self.service.storage.queue(QUEUE)
        taken = [message async for message in queue.receive_messages(max_messages=32, visibility_timeout=30)]
        for message in taken:
            await self.service.retries.handle(base64.b64decode(message.content))
            await queue.delete_message(message)
        return len(taken)

    async def queues(self) -> Contents:
        """What waits."""
        assert self.service.queue is not None
        return await self.service.queue.peek()

    async def row(self, delivery: str) -> Row | None:
        """A delivery's row."""
        assert self.service.journal is not None
        return await self.service.journal.read(delivery)

    async def rows(self) -> list[Row]:
        """Every row that was written."""
        assert self.service.journal is not None
        return [row async for row in self.service.journal.rows(Filter())]


async def furnish(server: ApiServer) -> None:
    """A project with a receiver, a Warehouse that wants the push and one that does not."""
    await server.apply(
        project_config([HOOK]),
        secret_of(HOOK),
        warehouse("app", constraint="^1.0.0"),
        warehouse("other", constraint="^2.0.0"),
    )
    await server.allow_secrets(PROJECT)


@asynccontextmanager
async def running(
    kubeconfig: Path, azurite: Azurite, *, answer_budget: float = 2.0, **others: str
) -> AsyncIterator[Drill]:
    """A service that follows the cluster of the kubeconfig."""
    told: list[Delivery] = []
    settings = Settings(kubeconfig=str(kubeconfig), storage_connection=azurite.connection_string, answer_budget=AMPLE)
    environment = {"AzureWebJobsStorage": azurite.connection_string}
    service = await runtime.start(settings, environment, observers=[told.append])
    try:
        yield Drill(service, told)
    finally:
        await service.refresher.close(grace=0)  # nobody need wait for a cluster that the test took away
        await service.close()
