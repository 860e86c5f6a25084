"""A drill: deliveries at a steady rate while everything around the service breaks, and the service too."""

import asyncio
from contextlib import suppress
from pathlib import Path

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from bench.drill import senders, traffic
from bench.drill.annotations import Annotations
from bench.drill.plan import Plan
from bench.drill.record import Record
from bench.drill.scene import Scene, scene
from bench.drill.traffic import Post
from bench.workload import SECRETS_NAMESPACE
from receivers.local.azurite import Azurite
from receivers.retries.queue import POISON, QUEUE
from testbed.servers import ApiServer

LOOK_EVERY = 0.5  # seconds
SETTLED = 2.0  # seconds in which a patch that has just begun is seen by the watch


async def run(plan: Plan, server: ApiServer, azurite: Azurite, folder: Path) -> Record:
    """Carry out a plan against an empty API server and an empty Storage account; both run. Logs are in ``folder``."""
    images = [senders.image(number) for number in range(plan.images)]
    await server.apply(*senders.objects(images))
    for namespace in (SECRETS_NAMESPACE, *senders.projects(images)):
        await server.allow_secrets(namespace)
    annotations = Annotations(server)
    async with scene(server, azurite, folder) as stage, annotations.running():
        posts = await _attack(plan, stage)
        began = asyncio.get_running_loop().time()
        waiting, poisoned = await _drained(azurite, patience=plan.patience)
        drained = asyncio.get_running_loop().time() - began
        await annotations.settled(posts, patience=SETTLED)
        return Record(
            posts=posts,
            annotations=annotations,
            patches=stage.proxy.sent("PATCH"),
            most_at_once=stage.proxy.most_at_once("PATCH"),
            host_dead=stage.host_dead,
            recovered=stage.recovered,
            log=stage.host.log(),
            waiting=waiting,
            poisoned=poisoned,
            drained=drained,
        )


async def _attack(plan: Plan, stage: Scene) -> list[Post]:
    async with asyncio.TaskGroup() as tasks:
        for blow in plan.blows:
            tasks.create_task(stage.strike(blow))
        pushed = [senders.image(plan.image(number)) for number in range(plan.deliveries)]
        sending = tasks.create_task(traffic.send(pushed, stage.host.url, rate=plan.rate, phase=stage.phase))
    return sending.result()


async def _drained(azurite: Azurite, *, patience: float) -> tuple[int, int]:
    """Wait until nothing waits in the retry queue; how many deliveries do, and how many are poisoned."""
    waiting = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while waiting := await messages_in(azurite, QUEUE):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(LOOK_EVERY)
    return waiting, await messages_in(azurite, POISON)


async def messages_in(azurite: Azurite, name: str) -> int:
    """How many messages a queue holds, those that are hidden too."""
    async with QueueClient.from_connection_string(azurite.connection_string, name) as queue:
        try:
            return (await queue.get_queue_properties()).approximate_message_count or 0
        except ResourceNotFoundError:
            return 0
        except AzureError:
            return 1  # not there to ask: not known to be empty
