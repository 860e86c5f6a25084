"""Settings that can be used, and ought to be others."""

import re
from collections.abc import Iterator

from receivers import limits, loopback
from receivers.local.doctor.findings import Finding, Severity
from receivers.local.doctor.placeholders import is_placeholder
from receivers.settings import Settings

_ENDPOINT = re.compile(r"http://[^;\s]+", re.IGNORECASE)


def check(settings: Settings) -> Iterator[Finding]:
    """What others could guess or read on its way."""
    if settings.pages_key and len(settings.pages_key) < limits.SECRET_SHORTEST:
        yield _warning(
            "PAGES_KEY",
            f"it has fewer than {limits.SECRET_SHORTEST} characters, and nothing limits how often a key is tried",
            "make a new one: openssl rand -hex 32",
        )
    elif is_placeholder(settings.pages_key):
        problem = "it is a placeholder or a row that anybody would try, and nothing limits how often a key is tried"
        yield _warning("PAGES_KEY", problem, "make a new one: openssl rand -hex 32")
    if loopback.in_clear(settings.base_url):
        yield _warning(
            "EXTERNAL_WEBHOOK_SERVER_BASE_URL",
            "senders would send receivers' URLs, which are credentials, in clear",
            "serve under https://, and set it so",
        )
    if loopback.in_clear(settings.otlp_endpoint):
        yield _warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "metrics and traces go to the collector in clear",
            "let it take https://, or leave it so within a network that nobody else reads",
        )
    if any(map(loopback.in_clear, _ENDPOINT.findall(settings.storage_connection))):
        yield _warning(
            "AzureWebJobsStorage",
            "deliveries go to the Storage account in clear",
            "use its https:// endpoints, or leave it so within a network that nobody else reads",
        )


def pages(settings: Settings) -> str:
    """Who may see the pages."""
    if settings.pages_key:
        return "the pages are shown to who has PAGES_KEY"
    return "the pages are closed, but for `kargo-receivers serve` on loopback: PAGES_KEY is not set"


def _warning(variable: str, problem: str, remedy: str) -> Finding:
    return Finding(severity=Severity.WARNING, subject=f"setting {variable}", problem=problem, remedy=remedy)
