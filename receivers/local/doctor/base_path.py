"""Whether the path in front of Kargo's URLs is the one that this app serves."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from receivers.base_path import ROUTE_PREFIX
from receivers.local.doctor.findings import Finding
from receivers.runtime import Runtime
from receivers.settings import Settings


def check(service: Runtime) -> Iterator[Finding]:
    """A finding for the base URL, and one for the URLs that Kargo shows, if they have another base path."""
    settings = service.settings
    configured = urlsplit(settings.base_url).path.rstrip("/")
    if settings.base_url and configured != settings.base_path:
        yield _finding("setting EXTERNAL_WEBHOOK_SERVER_BASE_URL", configured, settings)
    published = {_base_of(receiver.status_path) for receiver in service.mirror.receivers() if receiver.status_path}
    for base in sorted(published - {settings.base_path, configured if settings.base_url else None}):
        yield _finding("Kargo's base URL (externalWebhooksServer.host and basePath)", base, settings)


def _base_of(path: str) -> str:
    """Of ``/webhooks/azure/<token>`` what stands before the last two segments."""
    return path.rsplit("/", 2)[0]


def _finding(subject: str, base: str, settings: Settings) -> Finding:
    return Finding(
        subject=subject,
        problem=f"its path is {base or '/'}, but this app serves {settings.base_path or '/'}: deliveries get 404, "
        "unless a gateway in between changes the path",
        remedy=f"set {ROUTE_PREFIX} to {base.strip('/')}"
        if base
        else f"remove {ROUTE_PREFIX}, or give Kargo that path",
    )
