"""The honest deliveries of a siege, and what they met."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.drill.annotations import Annotations
from bench.drill.traffic import Post
from bench.siege.audit import Call
from bench.siege.hostile import Report
from bench.siege.watched import Hold

LONGEST_HOLD = 0.1  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The honest deliveries, once, and what they met."""

    posts: Sequence[Post]
    bare: Sequence[float]  # seconds of each turn of the bare client beside them
    annotations: Annotations
    ready: float | None  # seconds until the service said so; None: it never did
    peak: float  # MB
    alive: bool  # at the end
    holds: Sequence[Hold]
    calls: Sequence[Call]
    rows: int  # of the journal
    rows_of: int  # the honest deliveries that have one
    report: Report | None  # None: nobody was hostile

    @property
    def accepted(self) -> int:
        """How many deliveries were answered 2xx."""
        return sum(post.accepted for post in self.posts)

    @property
    def latencies(self) -> list[float]:
        """Seconds to each answer; those that had none count with all that they were waited for."""
        return [post.latency for post in self.posts]

    @property
    def owed(self) -> int:
        """How many refreshes were asked for."""
        return sum(len(post.image.targets) for post in self.posts)

    @property
    def refreshed(self) -> int:
        """How many of those were seen, by a patch that began after the delivery's arrival."""
        return self.owed - sum(
            len(self.annotations.missing(post) if post.accepted else post.image.targets) for post in self.posts
        )

    @property
    def within(self) -> list[float]:
        """Seconds from each arrival to the last of its refreshes."""
        found = (self.annotations.within(post) for post in self.posts if post.accepted)
        return [seconds for seconds in found if seconds is not None]

    @property
    def began(self) -> float:
        """When the first delivery arrived that had an answer, in seconds since 1970."""
        return min((post.arrival.timestamp() for post in self.posts if post.delivery_id), default=0.0)

    @property
    def longest(self) -> Hold:
        """The longest hold of the event loop since then."""
        return max(self._holds, key=lambda hold: hold.held, default=Hold(0.0, 0.0, 0.0))

    @property
    def long_holds(self) -> int:
        """How many were longer than they may be."""
        return sum(hold.held > LONGEST_HOLD for hold in self._holds)

    @property
    def _holds(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.began >= self.began]
