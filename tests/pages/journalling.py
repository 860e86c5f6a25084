"""Rows and messages as the service writes them, without having to wait three days for some of them."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from receivers import settings
from receivers.deliveries.delivery import new_id
from receivers.events import Pushed
from receivers.journal.journal import Row, State, WarehouseRow
from receivers.journal.table_journal import TableJournal
from receivers.local.azurite import Azurite
from receivers.retries.messages import Message, Poisoned
from receivers.retries.queue import RetryQueue
from receivers.storage.account import Storage

REGISTRY = "myregistry.azurecr.io"


def new_repository() -> str:
    """A repository that no other test has."""
    return f"team/{secrets.token_hex(6)}"


def push(repository: str, tag: str) -> Pushed:
    return Pushed(
        repository_urls=(f"{REGISTRY}/{repository}",),
        qualifiers=(tag,),
        registry=REGISTRY,
        repository=repository,
        tag=tag,
    )


def row(repository: str, *, tag: str = "1.2.3", state: State = State.REFRESHED, age: timedelta = timedelta(0)) -> Row:
    """A push for the sample's receiver of ACR."""
    at = datetime.now(UTC) - age
    failed = state == State.FAILED
    return Row(
        id=new_id(at),
        received_at=at,
        provider="azure",
        receiver="acr",
        project="kargo-demo",
        event="push",
        registry=REGISTRY,
        repository=repository,
        tag=tag,
        state=state,
        status=500 if failed else 200,
        reason="the cluster did not answer in time" if failed else "",
        warehouses=[
            WarehouseRow(project="kargo-demo", name="guestbook", refresh=True, reason="tag satisfies", state=state)
        ],
        events=[push(repository, tag)],
    )


async def write(store: Azurite, rows: Iterable[Row]) -> None:
    """Have the rows in the journal."""
    storage = Storage(settings.from_environment({"AzureWebJobsStorage": store.connection_string}))
    journal = TableJournal(storage, days=30)
    for each in rows:
        journal.write(each)
    await journal.close()
    await storage.close()


async def give_up(store: Azurite, repository: str, *, delivery: str = "") -> str:
    """Have a delivery in the poison queue. Returns its id."""
    at = datetime.now(UTC)
    message = Message(
        delivery=delivery or new_id(at),
        received_at=at,
        provider="azure",
        receiver="acr",
        project="kargo-demo",
        events=[push(repository, "1.2.3")],
        tries=78,
    )
    storage = Storage(settings.from_environment({"AzureWebJobsStorage": store.connection_string}))
    await RetryQueue(storage).poison(Poisoned(reason="given up after 78 tries", message=message))
    await storage.close()
    return message.delivery


async def give_up_unreadable(store: Azurite, content: bytes) -> None:
    """Have a message in the poison queue that nobody can read."""
    storage = Storage(settings.from_environment({"AzureWebJobsStorage": store.connection_string}))
    await RetryQueue(storage).poison(Poisoned(reason="it is damaged", unreadable=content))
    await storage.close()
