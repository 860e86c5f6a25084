"""The module and the application agree on the settings: on every name, and on what a value may be."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields

from receivers.base_path import ROUTE_PREFIX
from receivers.directory import former_urls, known_receivers
from receivers.journal import catalogue, table_journal
from receivers.retries.queue import PARKED, POISON, QUEUE
from receivers.searches.queue import QUEUE as SEARCHES
from receivers.settings import Settings, from_environment
from receivers.telemetry import refusal_counter
from tests.infra.terraform import ROOT, State

OURS = frozenset(setting.metadata["variable"] for setting in fields(Settings))

# Settings that Azure Functions or its worker read, and the application does not.
# https://learn.microsoft.com/azure/azure-functions/functions-app-settings
PLATFORM = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the host sends telemetry with the identity",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where the host sends telemetry",
    "AzureWebJobsDisableHomepage": "no page at / that says what this is",
    "AzureWebJobsStorage__blobServiceUri": "the host's locks and keys",
    "AzureWebJobsStorage__credential": "the host uses the identity",
}

# What Key Vault would put in the place of its references.
RESOLVED = {"RECEIVERS": "[]", "CLUSTER_TOKEN": "token", "PAGES_KEY": "key"}


def unknown(names: Iterable[str]) -> set[str]:
    """Settings that neither the platform nor the application reads."""
    return set(names) - OURS - PLATFORM.keys()


def test_every_setting_that_the_module_writes_is_read_by_somebody(examples: Mapping[str, State]) -> None:
    assert {name: unknown(state.app_settings) for name, state in examples.items()} == {name: set() for name in examples}


def test_the_examples_write_every_setting_there_is_between_them(examples: Mapping[str, State]) -> None:
    written = {name for state in examples.values() for name in state.app_settings}
    elsewhere = {"KUBECONFIG", "KUBECONFIG_CONTEXT", "RECEIVERS_FILE"}  # files, which an app in Azure does not have
    defaults = {"CLUSTER_AZURE_SCOPE", "ANSWER_BUDGET_SECONDS", "VERIFY_DISCOVERY"}  # right as they are
    # Identities are used instead, and the services' URLs, which are right in every cloud.
    keys = {"COSMOS_KEY", "AzureWebJobsStorage", "AzureWebJobsStorage__accountName"}
    # Whoever has a collector names it in `app_settings`, and a host or a base path of one's own in `base_url`.
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT", ROUTE_PREFIX, "EXTERNAL_WEBHOOK_SERVER_BASE_URL"}
    assert OURS - written <= elsewhere | defaults | keys | own


def test_queues_and_tables_have_the_applications_names(examples: Mapping[str, State]) -> None:
    for state in examples.values():
        assert {queue.values["name"] for queue in state.of("azurerm_storage_queue")} == {
            QUEUE,
            PARKED,
            POISON,
            SEARCHES,
        }
        (template,) = state.of("azurerm_resource_group_template_deployment")
        resources = json.loads(template.values["template_content"])["resources"]
        tables = {resource["name"].rpartition("/")[2] for resource in resources}
        assert tables - {table_journal.TABLE, catalogue.TABLE} == {
            known_receivers.TABLE,
            former_urls.TABLE,
            refusal_counter.TABLE,
        }
        for name in (table_journal.TABLE, catalogue.TABLE):
            assert (name in tables) == (state.app_settings["JOURNAL"] == "table")


def test_the_application_accepts_the_settings_of_every_example(examples: Mapping[str, State]) -> None:
    for name, state in examples.items():
        environment = {**state.app_settings, **{key: RESOLVED[key] for key in RESOLVED if key in state.app_settings}}
        settings = from_environment(environment)
        assert settings.cluster_server == "https://cluster.example.com:443", name
        assert settings.cluster_authentication in ("azure", "token"), name
        assert settings.storage_queues == "https://account.queue.core.windows.net", name


def test_only_references_to_the_vault_stand_where_the_application_expects_a_secret(
    examples: Mapping[str, State],
) -> None:
    secrets = {setting.metadata["variable"] for setting in fields(Settings) if not setting.repr}
    for name, state in examples.items():
        values = {key: value for key, value in state.app_settings.items() if key in secrets}
        assert values, name
        assert all(value.startswith("@Microsoft.KeyVault(SecretUri=https://") for value in values.values()), name
        # The queue trigger takes whatever stands there for a connection string, even nothing.
        assert "AzureWebJobsStorage" not in state.app_settings, name


def test_the_host_records_no_request() -> None:
    levels = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    assert levels["Host.Results"] == "None", "request telemetry has full URLs"
