"""The app's Azure Storage account: queues and tables.

Its libraries take half a second to import and are needed off the answer's path only, so they are imported on first use,
in a thread. One client is kept for each queue and table.
"""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from receivers import limits
from receivers.settings import Settings

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient
    from azure.storage.queue.aio import QueueClient

# Callers have time limits of their own; the libraries' own retries would outlast them.
_OPTIONS: dict[str, Any] = {
    "retry_total": 0,
    "connection_timeout": limits.CONNECT_TIMEOUT,
    "read_timeout": limits.STORAGE_TIMEOUT,
}


class StorageError(Exception):
    """The Storage account did not do what was asked. The text names the fault and holds no key and no URL."""

    def __init__(self, fault: str, *, status: int = 0) -> None:
        super().__init__(fault)
        self.status = status  # of HTTP; 0 when there was no answer


class Storage:
    """One Storage account, by connection string or by managed identity."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._credential: Any = None
        self._queues: dict[str, QueueClient] = {}
        self._tables: dict[str, TableClient] = {}

    async def queue(self, name: str) -> "QueueClient":
        """The client of a queue. Raises :class:`StorageError`."""
        if name not in self._queues:
            library, storage = await _import("azure.storage.queue.aio"), await _import("azure.storage.queue")
            # As Azure Functions encodes what its queue triggers read.
            base64 = {
                "message_encode_policy": storage.TextBase64EncodePolicy(),
                "message_decode_policy": storage.TextBase64DecodePolicy(),
            }
            async with calling():
                self._queues[name] = await self._client(
                    library.QueueClient, self._settings.storage_queues, name, **base64
                )
        return self._queues[name]

    async def table(self, name: str) -> "TableClient":
        """The client of a table. Raises :class:`StorageError`."""
        if name not in self._tables:
            library = await _import("azure.data.tables.aio")
            async with calling():
                self._tables[name] = await self._client(library.TableClient, self._settings.storage_tables, name)
        return self._tables[name]

    async def close(self) -> None:
        """Close every client."""
        for queue in self._queues.values():
            await queue.close()
        for table in self._tables.values():
            await table.close()
        if self._credential is not None:
            await self._credential.close()

    async def _client(self, kind: Any, service: str, name: str, **options: Any) -> Any:  # noqa: ANN401 - as imported
        if self._settings.storage_connection:
            return kind.from_connection_string(self._settings.storage_connection, name, **_OPTIONS, **options)
        if self._credential is None:
            identity = await _import("azure.identity.aio")
            self._credential = identity.ManagedIdentityCredential(client_id=self._settings.storage_client_id or None)
        return kind(service, name, credential=self._credential, **_OPTIONS, **options)


@contextlib.asynccontextmanager
async def calling() -> AsyncIterator[None]:
    """Bound a call to Azure, and turn whatever goes wrong with it into :class:`StorageError`."""
    from azure.core.exceptions import AzureError, HttpResponseError  # noqa: PLC0415 - loaded with the first client

    try:
        async with asyncio.timeout(limits.STORAGE_TIMEOUT):
            yield
    except HttpResponseError as error:
        fault = getattr(error, "error_code", None) or error.reason or "refused"
        raise StorageError(f"{error.status_code} {fault}", status=error.status_code or 0) from error
    except AzureError as error:
        raise StorageError(f"cannot be reached ({type(error).__name__})") from error
    except TimeoutError as error:
        raise StorageError(f"no answer within {limits.STORAGE_TIMEOUT:g} s") from error
    except ValueError as error:
        raise StorageError("the connection string or URL of the Storage account is not valid") from error


async def _import(module: str) -> ModuleType:
    """Import off the event loop: requests go on meanwhile."""
    return await asyncio.to_thread(importlib.import_module, module)
