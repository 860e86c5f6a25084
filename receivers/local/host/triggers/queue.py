"""Queue triggers: gives every message of a Storage queue to its function, at least once, as the Functions host does.

A message is taken under a lease, which is renewed while the function runs. Success deletes the message; failure makes
it visible again, and after ``maxDequeueCount`` tries it moves to the poison queue. Whatever happens to this process: a
message that was not deleted comes back when its lease ends.
"""

import asyncio
import contextlib
import json
import logging
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueServiceClient

from receivers.local.host import worker
from receivers.local.host.configuration import extension, resolved
from receivers.local.host.errors import UnusableConfiguration
from receivers.local.host.triggers.lease import Lease
from receivers.local.host.triggers.listener import happened
from receivers.local.host.triggers.queue_options import QueueOptions, lease_seconds, queue_options
from receivers.local.host.worker import Function, InvocationFailed, TypedData

log = logging.getLogger(__name__)
logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)  # each poll is INFO

POISON = "-poison"
FIRST_PAUSE = 0.1  # seconds between two polls that found nothing; doubled each time

# Seconds. A poll that fails is repeated after a pause anyway, and a message that could not be deleted comes back.
CLIENT: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 10}


def listeners(
    functions: Sequence[Function],
    app_root: Path,
    environment: Mapping[str, str],
    *,
    setting: str,
    connection_string: str,
) -> "list[QueueListener]":
    """A listener for each function, of which ``setting`` named the account.

    Raises :class:`~receivers.local.host.errors.HostError`.
    """
    options, lease = queue_options(extension(app_root, environment, "queues")), lease_seconds(environment)
    try:
        return [
            QueueListener(
                function,
                QueueServiceClient.from_connection_string(connection_string, **CLIENT),
                queue_name=resolved(function.binding["queueName"], environment),
                options=options,
                lease=lease,
            )
            for function in functions
        ]
    except ValueError:  # its text may quote the key
        raise UnusableConfiguration(f"{setting} is not the connection string of a Storage account") from None


class QueueListener:
    """Polls a queue, and gives each message to a function. A queue that is not there is polled until it is."""

    def __init__(
        self,
        function: Function,
        storage: QueueServiceClient,
        *,
        queue_name: str,
        options: QueueOptions,
        lease: int,
    ) -> None:
        self._function = function
        self._storage = storage
        self._queue = storage.get_queue_client(queue_name)
        # A poison queue has none of its own.
        self._poison = None if queue_name.endswith(POISON) else storage.get_queue_client(queue_name + POISON)
        self._options = options
        self._lease = lease
        self._away = False

    async def run(self, stopping: asyncio.Event) -> None:
        """As :meth:`~receivers.local.host.triggers.listener.Listener.run` says."""
        async with self._storage, asyncio.TaskGroup() as invocations:
            running: set[asyncio.Task[None]] = set()
            pauses = lengthening(self._options.longest_pause)
            while not stopping.is_set():
                messages = await self._receive()
                for message in messages:
                    task = invocations.create_task(self._handle(message))
                    running.add(task)
                    task.add_done_callback(running.discard)
                if messages:
                    pauses = lengthening(self._options.longest_pause)
                    while len(running) > self._options.new_batch_threshold:
                        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await happened(stopping, within=next(pauses))

    async def _receive(self) -> list[QueueMessage]:
        """The next messages; none if there are none, or if the storage is away."""
        pages = self._queue.receive_messages(
            messages_per_page=self._options.batch_size, visibility_timeout=self._lease
        ).by_page()
        messages: list[QueueMessage] = []
        try:
            messages = [message async for message in await anext(pages)]
        except (StopAsyncIteration, ResourceNotFoundError):
            pass
        except AzureError as error:
            if not self._away:
                log.warning("%s: the queue cannot be polled (%s). Trying on", self._name, type(error).__name__)
            self._away = True
            return []
        if self._away:
            log.warning("%s: the queue is polled again", self._name)
        self._away = False
        return messages

    async def _handle(self, message: QueueMessage) -> None:
        """Run the function with a message, and settle what becomes of it."""
        lease = Lease(self._queue, message, seconds=self._lease)
        try:
            await self._settle(message, lease)
        except AzureError as error:
            log.warning("%s: message %s comes back (%s)", self._name, message.id, type(error).__name__)
        except asyncio.CancelledError:
            with contextlib.suppress(AzureError):
                await lease.release(after=0)
            raise

    async def _settle(self, message: QueueMessage, lease: Lease) -> None:
        tries = message.dequeue_count or 1  # this one included
        try:
            body = decoded(message.content, base64=self._options.base64)
        except ValueError:
            return await self._give_up(message, lease, "it is not base64")
        if tries > self._options.tries:  # its last try did not live to move it
            return await self._give_up(message, lease, f"it was tried {self._options.tries} times")
        async with lease.renewed():
            succeeded = await self._invoke(message, body)
        if succeeded:
            await lease.delete()
        elif tries == self._options.tries:
            await self._give_up(message, lease, f"it failed {tries} times")
        elif self._poison is not None:
            await lease.release(after=self._options.retry_after)
        return None

    async def _invoke(self, message: QueueMessage, body: bytes) -> bool:
        """Whether the function succeeded."""
        value = trigger_value(body)
        try:
            await worker.invoke(self._function, value, metadata=trigger_metadata(message, value))
        except InvocationFailed as failure:
            log.error("%s failed\n%s", self._name, failure)  # noqa: TRY400, the message is the app's traceback
            return False
        return True

    async def _give_up(self, message: QueueMessage, lease: Lease, reason: str) -> None:
        """Move a message to the poison queue. One that is in a poison queue stays, unseen until the lease ends."""
        if self._poison is None:
            return
        log.warning("%s: message %s goes to %s: %s", self._name, message.id, self._poison.queue_name, reason)
        try:
            await self._poison.send_message(message.content)
        except ResourceNotFoundError:
            await self._poison.create_queue()
            await self._poison.send_message(message.content)
        await lease.delete()

    @property
    def _name(self) -> str:
        return self._function.name


def lengthening(longest: float) -> Iterator[float]:
    """The pauses, in seconds, between polls that find nothing."""
    pause = FIRST_PAUSE
    while True:
        yield min(pause, longest)
        pause = min(2 * pause, longest)


def decoded(content: str, *, base64: bool) -> bytes:
    """What was sent. Raises ValueError for what is not base64."""
    return b64decode(content, validate=True) if base64 else content.encode()


def trigger_value(body: bytes) -> TypedData:
    """What the function gets: text where the body is text."""
    try:
        return TypedData(string=body.decode())
    except UnicodeDecodeError:
        return TypedData(bytes=body)


def trigger_metadata(message: QueueMessage, value: TypedData) -> dict[str, TypedData]:
    """What the Functions host tells of a message beside its body, which is there once more if it is text."""
    told = {
        "Id": TypedData(string=message.id),
        "DequeueCount": TypedData(json=json.dumps(message.dequeue_count)),
        "InsertionTime": moment(message.inserted_on),
        "ExpirationTime": moment(message.expires_on),
        "NextVisibleTime": moment(message.next_visible_on),
        "PopReceipt": TypedData(string=message.pop_receipt),
    }
    return told | ({"QueueTrigger": value} if value.WhichOneof("data") == "string" else {})


def moment(time: datetime | None) -> TypedData:
    return TypedData(json=json.dumps(time and time.isoformat()))
