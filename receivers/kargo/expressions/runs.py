"""One evaluation of an expression: what it works on, and what it may spend."""

from collections.abc import Callable, Mapping
from datetime import datetime

from receivers.kargo import patterns
from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.time_functions import moment
from receivers.kargo.expressions.values import Moment

NOTHING = object()  # is accumulated yet


class Scope:
    """The items that a predicate is evaluated for, and how far that is."""

    __slots__ = ("accumulated", "index", "items", "length")

    def __init__(self, items: list[object], length: int) -> None:
        self.items = items
        self.length = length
        self.index = 0
        self.accumulated: object = NOTHING

    @property
    def item(self) -> object:
        if self.index >= len(self.items):
            raise ExpressionError("there is no item")
        return self.items[self.index]


_NO_ITEMS = Scope([], 0)


class Run:
    __slots__ = ("_now", "_patterns", "effort", "environment", "scope", "variables")

    def __init__(self, environment: Mapping[str, object], effort: Effort, now: datetime | None) -> None:
        self.environment = environment
        self.effort = effort
        self.variables: dict[str, object] = {}
        self.scope = _NO_ITEMS
        self._patterns: dict[str, patterns.Expressions] = {}
        self._now = now

    def now(self) -> Moment:
        """The moment that counts as the present one, all along. Raises Refused where none was told."""
        if self._now is None:
            raise Refused("now() is not known here")
        return moment(self._now)

    def matches(self, text: str, pattern: str) -> bool:
        """Whether a regular expression matches anywhere in a text."""
        compiled = self._patterns.get(pattern)
        if compiled is None:
            compiled = self._patterns[pattern] = self._compiled(pattern)
        self.effort.demand(compiled.price(text) + 1)
        return compiled.first(text) is not None

    def _compiled(self, pattern: str) -> patterns.Expressions:
        try:
            compiled = patterns.compile([pattern], effort=self.effort)
        except patterns.InvalidPattern:  # whose message could show a payload
            raise ExpressionError("what a string is matched with is not a regular expression") from None
        self.effort.demand(compiled.preparation)
        return compiled


type Evaluate = Callable[[Run], object]
