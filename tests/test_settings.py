"""Settings: what each means, and that a fault is named without the value that has it."""

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from receivers import limits, unresolved
from receivers.settings import (
    Settings,
    SettingsError,
    StaticReceiver,
    _base_url,
    _private_url,
    from_environment,
    storage_configured,
)

ROOT = Path(__file__).parent.parent
SECRET = "s3cr3t-canary-value"
PLATFORM = {  # what Azure Functions itself reads
    "FUNCTIONS_WORKER_RUNTIME",
    "AzureWebJobsStorage",
    "AzureWebJobsDisableHomepage",
    "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
}
HALF = "must be Unicode text; half of a surrogate pair is none"
ODD = "(a field with an odd name)"
VARIABLES = {field.metadata["variable"]: field for field in fields(Settings)}


def faults(environment: dict[str, str]) -> dict[str, str]:
    """The fault of each variable."""
    with pytest.raises(SettingsError) as error:
        from_environment(environment)
    assert SECRET not in str(error.value)
    return dict(line.split(": ", 1) for line in str(error.value).split("\n"))


def static(**changes: object) -> str:
    entry = {"provider": "quay", "name": "builds", "secret": SECRET} | changes
    return json.dumps([entry])


def test_without_any_variable_every_setting_has_its_default() -> None:
    assert from_environment({}) == Settings()
    assert Settings().answer_budget == limits.ANSWER_BUDGET
    assert Settings().system_resources_namespace == "kargo-system-resources"
    assert Settings().read_secrets is True


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_counts_as_absent(variable: str) -> None:
    assert from_environment({variable: " \n"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("CLUSTER_AUTHENTICATION", "in-cluster", "cluster_authentication", "in-cluster"),
        ("KUBECONFIG", "/home/me/.kube/config", "kubeconfig", "/home/me/.kube/config"),
        ("CLUSTER_SERVER", "https://api.example.com:6443/", "cluster_server", "https://api.example.com:6443"),
        ("CLUSTER_TOKEN", f" {SECRET}\n", "cluster_token", SECRET),
        (
            "EXTERNAL_WEBHOOK_SERVER_BASE_URL",
            "https://kargo.example.com/hooks/",
            "base_url",
            "https://kargo.example.com/hooks",
        ),
        ("READ_SECRETS", "False", "read_secrets", False),
        ("READ_SECRETS", "off", "read_secrets", False),
        ("READ_SECRETS", "1", "read_secrets", True),
        ("ANSWER_BUDGET_SECONDS", "0.5", "answer_budget", 0.5),
        ("ANSWER_BUDGET_SECONDS", "200", "answer_budget", 200.0),
        ("RECEIVERS", "[]", "receivers", ()),
        ("JOURNAL", "none", "journal", "none"),
        ("JOURNAL_DAYS", "3650", "journal_days", 3650),
    ],
)
def test_a_variable_sets_its_setting(variable: str, text: str, name: str, value: object) -> None:
    assert getattr(from_environment({variable: text}), name) == value


@pytest.mark.parametrize(
    ("variable", "text", "fault"),
    [
        ("CLUSTER_AUTHENTICATION", SECRET, "must be one of kubeconfig, token, azure, in-cluster"),
        ("CLUSTER_SERVER", SECRET, "must start with https:// or http://"),
        ("EXTERNAL_WEBHOOK_SERVER_BASE_URL", SECRET, "must start with https:// or http://"),
        ("EXTERNAL_WEBHOOK_SERVER_BASE_URL", "http://[", "must be a URL with a host"),
        ("EXTERNAL_WEBHOOK_SERVER_BASE_URL", f"https://{SECRET} {SECRET}", "must be a URL with a host"),
        ("EXTERNAL_WEBHOOK_SERVER_BASE_URL", f"https://{SECRET}:65536", "must be a URL with a host"),
        ("EXTERNAL_WEBHOOK_SERVER_BASE_URL", f"https:///{SECRET}", "must be a URL with a host"),
        ("CLUSTER_SERVER", f"https://[{SECRET}", "must be a URL with a host"),
        ("CLUSTER_SERVER", "http://[", "must be a URL with a host"),
        ("READ_SECRETS", SECRET, "must be true or false"),
        ("ANSWER_BUDGET_SECONDS", SECRET, "must be a number of seconds"),
        ("ANSWER_BUDGET_SECONDS", "nan", "must lie between 0.1 and 200 seconds"),
        ("ANSWER_BUDGET_SECONDS", "0", "must lie between 0.1 and 200 seconds"),
        ("ANSWER_BUDGET_SECONDS", "201", "must lie between 0.1 and 200 seconds"),
        ("ANSWER_BUDGET_SECONDS", "-inf", "must lie between 0.1 and 200 seconds"),
        ("RECEIVERS", f'["{SECRET}', "must be a JSON list of receivers; it is not JSON"),
        ("RECEIVERS", "[" * 100_000, "must be a JSON list of receivers; it is not JSON"),
        ("RECEIVERS", f'{{"secret": "{SECRET}"}}', "must be a JSON list of receivers"),
        ("RECEIVERS_FILE", f"/{SECRET}\0", "names a file that cannot be read"),
        ("PAGES_KEY", f"{SECRET}\udcff", "must be valid UTF-8"),
        ("RECEIVERS", f"{SECRET}\udcff", "must be valid UTF-8"),
        ("JOURNAL", SECRET, "must be one of table, cosmos, none"),
        ("JOURNAL_DAYS", SECRET, "must be a whole number of days between 1 and 3650"),
        ("JOURNAL_DAYS", "0", "must be a whole number of days between 1 and 3650"),
        ("JOURNAL_DAYS", "3651", "must be a whole number of days between 1 and 3650"),
        ("JOURNAL_DAYS", "\N{SUPERSCRIPT TWO}", "must be a whole number of days between 1 and 3650"),
        ("RECEIVERS_FILE", f"/{SECRET}", "names a file that cannot be read"),
    ],
)
def test_a_fault_names_its_variable_and_quotes_no_value(variable: str, text: str, fault: str) -> None:
    assert faults({variable: text}) == {variable: fault}


SHORT = "must have at least 16 characters"
NO_LIST = "must be a list, or a text that holds one as JSON"


@pytest.mark.parametrize(
    ("text", "path", "fault"),
    [
        (f'["{SECRET}"]', "", "must be an object"),
        (static(provider=None), ".provider", "must be there"),
        (static(name=""), ".name", "must be there"),
        (static(secret=""), ".secret", "must be there"),
        (static(secret=None, secrett=SECRET), ".secret", "must be there; secrett stands there, which may be meant"),
        (static(secret=None, **{"secret\n": SECRET}), ".secret", "must be there"),
        (static(secret=[SECRET]), ".secret", "must be a string"),
        (static(registry=1), ".registry", "must be a string"),
        (static(actions={}), ".actions", NO_LIST),
        (static(actions="{"), ".actions", NO_LIST),
        (static(actions="7"), ".actions", NO_LIST),
        (static(actions="[" * 100_000), ".actions", NO_LIST),
        (static(**{f"{SECRET}\n": 1}), f".{ODD}", "must be a string"),
        (static(secret=SECRET[:15]), ".secret", SHORT),
        (static(secret=" " * 32), ".secret", SHORT),
        (static(secret=f"\n {SECRET[:15]}\t"), ".secret", SHORT),
        (static(previousSecret="old"), ".previousSecret", SHORT),
        (static(previousSecret="\t\n"), ".previousSecret", SHORT),
        (static(registry="\ud800"), ".registry", HALF),
        (static(name="x\udfff"), ".name", HALF),
        (static(secret=SECRET + "\ud83d"), ".secret", HALF),
        (static(**{"\ud800": "x"}), f".{ODD}", HALF),
    ],
)
def test_a_fault_of_a_receiver_names_its_path(text: str, path: str, fault: str, tmp_path: Path) -> None:
    assert faults({"RECEIVERS": text}) == {f"RECEIVERS[0]{path}": fault}
    file = tmp_path / "receivers.json"
    file.write_text(text)
    assert faults({"RECEIVERS_FILE": str(file)}) == {f"RECEIVERS_FILE[0]{path}": fault}


def test_all_faults_of_all_receivers_are_told_at_once() -> None:
    entries = [*json.loads(static()), *json.loads(static(name=None, secret="short")), 7]
    assert faults({"RECEIVERS": json.dumps(entries), "READ_SECRETS": "perhaps"}) == {
        "READ_SECRETS": "must be true or false",
        "RECEIVERS[1].name": "must be there",
        "RECEIVERS[1].secret": SHORT,
        "RECEIVERS[2]": "must be an object",
    }


def test_of_very_many_faults_the_first_are_told() -> None:
    told = faults({"RECEIVERS": json.dumps([7] * 500)})
    assert len(told) == 21
    assert told["RECEIVERS and more"] == "480 faults are not named here"


def test_all_faults_are_told_at_once() -> None:
    environment = {
        "CLUSTER_AUTHENTICATION": "token",
        "CLUSTER_SERVER": "api.example.com",
        "READ_SECRETS": "perhaps",
        "RECEIVERS": "{}",
    }
    assert faults(environment) == {
        "CLUSTER_SERVER": "must start with https:// or http://",
        "CLUSTER_TOKEN": "needed for CLUSTER_AUTHENTICATION=token",
        "READ_SECRETS": "must be true or false",
        "RECEIVERS": "must be a JSON list of receivers",
    }


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"CLUSTER_AUTHENTICATION": "token"}, {"CLUSTER_SERVER", "CLUSTER_TOKEN"}),
        ({"CLUSTER_AUTHENTICATION": "token", "CLUSTER_SERVER": "https://x"}, {"CLUSTER_TOKEN"}),
        ({"CLUSTER_AUTHENTICATION": "azure"}, {"CLUSTER_SERVER"}),
        ({"JOURNAL": "cosmos"}, {"COSMOS_ENDPOINT"}),
    ],
)
def test_what_a_choice_needs_is_asked_for(environment: dict[str, str], missing: set[str]) -> None:
    assert faults(environment).keys() == missing


def test_a_static_receiver_has_all_that_was_written() -> None:
    text = static(project="kargo-demo", previousSecret=f"old {SECRET}", registry="r.azurecr.cn", name="e\u0301té")
    assert from_environment({"RECEIVERS": text}).receivers == (
        StaticReceiver(
            provider="quay",
            name="e\u0301té",
            project="kargo-demo",
            secret=SECRET,
            previous_secret=f"old {SECRET}",
            options={"registry": "r.azurecr.cn"},
        ),
    )


@pytest.mark.parametrize("previous", [None, ""])
def test_an_empty_previous_secret_is_none(previous: str | None) -> None:
    """Anybody could compute the URL of an empty one."""
    (receiver,) = from_environment({"RECEIVERS": static(previousSecret=previous)}).receivers
    assert receiver.previous_secret is None


def test_sixteen_characters_make_a_secret_whatever_they_are() -> None:
    for secret in ("0123456789abcdef", "ключ-из-16-букв!", f" {SECRET} "):
        (receiver,) = from_environment({"RECEIVERS": static(secret=secret, previousSecret=secret)}).receivers
        assert (receiver.secret, receiver.previous_secret) == (secret, secret)


CREDENTIAL = "must start with https://, since a credential is sent there; http:// is for this machine alone"
SIGNED = "must have https:// endpoints, since its shared access signature is sent there"
HEADERS = "must start with https://, since OTEL_EXPORTER_OTLP_HEADERS are sent there; http:// is for this machine alone"


@pytest.mark.parametrize(
    "variable",
    sorted(field.metadata["variable"] for field in fields(Settings) if field.metadata["parse"] is _private_url),
)
@pytest.mark.parametrize(
    "host",
    ["api.example.com", "10.0.0.1:6443", "localhost.example", "app.localhost", "127.0.0.1@x.example", "[::]"],
)
def test_no_credential_is_sent_in_clear(variable: str, host: str) -> None:
    assert faults({variable: f"http://{host}"}) == {variable: CREDENTIAL}
    assert from_environment({variable: f"https://{host}"})


def test_every_url_that_a_credential_is_sent_to_is_looked_at() -> None:
    urls = {variable for variable, field in VARIABLES.items() if field.metadata["parse"] is _private_url}
    others = {variable for variable, field in VARIABLES.items() if field.metadata["parse"] is _base_url}
    assert urls == {
        "CLUSTER_SERVER",
        "COSMOS_ENDPOINT",
        "AzureWebJobsStorage__queueServiceUri",
        "AzureWebJobsStorage__tableServiceUri",
    }
    assert others == {"EXTERNAL_WEBHOOK_SERVER_BASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.9.9.9", "[::1]:1", "localhost:8001", "[::ffff:127.0.0.1]"])
def test_what_stays_on_this_machine_needs_no_tls(host: str) -> None:
    assert from_environment({"CLUSTER_SERVER": f"http://{host}"}).cluster_server == f"http://{host}"


def test_a_shared_access_signature_is_not_sent_in_clear() -> None:
    endpoint = "QueueEndpoint=http://storage.example.com/account"
    signed = f"{endpoint};SharedAccessSignature=sig={SECRET}"
    assert faults({"AzureWebJobsStorage": signed}) == {"AzureWebJobsStorage": SIGNED}
    for connection in (
        f"{endpoint};AccountKey={SECRET}",
        signed.replace("http:", "https:"),
        "UseDevelopmentStorage=true",
    ):
        assert from_environment({"AzureWebJobsStorage": connection}).storage_connection == connection


@pytest.mark.parametrize("kind", ["", "METRICS_", "TRACES_"])
def test_keys_for_a_collector_are_not_sent_in_clear(kind: str) -> None:
    url = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert from_environment(url).otlp_endpoint == "http://collector:4318"
    assert faults({**url, f"OTEL_EXPORTER_OTLP_{kind}HEADERS": f"key={SECRET}"}) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": HEADERS
    }


@pytest.mark.parametrize("project", [None, ""])
def test_a_static_receiver_without_a_project_is_for_all_projects(project: str | None) -> None:
    (receiver,) = from_environment({"RECEIVERS": static(project=project)}).receivers
    assert receiver.project is None


def test_receivers_can_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "receivers.json"
    file.write_text(static(name="été"), encoding="utf-8")
    (receiver,) = from_environment({"RECEIVERS_FILE": str(file)}).receivers_from_file
    assert receiver.name == "été"
    file.write_bytes(b"\xff")
    assert faults({"RECEIVERS_FILE": str(file)}) == {"RECEIVERS_FILE": "names a file that cannot be read"}


def test_settings_shown_show_no_secret() -> None:
    secrets = {
        variable: static(previousSecret=SECRET) if variable == "RECEIVERS" else SECRET
        for variable, field in VARIABLES.items()
        if not field.repr and variable != "RECEIVERS_FILE"
    }
    assert {"CLUSTER_TOKEN", "RECEIVERS"} <= secrets.keys()
    settings = from_environment(secrets)
    assert SECRET not in f"{settings} {settings!r} {settings.receivers}"


def documented() -> dict[str, str]:
    """The default of each variable in the table of docs/settings.md."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.MULTILINE))


def shown(default: object) -> str:
    """A default as the table writes it."""
    match default:
        case "" | ():
            return ""
        case bool():
            return f"`{str(default).lower()}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def test_the_documentation_lists_every_variable_with_its_default() -> None:
    assert all(field.default is not MISSING for field in VARIABLES.values())
    assert documented() == {variable: shown(field.default) for variable, field in VARIABLES.items()}


def test_the_sample_of_local_settings_has_no_unknown_key() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert sample["IsEncrypted"] is False
    assert sample["Values"].keys() <= PLATFORM | VARIABLES.keys()
    assert sample["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert sample["Values"]["AzureWebJobsDisableHomepage"] == "true"
    assert all(isinstance(value, str) for value in sample["Values"].values())


def test_the_sample_of_local_settings_can_be_used_as_it_is() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert from_environment(sample["Values"])


def test_the_host_serves_receivers_at_the_root_and_records_no_urls() -> None:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["version"] == "2.0"
    assert host["extensions"]["http"]["routePrefix"] == ""
    assert host["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    assert host["logging"]["logLevel"]["Host.Results"] == "None"  # request telemetry would hold whole URLs
    insights = host["logging"]["applicationInsights"]
    assert insights["httpAutoCollectionOptions"]["enableHttpTriggerExtendedInfoCollection"] is False


ACCOUNT = "AzureWebJobsStorage__accountName"
QUEUE_URL, TABLE_URL = "AzureWebJobsStorage__queueServiceUri", "AzureWebJobsStorage__tableServiceUri"


def test_the_name_of_a_storage_account_stands_for_the_urls_of_its_services() -> None:
    environment = {ACCOUNT: "kargo"}
    settings = from_environment(environment)
    assert storage_configured(environment)
    assert settings.queue_service == "https://kargo.queue.core.windows.net"
    assert settings.table_service == "https://kargo.table.core.windows.net"


def test_the_urls_of_the_services_do_without_a_name() -> None:
    environment = {QUEUE_URL: "https://kargo.queue.core.usgovcloudapi.net", TABLE_URL: "https://t.example"}
    settings = from_environment(environment)
    assert storage_configured(environment)
    assert (settings.queue_service, settings.table_service) == tuple(environment.values())


def test_beside_a_url_the_name_decides_on_the_queue_as_it_does_for_the_trigger() -> None:
    settings = from_environment({ACCOUNT: "kargo", QUEUE_URL: "https://q.example", TABLE_URL: "https://t.example"})
    assert settings.queue_service == "https://kargo.queue.core.windows.net"
    assert settings.table_service == "https://t.example"


@pytest.mark.parametrize("text", ["https://kargo.blob.core.windows.net", "Kargo", "ab", "kargo.example"])
def test_what_is_no_name_of_an_account_is_a_fault(text: str) -> None:
    assert "must be the name of a Storage account" in faults({ACCOUNT: text})[ACCOUNT]


REFERENCE = "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/key/0123)"


@pytest.mark.parametrize("variable", sorted(VARIABLES.keys() - {"PAGES_KEY"}))
@pytest.mark.parametrize("text", [REFERENCE, REFERENCE.lower(), "@Microsoft.AppConfiguration(Endpoint=https://x)"])
def test_a_reference_that_azure_did_not_resolve_is_a_fault_that_names_the_setting(variable: str, text: str) -> None:
    assert faults({variable: text})[variable].startswith("holds a reference that Azure could not resolve")
    assert unresolved.variables({variable: text}) == [variable]


def test_without_the_key_of_the_pages_the_rest_goes_on_and_nobody_knows_the_key() -> None:
    one, another = (from_environment({"PAGES_KEY": REFERENCE}) for _ in range(2))
    assert len(one.pages_key) >= 64
    assert one.pages_key != another.pages_key
    assert unresolved.variables({"PAGES_KEY": f" {REFERENCE}", "CLUSTER_TOKEN": "token"}) == ["PAGES_KEY"]
