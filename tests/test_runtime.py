"""Starting and ending the service."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from receivers import runtime
from receivers.cluster.credentials import CredentialsError
from receivers.cluster.refresher import Result
from receivers.events import Target
from receivers.journal.cosmos_journal import CosmosJournal
from receivers.journal.table_journal import TableJournal
from receivers.providers import PROVIDERS
from receivers.settings import Settings, SettingsError, StaticReceiver
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, refresh_of, warehouse
from testbed.servers import ApiServer
from tests.service import UNCONFIGURED, end_runtime, until


@pytest.fixture
async def environment(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[pytest.MonkeyPatch]:
    """This process's environment, with nothing configured, and no runtime."""
    for variable, value in UNCONFIGURED.items():
        monkeypatch.setenv(variable, value)
    yield monkeypatch
    await end_runtime()


async def test_a_process_has_one_runtime(embedded_api_server: ApiServer, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KUBECONFIG", str(embedded_api_server.kubeconfig("admin")))
    first, second = await asyncio.gather(runtime.current(), runtime.current())
    assert first is second is await runtime.current()


async def test_a_start_that_failed_is_tried_again(
    embedded_api_server: ApiServer, environment: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CredentialsError):
        await runtime.current()
    environment.setenv("READ_SECRETS", "perhaps")
    with pytest.raises(SettingsError):
        await runtime.current()
    environment.setenv("READ_SECRETS", "true")
    environment.setenv("KUBECONFIG", str(embedded_api_server.kubeconfig("admin")))
    assert await runtime.current()


async def test_receivers_that_no_sender_can_reach_are_faults() -> None:
    known = ", ".join(sorted(PROVIDERS))
    typo = StaticReceiver(provider="quai", name="builds", project=None, secret="s")
    with pytest.raises(SettingsError) as error:
        await runtime.start(Settings(receivers=(typo,), receivers_from_file=(typo,)), {})
    assert str(error.value).split("\n") == [
        f"RECEIVERS[0].provider: must be one of {known}; quay may be meant",
        f"RECEIVERS_FILE[0].provider: must be one of {known}; quay may be meant",
    ]


async def test_a_receiver_without_what_its_sender_does_not_tell_is_a_fault() -> None:
    nameless = StaticReceiver(provider="zot", name="builds", project=None, secret="s")
    with pytest.raises(SettingsError, match=r"^RECEIVERS\[0\]\.registry: a receiver of zot needs it$"):
        await runtime.start(Settings(receivers=(nameless,)), {})
    misspelt = replace(nameless, options={"registery": "zot.example.com"})
    with pytest.raises(SettingsError, match=r"needs it; registery stands there, which may be meant$"):
        await runtime.start(Settings(receivers=(misspelt,)), {})


async def test_a_cluster_that_is_away_does_not_keep_the_service_from_starting() -> None:
    service = await runtime.start(Settings(cluster_server="http://127.0.0.1:9", cluster_token="t"), {})
    await until(lambda: has_fault(service))
    assert not service.mirror.health()[0].synced
    await service.close()


async def has_fault(service: runtime.Runtime) -> bool:
    return all(health.fault for health in service.mirror.health())


async def test_closing_lets_a_refresh_under_way_end(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    await api_server.apply(warehouse("app"))
    kubeconfig = api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)
    service = await runtime.start(Settings(kubeconfig=str(kubeconfig)), {})
    fault_proxy.hold(method="PATCH")
    refresh = service.refresher.refresh(Target(PROJECT, "app"))
    await fault_proxy.wait_for(1, "PATCH")
    closing = asyncio.create_task(service.close())
    fault_proxy.release()
    await closing
    assert refresh.result().result == Result.REFRESHED
    assert await refresh_of(api_server, "app")
    assert fault_proxy.watches == []


STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


@pytest.mark.parametrize(
    ("journal", "environment", "kind"),
    [
        ("table", STORAGE, TableJournal),
        ("cosmos", STORAGE, CosmosJournal),
        ("cosmos", {}, CosmosJournal),
        ("none", STORAGE, type(None)),
        ("table", {}, type(None)),
    ],
)
async def test_deliveries_are_recorded_where_the_settings_say(
    journal: str, environment: dict[str, str], kind: type[object]
) -> None:
    settings = Settings(
        cluster_authentication="token",
        cluster_server="http://127.0.0.1:1",
        cluster_token="token",
        storage_connection=environment.get("AzureWebJobsStorage", ""),
        journal=journal,
        cosmos_endpoint="https://127.0.0.1:1",
        cosmos_key="a2V5",
    )
    service = await runtime.start(settings, environment)
    try:
        assert type(service.journal) is kind
        assert (service.recorder is None) == (service.redelivery is None) == (service.journal is None)
        assert (service.retries is None) == (service.queue is None) == (service.known is None) == (not environment)
        document = service.readiness().document
        assert document["journal"] == ("ok" if service.journal else "not configured")
        assert document["retryQueue"] == ("ok" if service.queue else "not configured")
    finally:
        await service.close()


async def test_a_setting_has_nobody_look_whether_kargo_finds_what_was_pushed() -> None:
    service = await runtime.start(Settings(cluster_server="http://127.0.0.1:9", cluster_token="x"), {})
    assert service.searches is not None
    assert service.mirror.warehouses.on_seen == service.searches.seen
    await service.close()
    silent = Settings(cluster_server="http://127.0.0.1:9", cluster_token="x", verify_discovery=False)
    service = await runtime.start(silent, {})
    assert (service.searches, service.mirror.warehouses.on_seen) == (None, None)
    await service.close()
