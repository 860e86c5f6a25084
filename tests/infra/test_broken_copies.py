"""Every check of infra/ fails on a copy that is broken in one place. A check that cannot fail checks nothing."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.terraform import ROOT, Terraform
from tests.infra.test_plans import RIGHTS, WEBHOOK
from tests.infra.test_settings import unknown
from tests.infra.test_urls import expected_urls

CHECKOV = ROOT / "build" / "checkov" / "bin" / "checkov"


def break_in(infra: Path, file: str, old: str, new: str) -> None:
    path = infra / file
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is in {file} {text.count(old)} times"
    path.write_text(text.replace(old, new))


@dataclass(frozen=True, slots=True)
class Break:
    """What is broken in which file, and what the failed assertion says."""

    file: str
    old: str
    new: str
    noticed: str


# By the file of tests that must notice. One copy is broken in all the places of a file of tests at once, which saves
# minutes; each must be noticed all the same.
BREAKS: Mapping[str, Sequence[Break]] = {
    "app": (
        Break(
            "main.storage.tf",
            "shared_access_key_enabled         = false",
            "shared_access_key_enabled         = true",
            "the storage account can be opened by key",
        ),
        Break(
            "main.app.tf",
            "httpsOnly                 = true",
            "httpsOnly                 = false",
            "plain HTTP or passwords for publishing are allowed",
        ),
        Break(
            "main.app.tf",
            'scmMinTlsVersion                       = "1.2"',
            'scmMinTlsVersion                       = "1.0"',
            "TLS below 1.2 is allowed",
        ),
        Break(
            "main.app.tf",
            '    type         = "UserAssigned"\n',
            '    type         = "SystemAssigned, UserAssigned"\n',
            "the site has another identity than the one",
        ),
        Break(
            "main.app.tf",
            '      AzureWebJobsStorage__credential      = "managedidentity"\n',
            '      AzureWebJobsStorage__credential      = "managedidentity"\n      AzureWebJobsStorage = ""\n',
            "the queue trigger would take AzureWebJobsStorage for a connection string",
        ),
        Break(
            "main.secrets.tf",
            'default_action             = var.network == null ? "Allow" : "Deny"',
            'default_action             = "Allow"',
            "storage account or vault are open to other networks",
        ),
        Break(
            "main.app.tf",
            "merge(var.app_settings, local.app_settings)",
            "merge(local.app_settings, var.app_settings)",
            "own settings are lost, or replace the module's",
        ),
    ),
    "identity": (
        Break(
            "main.identity.tf",
            '    queue = "Storage Queue Data Contributor" # the retry queue\n',
            "",
            "the roles on the storage account are not these three",
        ),
        Break(
            "main.identity.tf",
            "{ receivers = azurerm_key_vault_secret.receivers[0].resource_versionless_id }",
            "{ receivers = local.key_vault_id }",
            "the app may read other secrets than those it refers to",
        ),
        Break(
            "main.telemetry.tf",
            '  enabled_metric {\n    category = "AllMetrics"\n  }\n',
            '  enabled_log {\n    category = "FunctionAppLogs"\n  }\n',
            "the app's log categories repeat request paths",
        ),
    ),
    "secrets": (
        Break(
            "main.app.tf",
            '"@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.receivers[0].id})"',
            "local.receivers_document",
            "a secret stands in a plain setting",
        ),
        Break(
            "main.secrets.tf",
            "  value_wo         = local.receivers_document\n  value_wo_version = local.receivers_document_version\n",
            "  value = local.receivers_document\n",
            "the vault's secret stands in the state",
        ),
        Break(
            "main.secrets.tf",
            "purge_protection_enabled      = true",
            "purge_protection_enabled      = false",
            "the vault is without RBAC or purge protection",
        ),
        Break("main.secrets.tf", "}${receiver.name}${", "}/${receiver.name}${", "the URL is not /azure/sha256"),
    ),
    "rotation": (
        Break(
            "main.secrets.tf",
            "receiver.accept_next ? local.other_receiver_secret[key] : local.receiver_secret[key]",
            "local.receiver_secret[key]",
            "the app does not accept both",
        ),
        Break(
            "main.secrets.tf",
            'sort(compact([secret, lookup(local.other_receiver_secret, key, "")]))',
            "[secret]",
            "it is waited for instances that need not learn anything",
        ),
    ),
    "names": (
        Break(
            "locals.tf",
            'length(var.name) < 4 ? "${var.name}-logs" : var.name',
            "var.name",
            'run "a_short_name"... fail',
        ),
    ),
    "alerts": (
        Break(
            "main.alerts.tf",
            "var.alerts.probe && var.public_network_access",
            "var.alerts.probe",
            "a probe that must fail",
        ),
        Break("main.app.tf", '["ApplicationInsightsAvailability"]', "[]", "the probe is locked out"),
    ),
    "existing": (
        Break(
            "main.storage.tf",
            "public_network_access_enabled     = var.private_endpoints == null",
            "public_network_access_enabled     = true",
            "something is still reached from the internet",
        ),
    ),
    "cluster": (
        Break(
            "kubernetes/base/cluster-role.yaml",
            "verbs: [get, list, watch, patch]",
            "verbs: [get, list, watch, patch, delete]",
            "the ClusterRole has other rules than these two",
        ),
        Break("kubernetes/secrets/role.yaml", "verbs: [get]", "verbs: [get, list]", "more than get on Secrets"),
        Break(
            "locals.tf",
            "values(local.receivers_in_cluster)[*].namespace",
            "values(local.receivers)[*].namespace",
            "Secrets may be read in other namespaces",
        ),
        Break(
            "main.cluster.tf",
            "{ (local.providers[receiver.provider].data_key) = ",
            "{ secret = ",
            "a Secret does not have its value where Kargo looks for it",
        ),
        Break(
            "main.cluster.tf",
            '{ "${local.providers[receiver.provider].data_key}-previous" = local.other_receiver_secret[key] }',
            "{}",
            "a Secret has other data keys than the receivers need",
        ),
    ),
    "registries": (
        Break("variables.tf", "{ Basic = 2, ", "{ Basic = 20, ", "Missing expected failure"),
        Break(
            "main.registries.tf",
            "service_uri    = local.receiver_url[each.value.receiver]",
            "service_uri    = local.base_url",
            "a webhook does not post to its receiver's URL",
        ),
        Break("main.registries.tf", '"Storage Blob Data Contributor"', '"Reader"', "the topic may write elsewhere"),
    ),
    "journal": (
        Break(
            "main.cosmos.tf",
            "local_authentication_enabled          = false",
            "local_authentication_enabled          = true",
            "keys are on",
        ),
        Break("main.cosmos.tf", "/colls/${var.journal.cosmos_container}", "", "the identity may do more"),
    ),
    "variables": (
        Break(
            "variables.tf", '["table", "cosmos", "none"]', '["table", "cosmos", "none", "postgres"]', "Missing expected"
        ),
    ),
}


@pytest.mark.parametrize("tests", BREAKS)
def test_terraforms_own_tests_notice(terraform: Terraform, broken: Path, tests: str) -> None:
    for each in BREAKS[tests]:
        break_in(broken, each.file, each.old, each.new)
    done = terraform.test(broken, tests)
    assert done.returncode == 1
    assert [each.noticed for each in BREAKS[tests] if each.noticed not in done.stdout] == []


def test_terraforms_own_tests_pass_where_nothing_is_broken(terraform: Terraform, infra: Path) -> None:
    done = terraform.test(infra, "names")
    assert done.returncode == 0, done.stdout


def test_a_misspelt_argument_is_not_valid(terraform: Terraform, broken: Path) -> None:
    break_in(broken, "main.storage.tf", "min_tls_version ", "minimum_tls_version ")
    assert terraform.run(broken, "validate").returncode == 1


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("minTlsVersion     ", "minimumTlsVersion ", "minimumTlsVersion: is not known"),
        ('name = "python"', 'name = "pyhton"', "functionAppConfig.runtime.name: must be one of"),
        ("httpsOnly                 = true", 'httpsOnly                 = "yes"', "httpsOnly: must be true or false"),
        ("sites@2025-05-01", "sites@2025-03-01", "siteUpdateStrategy: needs version 2025-05-01"),
    ],
    ids=["unknown property", "wrong value", "wrong type", "wrong version"],
)
def test_a_site_that_azure_refuses_is_not_valid(
    terraform: Terraform, broken: Path, old: str, new: str, fault: str
) -> None:
    break_in(broken, "main.app.tf", old, new)
    done = terraform.run(broken, "validate", "-no-color")
    assert done.returncode == 1
    assert fault in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("file", "depends_on", "after", "before"),
    [
        ("main.app.tf", "azurerm_private_endpoint.this, time_sleep.roles", "azapi_resource.site", "time_sleep.roles"),
        ("main.registries.tf", "terraform_data.rights_in_cluster, time_sleep.secrets_are_known", WEBHOOK, RIGHTS[0]),
    ],
    ids=["roles", "rights"],
)
def test_an_order_that_is_lost_is_noticed(
    terraform: Terraform, broken: Path, *, file: str, depends_on: str, after: str, before: str
) -> None:
    assert before in terraform.order(broken)[after]
    break_in(broken, file, f"depends_on = [{depends_on}]", "depends_on = []")
    assert before not in terraform.order(broken)[after]


def test_an_example_that_the_module_does_not_understand_is_not_valid(terraform: Terraform, broken: Path) -> None:
    break_in(broken, "variables.tf", 'variable "registries" {', 'variable "acr_registries" {')
    assert terraform.run(broken / "examples" / "minimal", "validate").returncode == 1


def test_untidy_code_is_noticed(terraform: Terraform, broken: Path) -> None:
    assert terraform.run(broken, "fmt", "-check", "-recursive").returncode == 0
    break_in(broken, "locals.tf", "  resource_group_id = ", "  resource_group_id   = ")
    assert terraform.run(broken, "fmt", "-check", "-recursive").returncode != 0


def test_a_misspelt_setting_is_noticed(terraform: Terraform, broken: Path) -> None:
    break_in(broken, "main.app.tf", "SYSTEM_RESOURCES_NAMESPACE ", "SYSTEM_RESOURCE_NAMESPACE ")
    state = terraform.states(broken / "examples" / "minimal", "minimal")["applies"]
    assert unknown(state.app_settings) == {"SYSTEM_RESOURCE_NAMESPACE"}


def test_a_url_that_is_not_the_applications_is_noticed(terraform: Terraform, broken: Path) -> None:
    break_in(broken, "main.secrets.tf", "}${receiver.name}${", "}${key}-${")
    state = terraform.states(broken / "examples" / "minimal", "minimal")["applies"]
    assert state.outputs["receiver_urls"] != expected_urls("minimal", state)


@pytest.mark.skipif(not CHECKOV.exists(), reason="needs checkov, which `make check` installs")
def test_checkov_notices(broken: Path) -> None:
    break_in(broken, "main.storage.tf", 'min_tls_version                   = "TLS1_2"', 'min_tls_version = "TLS1_0"')
    break_in(broken, "main.storage.tf", "shared_access_key_enabled         = false", "")
    command = [str(CHECKOV), "--config-file", ".checkov.yaml", "--directory", "."]
    done = subprocess.run(command, cwd=broken, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [check for check in ("CKV_AZURE_44", "CKV2_AZURE_40") if check not in done.stdout] == []
