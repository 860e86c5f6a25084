"""How a selector decides on a push, within the effort that may be spent on it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from receivers import limits
from receivers.kargo import verdicts
from receivers.kargo.changes import Change
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.verdicts import Verdict


class Selector(ABC):
    """What a subscription wants."""

    __slots__ = ()

    def decide(self, change: Change, effort: Effort | None = None) -> Verdict:
        """Whether anything of a change, which has a qualifier at least, is wanted, and why.

        What would take more effort than there is left is wanted: a refresh too much does no harm. Without an ``effort``
        there is as much as for one Warehouse.
        """
        effort = effort or Effort(limits.DECISION_EFFORT)
        try:
            return self.weigh(change, effort)
        except TooMuch:
            return verdicts.UNCHECKED

    @abstractmethod
    def weigh(self, change: Change, effort: Effort) -> Verdict:
        """As :meth:`decide`. Raises TooMuch for what would take more effort than there is left."""


@dataclass(frozen=True, slots=True)
class Broken(Selector):
    """Wants nothing: the subscription cannot be read."""

    reason: str

    def weigh(self, change: Change, effort: Effort) -> Verdict:  # noqa: ARG002 - whatever was pushed
        return Verdict(False, self.reason)


@dataclass(frozen=True, slots=True)
class Unchecked(Selector):
    """Wants everything: what the subscription wants is more than we check."""

    reason: str

    @classmethod
    def because(cls, too_much: TooMuch) -> "Unchecked":
        """What was too much."""
        return cls(f"{too_much}: more than is checked, so every push refreshes")

    def weigh(self, change: Change, effort: Effort) -> Verdict:  # noqa: ARG002 - whatever was pushed
        return Verdict(True, self.reason)


class QualifierSelector(Selector):
    """Wants some tags, versions or refs, whatever else is in a push."""

    __slots__ = ()

    def weigh(self, change: Change, effort: Effort) -> Verdict:
        """The reason tells of the qualifier that is wanted, or else of the first."""
        effort.demand(self.preparation())
        refusals: dict[str, None] = {}
        for qualifier in change.qualifiers:
            effort.demand(self.price(qualifier))
            verdict = self.judge(qualifier)
            if verdict.accepted:
                return verdict
            refusals[verdict.reason] = None
        return refused(refusals)

    def preparation(self) -> int:
        """Units of effort before the first qualifier."""
        return 0

    def price(self, qualifier: str) -> int:  # noqa: ARG002 - that of a selector that compares
        """Units of effort to judge a qualifier."""
        return verdicts.BASE

    @abstractmethod
    def judge(self, qualifier: str) -> Verdict:
        """Whether one qualifier is wanted. Raises TooMuch."""


def refused(reasons: dict[str, None]) -> Verdict:
    """One refusal for several reasons, of which there is one at least: the first stands for all."""
    first, *others = reasons
    return Verdict(False, f"{first}, and {len(others)} more like it" if others else first)
