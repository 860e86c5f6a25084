"""The doctor names what Kargo did not find lately."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from receivers import runtime, settings
from receivers.journal.journal import Filter, Finding, Row, Searched, State, WarehouseRow
from receivers.local.azurite import Azurite
from receivers.local.doctor import discoveries
from receivers.local.doctor.findings import Severity
from receivers.runtime import Runtime
from tests.examples import row
from tests.service import until

CLUSTER = {"CLUSTER_SERVER": "http://127.0.0.1:9", "CLUSTER_TOKEN": "none"}


def searched(finding: Finding, *names: str, age: timedelta = timedelta(0), tag: str = "1.2.3") -> Row:
    """A delivery for these Warehouses."""
    now = datetime.now(UTC) - age
    made = row(now)
    made.tag, made.finding = tag, finding
    made.warehouses = [
        WarehouseRow(
            project="kargo-demo",
            name=name,
            refresh=True,
            reason="",
            state=State.REFRESHED,
            searched=Searched(finding=finding, at=now, reason=f"Kargo does not list tag {tag}"),
        )
        for name in names
    ]
    return made


@pytest.fixture
async def service(azurite: Azurite) -> AsyncIterator[Runtime]:
    environment = CLUSTER | {"AzureWebJobsStorage": azurite.connection_string}
    service = await runtime.start(settings.from_environment(environment), environment)
    yield service
    await service.close()


async def write(service: Runtime, *rows: Row) -> None:
    assert service.journal is not None
    for each in rows:
        service.journal.write(each)
    journal = service.journal

    async def written() -> bool:
        stored = [each.id async for each in journal.rows(Filter())]
        return {each.id for each in rows} <= set(stored)

    await until(written)


async def test_each_warehouse_is_named_with_the_latest_push(service: Runtime) -> None:
    await write(
        service,
        searched(Finding.MISSING, "app", age=timedelta(hours=1), tag="1.0.0"),
        searched(Finding.MISSING, "app", "web"),
        searched(Finding.SOUGHT, "early"),
        searched(Finding.FOUND, "well"),
        searched(Finding.MISSING, "old", age=timedelta(days=2)),
    )
    found = await discoveries.check(service)
    assert [(each.subject, each.severity) for each in found] == [
        ("Warehouse kargo-demo/app", Severity.WARNING),
        ("Warehouse kargo-demo/web", Severity.WARNING),
    ]
    assert found[0].problem == ("Kargo did not find registry.azurecr.io/team/app:1.2.3: Kargo does not list tag 1.2.3")


async def test_of_very_many_the_first_are_named(service: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discoveries, "NAMED", 1)
    await write(service, searched(Finding.MISSING, "app"), searched(Finding.MISSING, "web"))
    assert len(await discoveries.check(service)) == 1


async def test_a_journal_that_cannot_be_read_is_told_of_elsewhere(service: Runtime, azurite: Azurite) -> None:
    await azurite.kill()
    assert await discoveries.check(service) == []
    await azurite.start()


async def test_without_a_journal_nothing_is_known() -> None:
    service = await runtime.start(settings.from_environment(CLUSTER), CLUSTER)
    assert await discoveries.check(service) == []
    await service.close()
