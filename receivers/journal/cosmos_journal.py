"""The journal in Azure Cosmos DB: one document for each delivery, and some that count them by the hour.

A document begins with what a list of pushes shows; ``delivery`` holds the whole row, which the others do not have.
Cosmos DB deletes old documents by itself, where time to live is switched on for the container.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from receivers import limits
from receivers.importing import imported
from receivers.journal import journal
from receivers.journal.cosmos_hours import CosmosHours
from receivers.journal.cosmos_pages import pages
from receivers.journal.hours import Hour, Merged, first_id, full_hour, hour_at
from receivers.journal.journal import Filter, Reach, Row, warehouses_of
from receivers.journal.versions import Change, Found, Versions
from receivers.sampled import Sampled
from receivers.settings import Settings
from receivers.storage.account import IDENTITY, NotFoundError, calling
from receivers.storage.write_behind import WriteBehind
from receivers.text import printable

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

unreadable = Sampled(logging.getLogger(__name__))

LIBRARY = "azure.cosmos.aio"
AT_ONCE = 16  # documents written at the same time: each is a partition, so there are no transactions
BY_DOCUMENT = -1  # time to live: on, and each document says for how long
_OPTIONS = {
    # The caller asks again.
    "retry_total": 0,
    "retry_throttle_total": 0,
    "connection_timeout": limits.CONNECT_TIMEOUT,
    "read_timeout": limits.STORAGE_TIMEOUT,
}


class CosmosJournal:
    """A :class:`~receivers.journal.journal.Journal`. ``options`` are the client's, as an emulator needs them."""

    def __init__(
        self,
        settings: Settings,
        *,
        options: Mapping[str, Any] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._options = {**_OPTIONS, **(options or {})}
        self._credential: Any = None
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._hours = CosmosHours(self._container, days=settings.journal_days, now=now)
        self._versions = Versions(replace=self._replace, find=self._find, settle=self._hours.settle)
        self._writing: WriteBehind[str] = WriteBehind(self._store, what="journal row", named=True)  # rows as JSON

    def write(self, row: Row) -> str:
        """Add a row as it is now, or replace the one with its id. Returns at once; the row is written soon."""
        text = journal.encode(row)
        self._writing.add(row.id, text, size=sys.getsizeof(text), rank=journal.rank(row))
        return text

    async def read(self, delivery: str) -> Row | None:
        """The row of a delivery. Raises StorageError."""
        unwritten = self._writing.get(delivery)
        if unwritten is not None:
            return journal.decode(unwritten)
        if not journal.is_id(delivery):
            return None
        found = await self._find(delivery)
        self._versions.note_read(delivery, found)
        return found.row if found is not None else None

    async def rows(self, only: Filter, *, before: str = "", reach: Reach | None = None) -> AsyncIterator[Row]:
        """Rows, newest first, older than the delivery ``before``; as far as ``reach`` lets it look.

        Raises StorageError.
        """
        container = await self._container()
        query, parameters = _query(only, before)
        async for documents in pages(container, query, parameters, size=limits.JOURNAL_PAGE):
            for document in documents:
                row = _row(document)
                if row is not None and only.accepts(row):
                    yield row
            if reach is not None and documents and reach.is_over(str(documents[-1]["id"]), looked=len(documents)):
                return

    async def hours(self, since: datetime) -> list[Hour]:
        """Deliveries by hour and receiver, of all instances, from the hour of ``since`` on; oldest first.

        Raises StorageError.
        """
        merged = Merged()
        first, counted = hour_at(since), await self._hours.since()
        if counted is not None:
            await self._hours.add(merged, first=max(first, counted))
        if counted is None or first < counted:  # an earlier version may have written these rows
            before = first_id(counted) if counted is not None else ""
            await merged.add_rows(self.rows(Filter(since=full_hour(since)), before=before))
        return merged.hours()

    async def clean(self) -> int:
        """Nothing to do: Cosmos DB deletes what its time to live has run out for."""
        return 0

    def fault(self) -> str:
        """Why rows cannot be written at the moment; empty when they can."""
        return self._writing.fault()

    async def close(self) -> None:
        """Write what waits."""
        await self._writing.close()
        await self._hours.close()
        for each in (self._client, self._credential):
            if each is not None:
                await each.close()

    async def _store(self, texts: list[str]) -> None:
        """Write rows at the same time; a failure is that of all of them."""
        rows = [journal.decode(text) for text in texts]
        try:
            await self._put(rows)
        except NotFoundError:
            await self._create()
            await self._put(rows)
        await self._hours.count()

    async def _put(self, rows: list[Row]) -> None:
        await self._hours.begin()

        async def put(row: Row) -> None:
            async with self._slots:
                await self._versions.put([row])

        results = await asyncio.gather(*map(put, rows), return_exceptions=True)
        for failure in filter(None, results):
            raise failure

    async def _replace(self, changes: Sequence[Change]) -> list[str]:
        """Write one document."""
        [change] = changes
        document = _document(change, days=self._settings.journal_days)
        container = await self._container()
        async with calling():
            if change.etag:
                stored = await container.replace_item(
                    change.row.id, document, etag=change.etag, match_condition=_unmodified(), no_response=True
                )
            else:
                stored = await container.create_item(document, no_response=True)
        etag = stored.get_response_headers().get("etag")
        return [etag] if etag else []

    async def _find(self, delivery: str) -> Found | None:
        container = await self._container()
        try:
            async with calling():
                document = await container.read_item(delivery, partition_key=delivery)
        except NotFoundError:
            return None
        return Found(_row(document), str(document.get("counted", "")), str(document.get("_etag", "")))

    async def _create(self) -> None:
        """Create database and container, which takes an account's key: identities have no right to it."""
        from azure.cosmos import PartitionKey  # noqa: PLC0415 - loaded with the client

        async with calling():
            database = await self._client.create_database_if_not_exists(self._settings.cosmos_database)
        async with calling():
            await database.create_container_if_not_exists(
                self._settings.cosmos_container, partition_key=PartitionKey("/id"), default_ttl=BY_DOCUMENT
            )

    async def _container(self) -> "ContainerProxy":
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
        database = self._client.get_database_client(self._settings.cosmos_database)
        container: ContainerProxy = database.get_container_client(self._settings.cosmos_container)
        return container

    async def _connect(self) -> Any:  # noqa: ANN401 - as imported
        cosmos = await imported(LIBRARY)
        if not self._settings.cosmos_key and self._credential is None:
            identity = await imported(IDENTITY)
            self._credential = identity.ManagedIdentityCredential(client_id=self._settings.storage_client_id or None)
        client = cosmos.CosmosClient(
            self._settings.cosmos_endpoint, self._settings.cosmos_key or self._credential, **self._options
        )
        try:
            async with calling():
                await client.__aenter__()  # asks the account for its endpoints
        except BaseException:
            await client.close()
            raise
        return client


def _query(only: Filter, before: str) -> tuple[str, list[dict[str, Any]]]:
    chosen = [
        (name, value, condition)
        for name, value, condition in (
            ("@provider", only.provider, "c.provider = @provider"),
            ("@project", only.project, "c.project = @project"),
            ("@receiver", only.receiver, "c.receiver = @receiver"),
            # Documents of earlier versions are asked themselves.
            (
                "@warehouse",
                only.warehouse,
                "(NOT IS_DEFINED(c.warehouses) OR ARRAY_CONTAINS(c.warehouses, @warehouse))",
            ),
            ("@state", only.state, "c.state = @state"),
            ("@finding", only.finding, "c.finding = @finding"),
            ("@repository", only.repository.lower(), "CONTAINS(c.repository, @repository)"),
            ("@since", _text(only.since) if only.since else "", "c.timeStamp >= @since"),
            ("@before", before, "c.id < @before"),
        )
        if value
    ]
    where = " AND ".join(["IS_DEFINED(c.delivery)", *(condition for _, _, condition in chosen)])
    parameters = [{"name": name, "value": value} for name, value, _ in chosen]
    return f"SELECT c.id, c.delivery FROM c WHERE {where} ORDER BY c.id DESC", parameters  # noqa: S608 - of the texts above


def _text(time: datetime) -> str:
    """A time as a text that sorts as times do."""
    return time.astimezone(UTC).isoformat()


def _unmodified() -> Any:  # noqa: ANN401 - as imported
    from azure.core import MatchConditions  # noqa: PLC0415 - loaded with the client

    return MatchConditions.IfNotModified


def _document(change: Change, *, days: int) -> dict[str, Any]:
    row = change.row
    return {
        "id": row.id,
        "loginServer": row.registry,
        "action": row.event,
        "timeStamp": _text(row.received_at),
        "image": row.repository,
        "tag": row.tag,
        "digest": row.digest,
        "provider": row.provider,
        "receiver": row.receiver,
        "project": row.project,
        "state": row.state.value,
        "finding": row.finding.value if row.finding else "",
        "repository": f"{row.registry}/{row.repository}".lower(),  # to search in
        "warehouses": sorted(warehouses_of(row)),
        "ttl": days * 24 * 3600,
        "counted": change.counted,
        "delivery": msgspec.json.decode(journal.encode(row)),
    }


def _row(document: Mapping[str, Any]) -> Row | None:
    """None: another version of this service wrote it, or somebody else."""
    try:
        # Written as JSON once more: what Python has read may hold halves of characters, which nobody could show.
        return journal.decode(msgspec.json.encode(document.get("delivery")).decode())
    except (journal.Unreadable, UnicodeError, RecursionError, OverflowError):
        name = printable(str(document.get("id"))[: limits.ROW_KEY])
        unreadable.warn("a document of the journal cannot be read: %s", name)
        return None
