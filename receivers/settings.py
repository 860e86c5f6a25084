"""Every setting: its name, its meaning, its default.

Settings are environment variables, which is what an app setting of a Function App is. The names that Kargo's own server
uses mean the same here.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from receivers import go_url, limits, loopback, static_receivers, unresolved
from receivers import storage_account as account
from receivers.base_path import ROUTE_PREFIX
from receivers.base_path import parse as _base_path
from receivers.static_receivers import StaticReceiver
from receivers.storage_account import configured as storage_configured

__all__ = ["Settings", "SettingsError", "StaticReceiver", "from_environment", "storage_configured"]

# The application that every AKS API server with Entra ID stands for.
# https://learn.microsoft.com/azure/aks/kubelogin-authentication
AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"

PAGES_KEY = "PAGES_KEY"
JOURNALS = ("table", "cosmos", "none")
CLUSTER_AUTHENTICATIONS = ("kubeconfig", "token", "azure", "in-cluster")

_OTLP_HEADERS = re.compile("OTEL_EXPORTER_OTLP_(METRICS_|TRACES_)?HEADERS")


class SettingsError(Exception):
    """Settings that cannot be used. The text names each one and says what would be right; it quotes no value."""


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
    if not _can_be_asked(text):
        raise ValueError("must be a URL with a host")
    return text.rstrip("/")


def _can_be_asked(url: str) -> bool:
    """Whether Go, which Kargo is written in, and Python both read a host in a URL."""
    try:
        go_url.parse(url)
        host, port = urlsplit(url).hostname, urlsplit(url).port
    except ValueError:
        return False
    return bool(host) and port != 0


def _private_url(text: str) -> str:
    """A URL to which a credential is sent."""
    url = _base_url(text)
    if loopback.in_clear(url):
        raise ValueError(
            "must start with https://, since a credential is sent there; http:// is for this machine alone"
        )
    return url


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
        "CLUSTER_SERVER", "URL of the API server, for `token` and `azure`.", default="", parse=_private_url
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
        parse=static_receivers.parse,
        secret=True,
    )
    receivers_from_file: tuple[StaticReceiver, ...] = _setting(
        "RECEIVERS_FILE", "Path of a file with such a list.", default=(), parse=static_receivers.read, secret=True
    )
    storage_connection: str = _setting(
        "AzureWebJobsStorage",
        "Connection string of the Storage account for the retry queue and the journal, which Azure Functions itself "
        "uses too. A secret. In Azure rather the three settings below.",
        default="",
        parse=account.connection,
        secret=True,
    )
    storage_queues: str = _setting(
        "AzureWebJobsStorage__queueServiceUri",
        "URL of its queue service, with identity-based access.",
        default="",
        parse=_private_url,
    )
    storage_tables: str = _setting(
        "AzureWebJobsStorage__tableServiceUri",
        "URL of its table service, with identity-based access.",
        default="",
        parse=_private_url,
    )
    storage_account: str = _setting(
        "AzureWebJobsStorage__accountName",
        "Name of the Storage account, with identity-based access, in place of the two URLs above.",
        default="",
        parse=account.name,
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
        "COSMOS_ENDPOINT", "URL of the Azure Cosmos DB account, for `JOURNAL=cosmos`.", default="", parse=_private_url
    )
    cosmos_key: str = _text("COSMOS_KEY", "Its key. Empty: the managed identity. A secret.", secret=True)
    cosmos_database: str = _text("COSMOS_DATABASE", "Its database.", default="acr")
    cosmos_container: str = _text("COSMOS_CONTAINER", "Its container, with the partition key `/id`.", default="pushes")
    verify_discovery: bool = _setting(
        "VERIFY_DISCOVERY",
        "`false`: never look whether Kargo has found what was pushed, and never have it discover again.",
        default=True,
        parse=_boolean,
    )
    pages_key: str = _text(
        "PAGES_KEY",
        "What a visitor of the pages must know. Empty: they are closed, but for `kargo-receivers serve` on loopback. "
        "A secret.",
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
        return account.service(self.storage_account, "queue") or self.storage_queues

    @property
    def table_service(self) -> str:
        """URL of the table service, with identity-based access."""
        return self.storage_tables or account.service(self.storage_account, "table")


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
        if variable == PAGES_KEY and unresolved.is_unresolved(text):
            text = secrets.token_hex(32)
        try:
            values[setting.name] = setting.metadata["parse"](_usable(text))
        except static_receivers.Faults as several:
            faults |= {variable + path: fault for path, fault in several.by_path.items()}
        except ValueError as error:
            faults[variable] = str(error)
    settings = Settings(**values)
    faults = _missing(settings) | _in_clear(settings, environment) | faults
    if faults:
        raise SettingsError("\n".join(f"{variable}: {fault}" for variable, fault in faults.items()))
    return settings


def _usable(text: str) -> str:
    if unresolved.is_unresolved(text):
        raise ValueError(unresolved.FAULT)
    if not static_receivers.is_text(text):
        raise ValueError("must be valid UTF-8")
    return text


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


def _in_clear(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """The collector's URL, where others would see the headers that OpenTelemetry's own variables add: keys, as a rule.

    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
    """
    if not loopback.in_clear(settings.otlp_endpoint) or not any(map(_OTLP_HEADERS.fullmatch, environment)):
        return {}
    fault = (
        "must start with https://, since OTEL_EXPORTER_OTLP_HEADERS are sent there; http:// is for this machine alone"
    )
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": fault}
