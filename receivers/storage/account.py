"""The app's Azure Storage account: queues and tables.

Its libraries take half a second to import and are needed off the answer's path only, so they are imported on first use,
in a thread. One client is kept for each queue and table.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from receivers import limits
from receivers.importing import imported
from receivers.settings import Settings

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient
    from azure.storage.queue.aio import QueueClient

_NOT_FOUND = 404
QUEUES, TABLES, IDENTITY = "azure.storage.queue.aio", "azure.data.tables.aio", "azure.identity.aio"

# Callers have time limits of their own; the libraries' own retries would outlast them.
_OPTIONS: dict[str, Any] = {
    "retry_total": 0,
    "connection_timeout": limits.CONNECT_TIMEOUT,
    "read_timeout": limits.STORAGE_TIMEOUT,
}

# Each request would be a line.
logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)


class StorageError(Exception):
    """A store did not do what was asked. The text names the fault and holds no key and no URL."""

    def __init__(self, fault: str, *, status: int = 0) -> None:
        super().__init__(fault)
        self.status = status  # of HTTP; 0 when there was no answer


class NotFoundError(StorageError):
    """What was asked for, or the queue or table that it is in, is not there."""


def refusal(fault: str, *, status: int) -> StorageError:
    """The error for an answer with this status of HTTP."""
    kind = NotFoundError if status == _NOT_FOUND else StorageError
    return kind(fault, status=status)


class Storage:
    """One Storage account, by connection string or by managed identity."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._credential: Any = None
        self._queues: dict[str, QueueClient] = {}
        self._tables: dict[str, TableClient] = {}
        self._making = asyncio.Lock()

    async def queue(self, name: str) -> "QueueClient":
        """The client of a queue. Raises :class:`StorageError`."""
        if name not in self._queues:
            async with self._making:
                if name not in self._queues:
                    kind = (await imported(QUEUES)).QueueClient
                    self._queues[name] = await self._client(kind, self._settings.queue_service, name)
        return self._queues[name]

    async def table(self, name: str) -> "TableClient":
        """The client of a table. Raises :class:`StorageError`."""
        if name not in self._tables:
            async with self._making:
                if name not in self._tables:
                    kind = (await imported(TABLES)).TableClient
                    self._tables[name] = await self._client(kind, self._settings.table_service, name)
        return self._tables[name]

    async def warm_up(self) -> None:
        """Import what the first call needs, so that it need not wait for it."""
        for library in (QUEUES, TABLES) if self._settings.storage_connection else (IDENTITY, QUEUES, TABLES):
            await imported(library)

    async def close(self) -> None:
        """Close every client."""
        for queue in self._queues.values():
            await queue.close()
        for table in self._tables.values():
            await table.close()
        if self._credential is not None:
            await self._credential.close()

    async def _client(self, kind: Any, service: str, name: str) -> Any:  # noqa: ANN401 - as imported
        try:
            if self._settings.storage_connection:
                return kind.from_connection_string(self._settings.storage_connection, name, **_OPTIONS)
            if self._credential is None:
                identity = await imported(IDENTITY)
                self._credential = identity.ManagedIdentityCredential(
                    client_id=self._settings.storage_client_id or None
                )
            return kind(service, name, credential=self._credential, **_OPTIONS)
        except ValueError:  # its text would quote the connection string
            raise StorageError("the connection string or URL of the Storage account is not valid") from None


@contextlib.asynccontextmanager
async def calling() -> AsyncIterator[None]:
    """Bound a call to Azure, and turn whatever goes wrong with it into :class:`StorageError`."""
    from azure.core.exceptions import AzureError, HttpResponseError  # noqa: PLC0415 - loaded with the first client

    try:
        async with asyncio.timeout(limits.STORAGE_TIMEOUT):
            yield
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)
        fault = getattr(code, "value", code) or error.reason or "refused"
        raise refusal(f"{error.status_code} {fault}", status=error.status_code or 0) from error
    except AzureError as error:
        raise StorageError(f"cannot be reached ({type(error).__name__})") from error
    except TimeoutError as error:
        raise StorageError(f"no answer within {limits.STORAGE_TIMEOUT:g} s") from error
