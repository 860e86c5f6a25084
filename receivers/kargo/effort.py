"""How much work tenants and senders may cause.

It is counted in units, each about a microsecond of one core where somebody wants it to last, and much less otherwise.
Units, and not time, so that a push gets the same answer on a busy machine.
"""

from receivers import limits


class TooMuch(Exception):
    """This cannot be judged here: it costs more than it may, or it may be right though nobody here knows it."""


class Effort:
    """Units that may be spent, maybe as a part of others that may be spent."""

    __slots__ = ("_left", "_within")

    def __init__(self, units: int, *, within: "Effort | None" = None) -> None:
        self._left = units
        self._within = within

    @property
    def left(self) -> int:
        """Units that may still be spent; below 0 where some are owed."""
        return self._left

    def spend(self, units: int) -> bool:
        """Spend what work will cost, if there is so much left; whether there was."""
        if units > self._left or (self._within is not None and not self._within.spend(units)):
            return False
        self._left -= units
        return True

    def demand(self, units: int) -> None:
        """Spend what work will cost. Raises TooMuch where less is left."""
        if not self.spend(units):
            raise TooMuch("no effort is left")

    def owe(self, units: int) -> None:
        """Spend what work did cost, though there be less left: then nothing can be spent any more."""
        self._left -= units
        if self._within is not None:
            self._within.owe(units)


class DeliveryEffort:
    """What may be spent on one delivery: so much for each project, and so much for all of them."""

    def __init__(self) -> None:
        self._all = Effort(limits.DELIVERY_EFFORT)
        self._projects: dict[str, Effort] = {}

    def decision(self, project: str) -> Effort:
        """What may be spent on one more Warehouse of a project."""
        share = self._projects.get(project)
        if share is None:
            share = self._projects[project] = Effort(limits.PROJECT_EFFORT, within=self._all)
        return Effort(limits.DECISION_EFFORT, within=share)
