"""Every setting: its name, its meaning, its default.

Settings are environment variables, which is what an app setting of a Function App is. The names that Kargo's own server
uses mean the same here.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from receivers import limits

# The application that every AKS API server with Entra ID stands for.
# https://learn.microsoft.com/azure/aks/kubelogin-authentication
AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"

ROUTE_PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"  # overrides host.json

# What an app setting is whose reference Azure could not resolve: its own text.
# https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#troubleshoot-key-vault-references
_REFERENCE = re.compile(r"@Microsoft\.(KeyVault|AppConfiguration)\(", re.IGNORECASE)
UNRESOLVED = (
    "holds a reference that Azure could not resolve. See whether the app's identity may read the secret (Key Vault "
    "Secrets User), whether it exists, and whether the app may reach the vault; then have the references refreshed, as "
    "`make deploy` does"
)
PAGES_KEY = "PAGES_KEY"

HOSTS_OWN = ("admin", "runtime")  # paths of the Functions host
_SEGMENT = re.compile(r"(?!\.+$)[A-Za-z0-9._~-]+")

JOURNALS = ("table", "cosmos", "none")
CLUSTER_AUTHENTICATIONS = ("kubeconfig", "token", "azure", "in-cluster")


class SettingsError(Exception):
    """Settings that cannot be used. The text names each one and says what would be right; it quotes no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticReceiver:
    """A receiver that stands in the settings instead of in the cluster."""

    provider: str
    name: str
    project: str | None
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)


def _setting[T](variable: str, about: str, *, default: T, parse: Callable[[str], T], secret: bool = False) -> T:
    """A field of :class:`Settings`, typed as its value, as :func:`dataclasses.field` is."""
    metadata = {"variable": variable, "about": about, "parse": parse}
    return field(default=default, repr=not secret, metadata=metadata)


def _text(variable: str, about: str, *, default: str = "", secret: bool = False) -> str:
    return _setting(variable, about, default=default, parse=str, secret=secret)


def _boolean(text: str) -> bool:
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise ValueError("must be true or false")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError("must be a number of seconds") from None
    if not 0.1 <= seconds <= 200:  # noqa: PLR2004 - the front end of Azure Functions cuts at 230 s
        raise ValueError("must lie between 0.1 and 200 seconds")
    return seconds


def _authentication(text: str) -> str:
    if text not in CLUSTER_AUTHENTICATIONS:
        raise ValueError("must be one of " + ", ".join(CLUSTER_AUTHENTICATIONS))
    return text


def _journal(text: str) -> str:
    if text not in JOURNALS:
        raise ValueError("must be one of " + ", ".join(JOURNALS))
    return text


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 3650:  # noqa: PLR2004 - ten years
        raise ValueError("must be a whole number of days between 1 and 3650")
    return int(text)


def _base_url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("must start with https:// or http://")
    return text.rstrip("/")


def _account(text: str) -> str:
    if not re.fullmatch("[a-z0-9]{3,24}", text):
        raise ValueError("must be the name of a Storage account: 3 to 24 lower-case letters and digits, no URL")
    return text


def _base_path(text: str) -> str:
    """``/webhooks`` for whatever way it is written; as the Functions host has it, without a slash at its end."""
    segments = text.strip("/").split("/")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError("must be a path such as webhooks, of letters, digits and the characters - . _ ~")
    if segments[0].lower() in HOSTS_OWN:
        raise ValueError(f"must not begin with {segments[0]}, which Azure Functions keeps for itself")
    return "/" + "/".join(segments)


def _receivers(text: str) -> tuple[StaticReceiver, ...]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON list of receivers; it is not JSON") from None
    if not isinstance(document, list):
        raise ValueError("must be a JSON list of receivers")  # noqa: TRY004 - all faults of a setting are ValueErrors
    return tuple(_static_receiver(position, entry) for position, entry in enumerate(document))


def _static_receiver(position: int, entry: object) -> StaticReceiver:
    if not isinstance(entry, dict):
        raise ValueError(f"entry {position} must be an object")  # noqa: TRY004 - as above
    values = {key: value for key, value in entry.items() if value is not None}
    for key, value in values.items():
        if not isinstance(value, str):
            raise ValueError(f"entry {position}: {key} must be a string")  # noqa: TRY004 - as above
    for key in ("provider", "name", "secret"):
        if not values.get(key):
            raise ValueError(f"entry {position} has no {key}")
    return StaticReceiver(
        provider=values.pop("provider"),
        name=values.pop("name"),
        project=values.pop("project", None) or None,
        secret=values.pop("secret"),
        previous_secret=values.pop("previousSecret", None),
        options=values,
    )


def _receivers_file(path: str) -> tuple[StaticReceiver, ...]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError("names a file that cannot be read") from None
    return _receivers(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. Make one with :func:`from_environment`."""

    cluster_authentication: str = _setting(
        "CLUSTER_AUTHENTICATION",
        "How to reach the cluster: `kubeconfig`, `token`, `azure` or `in-cluster`. Empty: by the settings below.",
        default="",
        parse=_authentication,
    )
    kubeconfig: str = _text("KUBECONFIG", "Path of a kubeconfig file.")
    kubeconfig_context: str = _text("KUBECONFIG_CONTEXT", "The context to use. Empty: the file's current one.")
    cluster_server: str = _setting(
        "CLUSTER_SERVER", "URL of the API server, for `token` and `azure`.", default="", parse=_base_url
    )
    cluster_ca: str = _text("CLUSTER_CA", "Certificate authority of the API server: PEM, or base64 of PEM.")
    cluster_token: str = _text("CLUSTER_TOKEN", "Bearer token, for `token`. A secret.", secret=True)
    cluster_azure_scope: str = _text(
        "CLUSTER_AZURE_SCOPE",
        "Token scope, for `azure`. The default is the application of every AKS cluster.",
        default=f"{AKS_SERVER_APPLICATION}/.default",
    )
    azure_client_id: str = _text(
        "AZURE_CLIENT_ID",
        "Client id of the user-assigned managed identity, for `azure`. Empty: the system-assigned one.",
    )
    base_url: str = _setting(
        "EXTERNAL_WEBHOOK_SERVER_BASE_URL",
        "URL under which senders reach this app, as configured in Kargo. Only shown, never needed to route.",
        default="",
        parse=_base_url,
    )
    base_path: str = _setting(
        ROUTE_PREFIX,
        "Base path: what stands before every path of this app, such as `webhooks`, as in Kargo's URLs.",
        default="",
        parse=_base_path,
    )
    system_resources_namespace: str = _text(
        "SYSTEM_RESOURCES_NAMESPACE",
        "Namespace of the Secrets of the ClusterConfig's receivers.",
        default="kargo-system-resources",
    )
    read_secrets: bool = _setting(
        "READ_SECRETS",
        "`false`: never read Secrets; receivers are then found by the path in their status, as Kargo does.",
        default=True,
        parse=_boolean,
    )
    receivers: tuple[StaticReceiver, ...] = _setting(
        "RECEIVERS",
        "Receivers beside those in the cluster, a JSON list. A secret.",
        default=(),
        parse=_receivers,
        secret=True,
    )
    receivers_from_file: tuple[StaticReceiver, ...] = _setting(
        "RECEIVERS_FILE", "Path of a file with such a list.", default=(), parse=_receivers_file, secret=True
    )
    storage_connection: str = _text(
        "AzureWebJobsStorage",
        "Connection string of the Storage account for the retry queue and the journal, which Azure Functions itself "
        "uses too. A secret. In Azure rather the three settings below.",
        secret=True,
    )
    storage_queues: str = _setting(
        "AzureWebJobsStorage__queueServiceUri",
        "URL of its queue service, with identity-based access.",
        default="",
        parse=_base_url,
    )
    storage_tables: str = _setting(
        "AzureWebJobsStorage__tableServiceUri",
        "URL of its table service, with identity-based access.",
        default="",
        parse=_base_url,
    )
    storage_account: str = _setting(
        "AzureWebJobsStorage__accountName",
        "Name of the Storage account, with identity-based access, in place of the two URLs above.",
        default="",
        parse=_account,
    )
    storage_client_id: str = _text(
        "AzureWebJobsStorage__clientId",
        "Client id of the user-assigned managed identity that has access. Empty: the system-assigned one.",
    )
    journal: str = _setting(
        "JOURNAL",
        "Where deliveries are recorded: `table` (the Storage account), `cosmos` or `none`.",
        default="table",
        parse=_journal,
    )
    journal_days: int = _setting("JOURNAL_DAYS", "Days that deliveries are kept.", default=30, parse=_days)
    cosmos_endpoint: str = _setting(
        "COSMOS_ENDPOINT", "URL of the Azure Cosmos DB account, for `JOURNAL=cosmos`.", default="", parse=_base_url
    )
    cosmos_key: str = _text("COSMOS_KEY", "Its key. Empty: the managed identity. A secret.", secret=True)
    cosmos_database: str = _text("COSMOS_DATABASE", "Its database.", default="acr")
    cosmos_container: str = _text("COSMOS_CONTAINER", "Its container, with the partition key `/id`.", default="pushes")
    pages_key: str = _text(
        "PAGES_KEY",
        "What a visitor of the pages must know. Empty: on Azure nobody may see them, elsewhere everybody. A secret.",
        secret=True,
    )
    otlp_endpoint: str = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "URL of an OpenTelemetry collector that takes OTLP over HTTP. Empty: no metrics and no traces.",
        default="",
        parse=_base_url,
    )
    answer_budget: float = _setting(
        "ANSWER_BUDGET_SECONDS",
        "A delivery is answered within this time, whatever the cluster does.",
        default=limits.ANSWER_BUDGET,
        parse=_seconds,
    )

    @property
    def queue_service(self) -> str:
        """URL of the queue service, with identity-based access: the one that the queue trigger listens to.

        The trigger prefers the account's name, and knows the public cloud alone.
        """
        return _service(self.storage_account, "queue") or self.storage_queues

    @property
    def table_service(self) -> str:
        """URL of the table service, with identity-based access."""
        return self.storage_tables or _service(self.storage_account, "table")


def _service(account: str, kind: str) -> str:
    return f"https://{account}.{kind}.core.windows.net" if account else ""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings. An empty variable counts as absent.

    Without the key of the pages deliveries go on: where its reference is not resolved, nobody knows the key. Raises
    :class:`SettingsError` with one line for each fault.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for setting in fields(Settings):
        variable = setting.metadata["variable"]
        text = environment.get(variable, "").strip()
        if not text:
            continue
        if _REFERENCE.match(text):
            if variable == PAGES_KEY:
                values[setting.name] = secrets.token_hex(32)
            else:
                faults[variable] = UNRESOLVED
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            faults[variable] = str(error)
    settings = Settings(**values)
    faults = _missing(settings) | faults
    if faults:
        raise SettingsError("\n".join(f"{variable}: {fault}" for variable, fault in faults.items()))
    return settings


def unresolved(environment: Mapping[str, str]) -> list[str]:
    """The variables that hold a reference which Azure could not resolve."""
    known = [setting.metadata["variable"] for setting in fields(Settings)]
    return [variable for variable in known if _REFERENCE.match(environment.get(variable, "").strip())]


def base_path(environment: Mapping[str, str]) -> str:
    """The base path, ``""`` for none. Needs no other setting to be right."""
    try:
        return _base_path(text) if (text := environment.get(ROUTE_PREFIX, "").strip()) else ""
    except ValueError:
        return ""


def storage_configured(environment: Mapping[str, str]) -> bool:
    """Whether a Storage account is named, so that there is a retry queue. Needs no other setting to be right."""
    return bool(
        environment.get("AzureWebJobsStorage")
        or (
            environment.get("AzureWebJobsStorage__queueServiceUri")
            and environment.get("AzureWebJobsStorage__tableServiceUri")
        )
        or environment.get("AzureWebJobsStorage__accountName")
    )


def _missing(settings: Settings) -> dict[str, str]:
    """What one setting needs of another: the fault of each variable that is missing."""
    needed = {
        "token": ("cluster_server", "cluster_token"),
        "azure": ("cluster_server",),
        "cosmos": ("cosmos_endpoint",),
    }
    by_name = {setting.name: setting.metadata["variable"] for setting in fields(Settings)}
    return {
        by_name[name]: f"needed for {by_name[chooser]}={choice}"
        for chooser, choice in (
            ("cluster_authentication", settings.cluster_authentication),
            ("journal", settings.journal),
        )
        for name in needed.get(choice, ())
        if not getattr(settings, name)
    }
