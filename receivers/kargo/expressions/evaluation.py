"""Expressions as they run: each part becomes a function of a run, made once for all deliveries.

Effort is spent on the whole when a run begins, on a predicate's parts for every item, and by functions and operators
on what they look through or build, before they do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import arithmetic, functions, loops, operators, signatures, time_functions
from receivers.kargo.expressions.checker import ENVIRONMENT, check
from receivers.kargo.expressions.errors import Refused
from receivers.kargo.expressions.leftovers import refuse_leftovers
from receivers.kargo.expressions.optimizer import ADDED, optimized
from receivers.kargo.expressions.parser import parse
from receivers.kargo.expressions.runs import Evaluate, Run
from receivers.kargo.expressions.syntax import (
    Array,
    Binary,
    Builtin,
    Call,
    Chain,
    Condition,
    Constant,
    Let,
    Map,
    Member,
    Name,
    Node,
    Pointer,
    Predicate,
    Sequence,
    Slice,
    Unary,
    size,
)
from receivers.kargo.expressions.values import (
    Duration,
    Moment,
    boolean,
    is_nil,
    member,
    sliced,
    text,
    to_integer,
)


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that can be evaluated. Make one with :func:`compile`."""

    source: str
    _evaluate: Evaluate = field(repr=False, compare=False)
    _size: int = field(repr=False, compare=False)

    def evaluate(self, environment: Mapping[str, object], effort: Effort, now: datetime | None = None) -> object:
        """What it gives, as values.py describes; what the environment holds is neither copied nor changed.

        The environment's functions take one string. What is not in it is nil. ``now`` is what ``now()`` gives; it has a
        zone.

        Raises:
            ExpressionError: it fails, as it does in Go, or does what is refused here.
            TooMuch: it would cost more effort than is left.
        """
        effort.demand(self._size)
        return self._evaluate(Run(environment, effort, now))


def compile(source: str, *, template: bool = False) -> Expression:  # noqa: A001 - named as in re
    """Compile an expression; one of a template has some more functions.

    Raises:
        ExpressionError: it is none, too large, or uses what is refused here.
    """
    node = parse(source)
    check(node, template=template)
    node = optimized(node)
    refuse_leftovers(node)
    return Expression(source, _Compiler(template=template).compiled(node), size(node))


class _Break(Exception):
    """An optional member of nil was reached."""


class _Compiler:
    def __init__(self, *, template: bool) -> None:
        self._functions = functions.OF_TEMPLATES if template else {}
        self._variables: set[str] = set()

    def compiled(self, node: Node) -> Evaluate:  # noqa: C901, PLR0911, PLR0912 - one case a kind of node
        match node:
            case Constant(value):
                return lambda _: value
            case Name(name):
                return self._name(name)
            case Pointer(name):
                return loops.pointer(name)
            case Unary(operator, operand):
                return operators.unary(operator, self.compiled(operand))
            case Binary():
                return self._binary(node)
            case Chain(body):
                return self._chain(body)
            case Member():
                return self._member(node)
            case Slice():
                return self._slice(node)
            case Call():
                return self._call(node)
            case Builtin():
                return self._builtin(node)
            case Predicate(body):
                return self.compiled(body)
            case Condition():
                return self._condition(node)
            case Let():
                return self._let(node)
            case Sequence(nodes):
                return _sequence([self.compiled(each) for each in nodes])
            case Array(items):
                return _array([self.compiled(each) for each in items])
            case Map(pairs):
                return _map([(self.compiled(key), self.compiled(value)) for key, value in pairs])
        raise AssertionError(node)

    def _name(self, name: str) -> Evaluate:
        if name in self._variables:
            return lambda run: run.variables[name]
        if name == ENVIRONMENT:
            return lambda run: run.environment
        return lambda run: run.environment.get(name)

    def _binary(self, node: Binary) -> Evaluate:
        left, right = self.compiled(node.left), self.compiled(node.right)
        if node.operator in {"==", "!="}:
            equality = operators.equality(node, left, right)
            return equality if node.operator == "==" else lambda run: not equality(run)
        return operators.BINARY[node.operator](left, right)

    # Members

    def _chain(self, body: Node) -> Evaluate:
        evaluate = self.compiled(body)

        def chained(run: Run) -> object:
            try:
                value = evaluate(run)
            except _Break:
                return None
            return None if is_nil(value) else value

        return chained

    def _member(self, node: Member) -> Evaluate:
        base = self.compiled(node.base)
        if isinstance(node.key, Constant):
            return _named(base, node.key.value, optional=node.optional)
        key = self.compiled(node.key)

        def found(run: Run) -> object:
            value = base(run)
            if node.optional and is_nil(value):
                raise _Break
            return member(value, key(run))

        return found

    def _slice(self, node: Slice) -> Evaluate:
        base = self.compiled(node.base)
        start = self.compiled(node.start or Constant(0))
        stop = self.compiled(node.stop or Constant(None))
        stops = node.stop is not None

        def cut(run: Run) -> object:
            value, last = base(run), stop(run)
            if stops:
                to_integer(last)
            return sliced(value, start(run), last, run.effort)

        return cut

    # Calls

    def _call(self, node: Call) -> Evaluate:
        arguments = [self.compiled(each) for each in node.arguments]
        if isinstance(node.callee, Name) and node.callee.name in self._functions:
            return _applied(node.callee.name, self._functions[node.callee.name], arguments)
        match node.callee:
            case Member(base, Constant(str(name)), optional) if name in time_functions.METHODS:
                return _method(self.compiled(base), name, arguments, optional=optional)
        callee = self.compiled(node.callee)
        return lambda run: functions.call(callee(run), [each(run) for each in arguments], run.effort)

    def _builtin(self, node: Builtin) -> Evaluate:
        arguments = [self.compiled(each) for each in node.arguments]
        if node.name == ADDED:
            return _added(arguments)
        if node.name == signatures.NOW:
            return _now(len(arguments))
        if node.name in functions.BY_NAME:
            return _applied(node.name, functions.BY_NAME[node.name], arguments)
        mapped = self.compiled(node.mapped) if node.mapped else None
        cost = sum(map(size, node.arguments[1:2])) + (size(node.mapped) if node.mapped else 0)
        return loops.compiled(node, arguments, mapped, cost)

    # The rest

    def _condition(self, node: Condition) -> Evaluate:
        test, then, otherwise = (self.compiled(each) for each in (node.test, node.then, node.otherwise))
        return lambda run: then(run) if boolean(test(run)) else otherwise(run)

    def _let(self, node: Let) -> Evaluate:
        value = self.compiled(node.value)
        self._variables.add(node.name)
        body = self.compiled(node.body)
        self._variables.discard(node.name)

        def declared(run: Run) -> object:
            run.variables[node.name] = value(run)
            return body(run)

        return declared


def _named(base: Evaluate, name: object, *, optional: bool) -> Evaluate:
    if not optional:
        return lambda run: member(base(run), name)

    def found(run: Run) -> object:
        value = base(run)
        if is_nil(value):
            raise _Break
        return member(value, name)

    return found


def _method(base: Evaluate, name: str, arguments: list[Evaluate], *, optional: bool) -> Evaluate:
    """The call of what is a method of times or durations, and may be a member of anything else."""

    def called(run: Run) -> object:
        value = base(run)
        given = [each(run) for each in arguments]
        if isinstance(value, Moment | Duration):
            return time_functions.call(value, name, given)
        if optional and is_nil(value):
            raise _Break
        return functions.call(member(value, name), given, run.effort)

    return called


def _now(arguments: int) -> Evaluate:
    if not signatures.takes(signatures.NOW, arguments):
        raise Refused(f"now() does not take {arguments} arguments")
    return lambda run: run.now()


def _applied(name: str, function: Callable[..., object], arguments: list[Evaluate]) -> Evaluate:
    if not signatures.takes(name, len(arguments)):
        raise Refused(f"{name}() does not take {len(arguments)} arguments")
    if len(arguments) == 1:
        (only,) = arguments
        return lambda run: function(run.effort, only(run))
    return lambda run: function(run.effort, *[each(run) for each in arguments])


def _added(arguments: list[Evaluate]) -> Evaluate:
    def summed(run: Run) -> object:
        *values, total = [each(run) for each in arguments]
        for value in reversed(values):
            total = arithmetic.add(value, total, run.effort)
        return total

    return summed


def _sequence(nodes: list[Evaluate]) -> Evaluate:
    return lambda run: [each(run) for each in nodes][-1]


def _array(items: list[Evaluate]) -> Evaluate:
    return lambda run: [each(run) for each in items]


def _map(pairs: list[tuple[Evaluate, Evaluate]]) -> Evaluate:
    """An object; of equal keys the first one counts."""

    def made(run: Run) -> object:
        found: dict[str, object] = {}
        for name, value in pairs:
            key, item = text(name(run)), value(run)
            found.setdefault(key, item)
        return found

    return made
