"""What expr-lang finds wrong with an expression before it runs, and what each part of one is known to give.

The arguments of a call whose function is not known, and the bounds of a slice of what is not known, are not looked at:
what is wrong with them shows when it is reached.
"""

from receivers import limits
from receivers.kargo import patterns
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import signatures, time_functions
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.natures import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    FUNCTION,
    GROUPS,
    INT,
    LIST,
    MAP,
    NIL,
    STRING,
    TIME,
    UNKNOWN,
    Nature,
)
from receivers.kargo.expressions.operator_natures import operated
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
)

ENVIRONMENT = "$env"
_LITERALS: dict[type, Nature] = {type(None): NIL, bool: BOOL, int: INT, float: FLOAT, str: STRING}
_POINTERS = {"map": {"index"}, "reduce": {"index", "acc"}}
_FINDING = {"all", "none", "any", "one", "filter", "find", "findLast", "findIndex", "findLastIndex", "count"}


def check(node: Node, *, template: bool) -> None:
    """Note on every part what it is known to give.

    Raises:
        ExpressionError: parts do not fit each other, or a regular expression is none, or too large.
    """
    _check_patterns(node, Effort(limits.COMPILING_EFFORT))
    _Checker(template=template).nature(node)


def _check_patterns(node: Node, effort: Effort) -> None:
    match node:
        case Binary("matches", _, Constant(str(text))):
            _check_pattern(text, effort)
    for each in node.parts():
        _check_patterns(each, effort)


def _check_pattern(text: str, effort: Effort) -> None:
    try:
        patterns.compile([text], effort=effort)
    except patterns.InvalidPattern as error:
        raise ExpressionError(f"not a regular expression: {error}") from None
    except TooMuch as error:
        raise Refused(f"a regular expression cannot be used: {error}") from None


class _Checker:
    def __init__(self, *, template: bool) -> None:
        self._functions = signatures.TEMPLATE_OVERLOADS if template else {}
        self._variables: dict[str, Nature] = {}
        self._scopes: list[tuple[Nature, set[str]]] = []  # the collection and the pointers of each open predicate

    def nature(self, node: Node) -> Nature:
        node.nature = self._of(node)
        return node.nature

    def _of(self, node: Node) -> Nature:  # noqa: C901, PLR0911, PLR0912 - one case a kind of node
        match node:
            case Constant():
                return _LITERALS[node.kind]
            case Name():
                return self._name(node.name)
            case Pointer():
                return self._pointer(node.name)
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Chain():
                return self.nature(node.body)
            case Member():
                return self._member(node)
            case Slice():
                return self._slice(node)
            case Call():
                return self._call(node)
            case Builtin():
                return self._builtin(node)
            case Predicate():
                return self._predicate(node)
            case Condition():
                return self._condition(node)
            case Let():
                return self._let(node)
            case Sequence():
                return [self.nature(each) for each in node.nodes][-1]
            case Array():
                return self._array(node)
            case Map():
                for each in node.parts():
                    self.nature(each)
                return MAP
        raise AssertionError(node)

    def _name(self, name: str) -> Nature:
        if name in self._variables:
            return self._variables[name]
        return FUNCTION if name in signatures.BUILTINS or name in self._functions else UNKNOWN

    def _pointer(self, name: str) -> Nature:
        collection, names = self._scopes[-1]
        if not name:
            return UNKNOWN if collection.unknown else collection.element
        if name not in names:
            raise ExpressionError(f"#{name} is not known here")
        return UNKNOWN if name == "acc" else INT

    def _unary(self, node: Unary) -> Nature:
        operand = self.nature(node.operand)
        logical = node.operator in {"!", "not"}
        if operand.unknown or (operand.type == "bool" if logical else operand.number):
            return BOOL if logical else UNKNOWN if operand.unknown else operand
        raise ExpressionError(f"{node.operator} cannot be applied to {_shown(operand)}")

    def _binary(self, node: Binary) -> Nature:
        left, right = self.nature(node.left), self.nature(node.right)
        nature = operated(node.operator, left, right)
        if nature is None:
            raise ExpressionError(f"{node.operator} cannot be applied to {_shown(left)} and {_shown(right)}")
        return nature

    def _member(self, node: Member, *, called: bool = False) -> Nature:
        if isinstance(node.base, Name) and node.base.name == ENVIRONMENT:
            return UNKNOWN
        base, key = self.nature(node.base), self.nature(node.key)
        if base.unknown:
            return UNKNOWN
        if base in {TIME, DURATION}:
            return self._method(base, node.key, called=called)
        if base.kind == "list" and (key.unknown or key.type == "int"):
            return base.element
        if base.kind == "map" and (key.unknown or key.assignable(base.key)):
            return base.element
        raise ExpressionError(f"{_shown(base)} has no such member")

    def _method(self, base: Nature, key: Node, *, called: bool) -> Nature:
        name = key.value if isinstance(key, Constant) else None
        method = time_functions.METHODS.get(name) if called and isinstance(name, str) else None
        if method is None or method.base != base:
            raise Refused(f"{_shown(base)}: its member {name or 'of that name'} is not supported")
        return Nature("method", "func", item=method.argument, out=method.result)

    def _slice(self, node: Slice) -> Nature:
        base = self.nature(node.base)
        if base.unknown:
            return UNKNOWN
        if base.kind not in {"string", "list"}:
            raise ExpressionError(f"{_shown(base)} cannot be sliced")
        for bound in (node.start, node.stop):
            nature = self.nature(bound) if bound else INT
            if nature.type != "int" and not nature.unknown:
                raise ExpressionError("the bounds of a slice must be integers")
        return base

    def _call(self, node: Call) -> Nature:
        match node.callee:
            case Name(name) if name in self._functions and name not in self._variables:
                natures = [self.nature(each) for each in node.arguments]
                return signatures.overloaded(name, self._functions[name], natures)
            case Name(name) if name == ENVIRONMENT:
                raise ExpressionError(f"{name} cannot be called")
        callee = self._member(node.callee, called=True) if isinstance(node.callee, Member) else self.nature(node.callee)
        if callee.type == "method":
            return self._called(callee, node.arguments)
        if not callee.unknown:
            raise ExpressionError(f"{_shown(callee)} cannot be called")
        return UNKNOWN

    def _called(self, method: Nature, arguments: list[Node]) -> Nature:
        given = [self.nature(each) for each in arguments]
        wanted = [method.item] if method.item else []
        if len(given) != len(wanted) or any(each.type and each not in {*wanted, ANY} for each in given):
            raise Refused("a method of a time or a duration cannot take these arguments")
        return method.out or UNKNOWN

    # Functions of the language

    def _builtin(self, node: Builtin) -> Nature:
        if node.name not in signatures.PREDICATES:
            return signatures.result(node.name, [self.nature(each) for each in node.arguments])
        collection = self.nature(node.arguments[0])
        if collection.kind != "list" and not collection.unknown:
            raise ExpressionError(f"{node.name}() takes a list, not {_shown(collection)}")
        if len(node.arguments) == 1:
            return INT if node.name == "count" else collection.element if collection.kind == "list" else UNKNOWN
        out = self._in_scope(node, collection)
        self._check_order(node)
        return _looped(node.name, collection, out)

    def _in_scope(self, node: Builtin, collection: Nature) -> Nature:
        self._scopes.append((collection, _POINTERS.get(node.name, set())))
        predicate = self.nature(node.arguments[1])
        self._scopes.pop()
        out = predicate.out or UNKNOWN
        if out.nil:
            raise ExpressionError(f"the predicate of {node.name}() is always nil")
        if node.name in _FINDING and out.type != "bool" and not out.unknown:
            raise ExpressionError(f"the predicate of {node.name}() must be bool, not {_shown(out)}")
        return out

    def _check_order(self, node: Builtin) -> None:
        for each in node.arguments[2:]:
            order = self.nature(each)
            if node.name == "sortBy" and order.type != "string" and not order.unknown:
                raise ExpressionError(f"the order of sortBy() must be a string, not {_shown(order)}")

    def _predicate(self, node: Predicate) -> Nature:
        return Nature("predicate", "func", out=self.nature(node.body))

    # The rest

    def _condition(self, node: Condition) -> Nature:
        test = self.nature(node.test)
        if test.type != "bool" and not test.unknown:
            raise ExpressionError(f"a condition must be bool, not {_shown(test)}")
        then, otherwise = self.nature(node.then), self.nature(node.otherwise)
        if then.nil or otherwise.nil:
            return otherwise if then.nil else then
        if not then.assignable(otherwise):
            return UNKNOWN
        if then.kind == otherwise.kind == "list":
            one, other = then.element, otherwise.element
            return then if one.assignable(other) and other.assignable(one) else LIST
        return then

    def _let(self, node: Let) -> Nature:
        if node.name in signatures.BUILTINS or node.name in self._functions or node.name in self._variables:
            raise ExpressionError(f"{node.name} is declared already")
        value = self.nature(node.value)
        self._variables[node.name] = value
        nature = self.nature(node.body)
        del self._variables[node.name]
        return nature

    def _array(self, node: Array) -> Nature:
        natures = [self.nature(each) for each in node.items]
        if len({each.kind for each in natures}) > 1:
            return LIST
        return (natures[-1] if natures else UNKNOWN).listed()


def _looped(name: str, collection: Nature, out: Nature) -> Nature:  # noqa: PLR0911 - one case a function
    match name:
        case "all" | "none" | "any" | "one":
            return BOOL
        case "filter":
            return LIST if collection.unknown else collection.element.listed()
        case "map":
            return out.listed()
        case "count" | "findIndex" | "findLastIndex":
            return INT
        case "sum":
            return ANY if out.unknown else out.plain
        case "find" | "findLast":
            return UNKNOWN if collection.unknown else collection.element
        case "groupBy":
            return GROUPS
        case "sortBy":
            return collection
    return out


def _shown(nature: Nature) -> str:
    return "nil" if nature.nil else nature.type or "something"
