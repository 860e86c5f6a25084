"""What an apply changes, and in which order: a second plan changes nothing, nobody is told of what does not work."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.infra.terraform import Terraform, copy_of

SECOND = """
run "first" {
}

run "second" {
  command = plan
}

run "larger" {
  command = plan
  variables {
    maximum_instances = 20
  }
}
"""


@pytest.fixture(scope="module")
def plans(terraform: Terraform, infra: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, str]]:
    """What each plan after a mocked apply would do: the action by address, without what stays as it is."""
    module = copy_of(infra, tmp_path_factory.mktemp("plans") / "infra")
    tests = module / "tests"
    header, *_ = (tests / "rotation.tftest.hcl").read_text().split("\nrun ")
    receivers = '  receivers = {\n    acr = { provider = "azure", project = "shop" }\n  }\n'
    alerts = '  alerts = { email_addresses = ["kargo@example.com"] }\n'
    (tests / "second.tftest.hcl").write_text(header.rstrip().removesuffix("}") + receivers + alerts + "}\n" + SECOND)
    done = terraform.run(module, "test", "-json", "-verbose", "-filter=tests/second.tftest.hcl")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, [message["@message"] for message in messages if message["@level"] == "error"]
    return {
        message["@testrun"]: {
            change["address"]: "/".join(change["change"]["actions"])
            for change in message["test_plan"].get("resource_changes", ())
            if change["change"]["actions"] not in (["no-op"], ["read"])
        }
        for message in messages
        if "test_plan" in message
    }


def test_a_second_plan_changes_nothing(plans: Mapping[str, dict[str, str]]) -> None:
    assert plans["second"] == {}


def test_a_change_of_the_site_changes_nothing_else(plans: Mapping[str, dict[str, str]]) -> None:
    assert plans["larger"] == {"azapi_resource.site": "update"}


@pytest.fixture(scope="module")
def graph(terraform: Terraform, infra: Path) -> Mapping[str, set[str]]:
    return terraform.order(infra)


ROLES = (
    "azurerm_role_assignment.storage",
    "azurerm_role_assignment.app_reads_secret",
    "azurerm_role_assignment.telemetry",
    "azurerm_cosmosdb_sql_role_assignment.journal",
)
RIGHTS = (
    "kubernetes_cluster_role_binding_v1.this",
    "kubernetes_role_binding_v1.secrets",
    "azurerm_role_assignment.kargo",
    "azurerm_role_assignment.secrets",
)
RECEIVERS = (
    "kubernetes_secret_v1.receiver",
    "kubernetes_manifest.project_config",
    "kubernetes_manifest.cluster_config",
)
WEBHOOK = "azurerm_container_registry_webhook.this"
EVENTS = "azurerm_eventgrid_system_topic_event_subscription.registry"


@pytest.mark.parametrize(
    ("what", "comes_after"),
    [
        ("time_sleep.roles", ROLES),
        ("azapi_resource.site", (*ROLES, "time_sleep.roles")),
        ("azurerm_key_vault_secret.receivers", ("time_sleep.vault_is_writable",)),
        ("time_sleep.vault_is_writable", ("azurerm_role_assignment.deployer_writes_secrets",)),
        ("terraform_data.package", ("azapi_resource.site", *RIGHTS, *RECEIVERS)),
        ("time_sleep.secrets_are_known", ("azapi_resource.site", "kubernetes_secret_v1.receiver")),
        (WEBHOOK, ("azapi_resource.site", "time_sleep.secrets_are_known", *RIGHTS, *RECEIVERS)),
        (EVENTS, ("terraform_data.package", "time_sleep.secrets_are_known", *RIGHTS, *RECEIVERS)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_needed_is_there_before(graph: Mapping[str, set[str]], what: str, comes_after: tuple[str, ...]) -> None:
    assert set(comes_after) - graph[what] == set()
