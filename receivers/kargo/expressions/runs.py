"""One evaluation of an expression: what it works on, and what it may spend."""

from collections.abc import Callable, Mapping

from receivers.kargo import patterns
from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError

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
    __slots__ = ("_patterns", "effort", "environment", "scope", "variables")

    def __init__(self, environment: Mapping[str, object], effort: Effort) -> None:
        self.environment = environment
        self.effort = effort
        self.variables: dict[str, object] = {}
        self.scope = _NO_ITEMS
        self._patterns: dict[str, patterns.Expressions] = {}

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
