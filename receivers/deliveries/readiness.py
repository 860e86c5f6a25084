"""Whether deliveries can be matched and refreshed, and what is missing."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from receivers.cluster.mirror import Health, Mirror
from receivers.settings import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``document`` is what ``/readyz`` shows to everybody: it names resources and kinds of faults, and nobody."""

    ready: bool
    document: dict[str, Any]


NOT_CONFIGURED = "not configured"
DENIED = {
    401: "the API server does not accept this app's credential",
    403: "this app's identity may not list them",
    404: "the cluster does not have them",
    431: "the request was too large for the API server",
}
_REFUSAL = re.compile(r"([1-5][0-9]{2})\b")  # how the API server's own words begin, with its status
_KUBECONFIG = "KUBECONFIG: "  # how the words of the official client begin, which quote paths and names


def of(
    mirror: Mirror,
    *,
    away_for: float | None = None,
    retry_queue: str = NOT_CONFIGURED,
    journal: str = NOT_CONFIGURED,
) -> Readiness:
    """Ready means: Warehouses were listed once, and so were receivers, unless this identity may not list them.

    A broken watch is shown, and so are the faults of retry queue and journal, empty when they have none, and for how
    many seconds the cluster is ``away_for``: they are no reason to restart anything, nor to send deliveries elsewhere.
    """
    resources = [_resource(health, away_for) for health in mirror.health()]
    missing = [resource["resource"] for resource in resources if not resource["synced"]]
    ready = all(
        health.synced or health.on_demand or (health.denied and health.resource != "warehouses")
        for health in mirror.health()
    )
    document = {
        "ready": ready,
        "missing": missing,
        "clusterAwaySeconds": None if away_for is None else round(away_for),
        "unreadableSubscriptions": mirror.index.fault_count,
        "resources": resources,
        "retryQueue": retry_queue or "ok",
        "journal": journal or "ok",
    }
    return Readiness(ready=ready, document=document)


def not_configured(error: Exception) -> Readiness:
    """Settings or credentials are wrong."""
    return Readiness(ready=False, document={"ready": False, "missing": ["configuration"], "error": told(error)})


def told(error: Exception) -> str:
    """Why the app is not configured, for everybody. Faults of settings are our own words, and quote no value."""
    return str(error) if isinstance(error, SettingsError) else shown(str(error))


def shown(fault: str) -> str:
    """What is wrong with the cluster, for everybody.

    An API server's words name the user it refuses, and may name anything: its status alone is told. The log and
    ``doctor`` have the words. Whatever else can be wrong is told in words of our own.
    """
    if refusal := _REFUSAL.match(fault):
        status = int(refusal[1])
        return f"{status} {_phrase(status)}".rstrip() + (f": {DENIED[status]}" if status in DENIED else "")
    if fault.startswith(_KUBECONFIG):
        return "KUBECONFIG: it cannot be used; the log of this app says why"
    return fault


def _resource(health: Health, away_for: float | None) -> dict[str, Any]:
    """What of a resource's health is for everybody: how much of it is known, and no object's name.

    A watch of a cluster that is away may not have noticed yet.
    """
    age = health.age if away_for is None or health.age is None else max(health.age, away_for)
    return {
        "resource": health.resource,
        "synced": health.synced,
        "watching": health.watching and away_for is None,
        "age": age,
        "denied": health.denied,
        "objects": health.objects,
        "unreadable": health.unreadable,
        "fault": shown(health.fault),
    }


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus else ""
