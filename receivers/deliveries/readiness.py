"""Whether deliveries can be matched and refreshed, and what is missing."""

from dataclasses import asdict, dataclass
from typing import Any

from receivers.cluster.mirror import Mirror


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``document`` is what ``/readyz`` shows: it names resources and faults, and nothing secret."""

    ready: bool
    document: dict[str, Any]


NOT_CONFIGURED = "not configured"


def of(mirror: Mirror, *, retry_queue: str = NOT_CONFIGURED, journal: str = NOT_CONFIGURED) -> Readiness:
    """Ready means: Warehouses were listed once, and so were receivers, unless this identity may not list them.

    A broken watch is shown, and so are the faults of retry queue and journal, empty when they have none: they are no
    reason to restart anything.
    """
    resources = [asdict(health) for health in mirror.health()]
    missing = [resource["resource"] for resource in resources if not resource["synced"]]
    ready = all(health.synced or (health.denied and health.resource != "warehouses") for health in mirror.health())
    document = {
        "ready": ready,
        "missing": missing,
        "unreadableSubscriptions": mirror.index.fault_count,
        "resources": resources,
        "retryQueue": retry_queue or "ok",
        "journal": journal or "ok",
    }
    return Readiness(ready=ready, document=document)


def not_configured(error: Exception) -> Readiness:
    """Settings or credentials are wrong; their errors quote no value."""
    return Readiness(ready=False, document={"ready": False, "missing": ["configuration"], "error": str(error)})
