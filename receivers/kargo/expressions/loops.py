"""The functions of expr-lang that evaluate a predicate for each item of a list."""

from collections.abc import Callable, Iterator

from receivers.kargo.expressions import arithmetic
from receivers.kargo.expressions.comparing import ordered
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.list_functions import descending
from receivers.kargo.expressions.runs import NOTHING, Evaluate, Run, Scope
from receivers.kargo.expressions.syntax import Builtin
from receivers.kargo.expressions.values import AnyMap, boolean, hashed, listed, type_name

type _Loop = Callable[["_Loops", Run, Scope], object]

_ITEM = 1  # units for an item, beside those for the parts of the predicate


def pointer(name: str) -> Evaluate:
    """``#``, ``#index`` or ``#acc`` of the innermost predicate."""
    if name == "index":
        return lambda run: run.scope.index
    if name == "acc":
        return _accumulated
    if not name:
        return lambda run: run.scope.item
    raise ExpressionError(f"#{name} is not known")


def _accumulated(run: Run) -> object:
    if run.scope.accumulated is NOTHING:
        raise Refused("#acc is had in reduce() only")
    return run.scope.accumulated


def compiled(node: Builtin, arguments: list[Evaluate], mapped: Evaluate | None, cost: int) -> Evaluate:
    """The call of such a function; ``cost`` is that of its predicate for one item."""
    collection, *rest = arguments
    loop = _LOOPS[node.name]
    loops = _Loops(node, rest, mapped, cost + _ITEM)

    def looped(run: Run) -> object:
        outer, run.scope = run.scope, _scope(collection(run))
        found = loop(loops, run, run.scope)
        run.scope = outer
        return found

    return looped


def _scope(value: object) -> Scope:
    """A list's items. What is a map or a string has a length, but no items that could be had."""
    if isinstance(value, list):
        return Scope(value, len(value))
    if isinstance(value, dict | AnyMap):
        return Scope([], len(value))
    if value == "":
        return Scope([], 0)
    if isinstance(value, str):
        raise Refused("a string's bytes cannot be had one by one")
    raise ExpressionError(f"{type_name(value)} where a list is wanted")


class _Loops:
    """The loops over one call's items. Where one ends early, the scope stays at the item that ended it."""

    def __init__(self, node: Builtin, rest: list[Evaluate], mapped: Evaluate | None, cost: int) -> None:
        self._predicate: Evaluate = rest[0] if rest else pointer("")
        self._rest = rest[1:]
        self._mapped = mapped or pointer("")
        self._cost = cost
        self._throws = node.throws
        self._enough = node.enough

    def _values(self, run: Run, scope: Scope) -> Iterator[object]:
        """What the predicate gives for each item."""
        while scope.index < scope.length:
            run.effort.demand(self._cost)
            yield self._predicate(run)
            scope.index += 1

    def _hits(self, run: Run, scope: Scope) -> Iterator[None]:
        """Once for each item that the predicate holds for."""
        for value in self._values(run, scope):
            if boolean(value):
                yield

    def all(self, run: Run, scope: Scope) -> object:
        return all(map(boolean, self._values(run, scope)))

    def any(self, run: Run, scope: Scope) -> object:
        return any(map(boolean, self._values(run, scope)))

    def none(self, run: Run, scope: Scope) -> object:
        return not self.any(run, scope)

    def one(self, run: Run, scope: Scope) -> object:
        return self.count(run, scope) == 1

    def count(self, run: Run, scope: Scope) -> object:
        count = 0
        for _ in self._hits(run, scope):
            count += 1
            if count == self._enough:
                break
        return count

    def filter(self, run: Run, scope: Scope) -> object:
        return [self._mapped(run) for _ in self._hits(run, scope)]

    def map(self, run: Run, scope: Scope) -> object:
        return [*self._values(run, scope)]

    def find(self, run: Run, scope: Scope) -> object:
        for _ in self._hits(run, scope):
            return self._mapped(run)
        self._missed()
        return None

    def find_index(self, run: Run, scope: Scope) -> object:
        for _ in self._hits(run, scope):
            return scope.index
        return None

    def find_last(self, run: Run, scope: Scope) -> object:
        if self._from_the_end(run, scope):
            return self._mapped(run)
        self._missed()
        return None

    def find_last_index(self, run: Run, scope: Scope) -> object:
        return scope.index if self._from_the_end(run, scope) else None

    def _from_the_end(self, run: Run, scope: Scope) -> bool:
        """Whether the predicate holds for an item; the scope is at the last such."""
        for index in reversed(range(scope.length)):
            scope.index = index
            run.effort.demand(self._cost)
            if boolean(self._predicate(run)):
                return True
        return False

    def _missed(self) -> None:
        if self._throws:
            raise ExpressionError("an index is out of range")

    def sum(self, run: Run, scope: Scope) -> object:
        total: object = 0
        for value in self._values(run, scope):
            total = arithmetic.add(value, total, run.effort)
        return total

    def group(self, run: Run, scope: Scope) -> object:
        found = AnyMap(grouped=True)
        for value in self._values(run, scope):
            listed(found.members.setdefault(hashed(value), [])).append(scope.item)
        return found

    def sort(self, run: Run, scope: Scope) -> object:
        down = any(descending(order(run)) for order in self._rest)
        found = [(value, scope.item) for value in self._values(run, scope)]
        return [item for _, item in ordered(found, lambda each: each[0], run.effort, down=down)]

    def reduce(self, run: Run, scope: Scope) -> object:
        if self._rest:
            (start,) = self._rest
            scope.accumulated = start(run)
        else:
            if not scope.length:
                raise ExpressionError("nothing can be made of an empty list")
            scope.accumulated = scope.item
            scope.index = 1
        for value in self._values(run, scope):
            scope.accumulated = value
        return scope.accumulated


_LOOPS: dict[str, _Loop] = {
    "all": _Loops.all,
    "any": _Loops.any,
    "none": _Loops.none,
    "one": _Loops.one,
    "count": _Loops.count,
    "filter": _Loops.filter,
    "map": _Loops.map,
    "find": _Loops.find,
    "findIndex": _Loops.find_index,
    "findLast": _Loops.find_last,
    "findLastIndex": _Loops.find_last_index,
    "sum": _Loops.sum,
    "groupBy": _Loops.group,
    "sortBy": _Loops.sort,
    "reduce": _Loops.reduce,
}
