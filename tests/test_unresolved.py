"""References to Key Vault that Azure could not resolve, which an app setting then holds as their own text."""

import logging
from pathlib import Path

import pytest

from receivers.local.doctor import Severity, examine
from testbed.objects import Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.service import Service, acr_push, running_service, until

REFERENCE = "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/key/0123)"
HOOK = Hook()


async def prepared(api_server: ApiServer) -> Path:
    """A kubeconfig for a cluster with a receiver and a Warehouse."""
    await api_server.apply(secret_of(HOOK), project_config([HOOK]), warehouse("app"))
    return api_server.kubeconfig("admin")


async def readiness(service: Service) -> dict[str, object]:
    """What /readyz says once the cluster was read."""

    async def ready() -> bool:
        return (await service.ask("GET", "/readyz")).status == 200

    await until(ready)
    document: dict[str, object] = (await service.ask("GET", "/readyz")).json()
    return document


async def test_a_setting_that_deliveries_need_is_named_and_they_are_answered_503(
    embedded_api_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_service(await prepared(embedded_api_server), RECEIVERS=REFERENCE) as service:
        answer = await service.ask("GET", "/readyz")
        assert answer.status == 503
        assert answer.json()["error"].startswith("RECEIVERS: holds a reference that Azure could not resolve")
        assert (await service.post(HOOK.path, acr_push())).status == 503
        assert "RECEIVERS: holds a reference that Azure could not resolve" in caplog.text


async def test_without_the_key_of_the_pages_deliveries_go_on_and_the_pages_are_closed(
    embedded_api_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_service(await prepared(embedded_api_server), PAGES_KEY=REFERENCE) as service:
        document = await readiness(service)
        assert document["unresolvedSettings"] == ["PAGES_KEY"]
        assert (await service.post(HOOK.path, acr_push())).status == 200
        for headers in ([], [("X-Pages-Key", REFERENCE)], [("X-Pages-Key", "none")]):
            page = await service.ask("GET", "/receivers?format=json", headers=headers)
            assert page.status == 503
            assert page.json()["error"].startswith("The setting PAGES_KEY holds a reference that Azure could not")
        told = [record for record in caplog.records if "PAGES_KEY" in record.getMessage()]
        assert [record.levelno for record in told] == [logging.ERROR]
    assert REFERENCE not in caplog.text


async def test_what_is_resolved_is_not_named(embedded_api_server: ApiServer) -> None:
    async with running_service(await prepared(embedded_api_server), PAGES_KEY="the-key") as service:
        assert (await readiness(service))["unresolvedSettings"] == []


async def test_the_doctor_names_them_too(embedded_api_server: ApiServer) -> None:
    kubeconfig = {"KUBECONFIG": str(await prepared(embedded_api_server))}
    sound = await examine(kubeconfig | {"PAGES_KEY": REFERENCE})
    (finding,) = sound.findings
    assert sound.complete
    assert (finding.subject, finding.severity) == ("setting PAGES_KEY", Severity.ERROR)
    assert finding.problem.startswith("holds a reference that Azure could not resolve")
    unusable = await examine(kubeconfig | {"CLUSTER_TOKEN": REFERENCE})
    assert [each.subject for each in unusable.findings] == ["setting CLUSTER_TOKEN"]
    assert not unusable.complete
