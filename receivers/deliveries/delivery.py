"""A delivery: one request and all that became of it."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries.answers import Answer
from receivers.events import ArtifactPushed, Decision, Event, Receiver, Target


@dataclass(slots=True, kw_only=True)
class Delivery:
    """Filled in as the delivery goes through the pipeline; complete once ``answer`` is there."""

    id: str
    received_at: datetime
    provider: str
    receiver: Receiver | None = None
    events: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    outcomes: dict[Target, Outcome | None] = field(default_factory=dict)  # None: not known when the answer was due
    others: int = 0  # Warehouses in scope that subscribe to other repositories
    error: str = ""
    answer: Answer | None = None
    duration: float = 0.0  # seconds from arrival to answer

    @property
    def pushes(self) -> list[ArtifactPushed]:
        """The events that can refresh something."""
        return [event for event in self.events if isinstance(event, ArtifactPushed)]

    @property
    def unfinished(self) -> list[Target]:
        """What should have been refreshed, and was not when the answer was due."""
        return [
            target for target, outcome in self.outcomes.items() if outcome is None or outcome.result == Result.FAILED
        ]


def new_id(now: datetime) -> str:
    """An id that sorts by time: 12 hex digits of milliseconds, 12 random ones."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(6)}"
