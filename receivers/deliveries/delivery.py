"""A delivery: one request and all that became of it."""

import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from receivers.cluster.refresher import Result
from receivers.deliveries.answers import Answer
from receivers.deliveries.matching import Refreshes
from receivers.directory.former import Asked
from receivers.events import Decision, Event, PullRequestClosed, Pushed, Receiver, Selected, Target, TargetKind, Trigger


@dataclass(slots=True)
class Step:
    """One step of a delivery and when it was under way, in nanoseconds since the epoch. Entered once."""

    name: str
    began: int = 0
    ended: int = 0

    def __enter__(self) -> Self:
        self.began = time.time_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = time.time_ns()


@dataclass(slots=True, kw_only=True)
class Delivery:
    """Filled in as the delivery goes through the pipeline; complete once ``answer`` is there."""

    id: str
    received_at: datetime
    provider: str
    receiver: Receiver | None = None
    former: Asked | None = None  # there is no receiver, but the URL was one's
    voucher: str = ""  # what proved the receiver's URL, as long as the cluster has not
    events: list[Event] = field(default_factory=list)
    matched: bool = False  # the cluster's Warehouses were known, so that decisions and outcomes are complete
    decisions: list[Decision] = field(default_factory=list)
    refreshes: Refreshes = field(default_factory=Refreshes)  # those still waiting go on after the answer
    selected: list[list[Target]] = field(default_factory=list)  # by each event that selects
    others: int = 0  # Warehouses in scope that subscribe to other repositories
    queued: bool = False  # it waits in the retry queue
    duplicate_of: str = ""  # the id of the delivery that told the same shortly before
    redelivery_of: str = ""  # the id of the delivery that is delivered again
    test: bool = False  # somebody tries a receiver; no sender is involved
    error: str = ""
    answer: Answer | None = None
    duration: float = 0.0  # seconds from arrival to answer
    steps: list[Step] = field(default_factory=list)  # those that were taken, in order

    def step(self, name: str) -> Step:
        """The next step, to be entered where it begins."""
        step = Step(name)
        self.steps.append(step)
        return step

    @property
    def triggers(self) -> list[Trigger]:
        """The events that can refresh something."""
        return [event for event in self.events if isinstance(event, Pushed | PullRequestClosed | Selected)]

    @property
    def kind(self) -> TargetKind:
        """What it refreshes, to tell its sender: Promotions where it tells of pull requests alone."""
        closed = all(isinstance(event, PullRequestClosed) for event in self.triggers)
        return TargetKind.PROMOTION if self.triggers and closed else TargetKind.WAREHOUSE

    def ended(self) -> list[tuple[Event, list[tuple[Target, bool]]]]:
        """Each event with what it selected that is not gone, and whether that was refreshed."""
        selected = iter(self.selected)
        return [
            (event, self._refreshed(next(selected, [])) if isinstance(event, Selected) else []) for event in self.events
        ]

    def _refreshed(self, targets: list[Target]) -> list[tuple[Target, bool]]:
        results = [(target, self.refreshes.outcomes.get(target)) for target in targets]
        known = ((target, outcome.result if outcome else None) for target, outcome in results)
        return [(target, result is Result.REFRESHED) for target, result in known if result is not Result.GONE]

    @property
    def unfinished(self) -> list[Target]:
        """What should have been refreshed, and was not when the answer was due."""
        failed = [target for target, outcome in self.refreshes.outcomes.items() if outcome.result == Result.FAILED]
        return sorted([*failed, *self.refreshes.waiting])

    @property
    def wanted(self) -> int:
        """How many Warehouses are to be refreshed; those that are gone do not count."""
        gone = sum(outcome.result == Result.GONE for outcome in self.refreshes.outcomes.values())
        return len(self.refreshes.outcomes) + len(self.refreshes.waiting) - gone

    @property
    def settled(self) -> bool:
        """Whether every Warehouse that wants it was refreshed."""
        return self.matched and not self.unfinished


def new_id(now: datetime) -> str:
    """An id that sorts by time: 12 hex digits of milliseconds, 12 random ones."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(6)}"
