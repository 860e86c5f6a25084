"""The right to work on a queue message: until it ends, nobody else sees the message."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage, StorageErrorCode
from azure.storage.queue.aio import QueueClient

from receivers.local.host.triggers.listener import happened

log = logging.getLogger(__name__)

RENEWALS = 3  # in the time of one lease, so that one that fails costs nothing


class Lease:
    """Made when a message is received. Each renewal changes the receipt that the next call must show.

    A message that somebody else has taken or deleted since is left alone. When the storage is away, methods raise
    :class:`azure.core.exceptions.AzureError`.
    """

    def __init__(self, queue: QueueClient, message: QueueMessage, *, seconds: int) -> None:
        self._queue = queue
        self._id = message.id
        self._receipt = message.pop_receipt
        self._seconds = seconds

    @contextlib.asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Keep the lease for as long as the block takes."""
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew(done))
        try:
            yield
        finally:
            done.set()  # not cancelled: a renewal under way would change the receipt behind our back
            await renewing

    async def delete(self) -> None:
        """Delete the message: it is done."""
        with unless_taken():
            await self._queue.delete_message(self._id, self._receipt)

    async def release(self, *, after: float) -> None:
        """Let the message be seen again after so many seconds."""
        await self._extend(round(after))

    async def _renew(self, done: asyncio.Event) -> None:
        while not await happened(done, within=self._seconds / RENEWALS):
            try:
                await self._extend(self._seconds)
            except AzureError as error:
                log.warning("the lease of message %s could not be renewed (%s)", self._id, type(error).__name__)

    async def _extend(self, seconds: int) -> None:
        with unless_taken():
            extended = await self._queue.update_message(self._id, self._receipt, visibility_timeout=seconds)
            self._receipt = extended.pop_receipt


@contextlib.contextmanager
def unless_taken() -> Iterator[None]:
    """Do without what cannot be done because the message is no longer ours."""
    try:
        yield
    except ResourceNotFoundError:
        log.debug("a message is gone")
    except HttpResponseError as error:
        if getattr(error, "error_code", None) != StorageErrorCode.POP_RECEIPT_MISMATCH:
            raise
        log.debug("a message was taken by somebody else")
