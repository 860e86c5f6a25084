"""How a receiver's URL is registered at its sender. More is in docs/senders/."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What to do, and a command where there is one. ``$URL`` stands for the receiver's URL."""

    steps: tuple[str, ...]
    command: str = ""


_ACR = Hint(
    steps=(
        "In the portal: the registry, Services, Webhooks, Add. Service URI: the URL. Actions: push, and chart_push if "
        "there are still charts in the legacy store. Status: On. Scope: empty, for the whole registry.",
        "Where a lost push would hurt, subscribe by Event Grid too: it tries again for 24 hours.",
    ),
    command='az acr webhook create --registry REGISTRY --name kargo --uri "$URL" --actions push chart_push',
)

HINTS: Mapping[str, Hint] = MappingProxyType(
    {
        "azure": _ACR,
        "acr": _ACR,
        "quay": Hint(
            steps=(
                "In the repository: Settings, Events and notifications, Create Notification. Event: Push to "
                "Repository. Method: Webhook POST. Webhook URL: the URL. POST body template: empty.",
                "Quay switches a notification off after three failures in a row: look there when pushes stop to "
                "arrive.",
            ),
        ),
        "dockerhub": Hint(
            steps=(
                "In the repository: Webhooks. A name, and the URL as Webhook URL, then Create.",
                "Docker Hub posts once and never again; what is lost is found when the Warehouse polls.",
            ),
        ),
    }
)
