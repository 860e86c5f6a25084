"""What expr-lang 1.17 makes of an expression before it runs, as far as results show it.

Parts that are not needed go, and with them the errors that they would cause: ``x and false`` is false whatever x is,
``filter(…)[0]`` stops at the first item found, ``sum([a, b])`` is ``a + b`` even for strings.
"""

from collections.abc import Callable

from receivers.kargo.expressions.folding import constant, fold, typed
from receivers.kargo.expressions.syntax import (
    Array,
    Binary,
    Builtin,
    Constant,
    Member,
    Node,
    Pointer,
    Predicate,
)
from receivers.kargo.expressions.values import Bounds, IntegerSet, TextSet, wrapped

ADDED = "+"  # the sum of a function's arguments, from the last one on

type _Visit = Callable[[Node], Node]

_COMBINED = {("all", "and"): "and", ("all", "&&"): "&&", ("any", "or"): "or", ("any", "||"): "||"}
_COMBINED |= {("none", "and"): "or", ("none", "&&"): "||"}


def optimized(node: Node) -> Node:
    """The expression as it is run.

    Raises:
        ExpressionError: a literal is divided by zero.
    """
    names = _names(node)
    if "in" in names:
        node = _walked(node, _in_list)
    node = _folded(node)
    for visit, concerned in _VISITS:
        if concerned & names:
            node = _walked(node, visit)
    return node


def _names(node: Node) -> set[str]:
    """Of the functions and operators."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Builtin):
            found.add(one.name)
        elif isinstance(one, Binary):
            found.add(one.operator)
        waiting.extend(one.parts())
    return found


def _walked(node: Node, visit: _Visit) -> Node:
    node.replace(lambda each: _walked(each, visit))
    return visit(node)


def _folded(node: Node) -> Node:
    while True:
        count = [0]
        node = _walked(node, lambda each, count=count: _counted(each, fold(each), count))  # type: ignore[misc]
        if not count[0]:
            return node


def _counted(before: Node, after: Node, count: list[int]) -> Node:
    count[0] += before is not after
    return after


# Sets and ranges


def _in_list(node: Node) -> Node:
    match node:
        case Binary("in", left, Array(items)) if items:
            values = [each.value if isinstance(each, Constant) else None for each in items]
            if left.nature.kind == "int" and all(value.__class__ is int for value in values):
                return typed(Binary("in", left, Constant(IntegerSet(values))), node.nature)
            if all(isinstance(value, str) for value in values):
                return typed(Binary("in", left, Constant(TextSet(values))), node.nature)
    return node


def _in_range(node: Node) -> Node:
    match node:
        case Binary("in", left, Binary("..", first, last)) if left.nature.kind == "int" and _integers(first, last):
            bounds = Bounds(*(each.value for each in (first, last) if isinstance(each, Constant)))
            return typed(Binary("within", left, Constant(bounds)), node.nature)
    return node


def _integers(*nodes: Node) -> bool:
    return all(isinstance(node, Constant) and node.kind is int for node in nodes)


def _range(node: Node) -> tuple[int, int] | None:
    """How many integers a range of literals has, and their sum."""
    match node:
        case Binary("..", Constant(int(first)), Constant(int(last))) if _integers(node.left, node.right):
            if last < first:
                return None
            count = wrapped(last - first + 1)
            twice = wrapped(count * wrapped(first + last))
            return count, twice // 2 if twice >= 0 else -(-twice // 2)
    return None


def _sum_of_range(node: Node) -> Node:
    if not isinstance(node, Builtin) or node.name != "sum" or (found := _range(node.arguments[0])) is None:
        return node
    count, total = found
    if len(node.arguments) == 1:
        return constant(total)
    result = _summed(node.arguments[1], count, total)
    return node if result is None else constant(wrapped(result))


def _summed(predicate: Node, count: int, total: int) -> int | None:
    match predicate:
        case Predicate(Pointer("")):
            return total
        case Predicate(Binary(operator, Pointer(""), Constant(int(number)) as constant)) if constant.kind is int:
            return {"*": number * total, "+": total + count * number, "-": total - count * number}.get(operator)
        case Predicate(Binary(operator, Constant(int(number)) as constant, Pointer(""))) if constant.kind is int:
            return {"*": number * total, "+": total + count * number, "-": count * number - total}.get(operator)
    return None


def _reduced_range(node: Node) -> Node:
    match node:
        case Builtin("reduce", [numbers, Predicate(Binary("+", Pointer(one), Pointer(other))), *start]) if {
            one,
            other,
        } == {"", "acc"} and (found := _range(numbers)):
            if not start:
                return constant(found[1])
            if isinstance(start[0], Constant) and isinstance(start[0].value, int) and _integers(start[0]):
                return constant(wrapped(found[1] + start[0].value))
    return node


# Filters


def _mapped_filter(node: Node) -> Node:
    match node:
        case Builtin("map", [Builtin("filter", arguments, None), Predicate(body)]) if not _has_index(body):
            return typed(Builtin("filter", arguments, mapped=body), node.nature)
    return node


def _has_index(node: Node) -> bool:
    return (isinstance(node, Pointer) and node.name == "index") or any(map(_has_index, node.parts()))


def _length_of_filter(node: Node) -> Node:
    match node:
        case Builtin("len", [Builtin("filter", arguments)]):
            return typed(Builtin("count", arguments), node.nature)
    return node


def _last_of_filter(node: Node) -> Node:
    return _one_of_filter(node, "last", -1, "findLast")


def _first_of_filter(node: Node) -> Node:
    return _one_of_filter(node, "first", 0, "find")


def _one_of_filter(node: Node, function: str, index: int, finding: str) -> Node:
    match node:
        case Member(Builtin("filter", arguments) as found, Constant(int(position)) as key, False) if (
            position == index and key.kind is int
        ):
            return typed(Builtin(finding, arguments, found.mapped, throws=True), node.nature)
        case Builtin(name, [Builtin("filter", arguments) as found]) if name == function:
            return typed(Builtin(finding, arguments, found.mapped), node.nature)
    return node


def _combined(node: Node) -> Node:
    match node:
        case Binary(
            operator,
            Builtin(name, [items, Predicate() as one]),
            Builtin(other_name, [other_items, Predicate() as other]),
        ) if (name, operator) in _COMBINED and name == other_name and _alike(items, other_items):
            both = _combined(Binary(_COMBINED[name, operator], one.body, other.body))
            return typed(Builtin(name, [items, Predicate(both)]), node.nature)
    return node


def _alike(one: Node, other: Node) -> bool:
    return one == other and (one.nature.type or "any") == (other.nature.type or "any")


# Sums and counts


def _sum_of_list(node: Node) -> Node:
    match node:
        case Builtin("sum", [Array(items)]) if len(items) > 1:
            return typed(Builtin(ADDED, items), node.nature)
    return node


def _sum_of_map(node: Node) -> Node:
    match node:
        case Builtin("sum", [Builtin("map", arguments)]):
            return typed(Builtin("sum", arguments), node.nature)
    return node


def _any_counted(node: Node) -> Node:
    match node:
        case Binary(operator, Builtin("count", [_, _] as arguments), Constant(int(number)) as constant) if (
            constant.kind is int and (operator, number) in {(">", 0), (">=", 1)}
        ):
            return typed(Builtin("any", arguments), node.nature)
    return node


def _enough_counted(node: Node) -> Node:
    match node:
        case Binary(operator, Builtin("count", [_, _]) as count, Constant(int(number)) as constant) if (
            constant.kind is int and number >= 0
        ):
            enough = {">": number + 1, ">=": number, "<": number, "<=": number + 1}.get(operator, 0)
            count.enough = enough if enough > 1 else None
    return node


# What is done in this order, and the functions and operators that it is done with
_VISITS: list[tuple[_Visit, set[str]]] = [
    (_in_range, {"in"}),
    (_mapped_filter, {"filter"}),
    (_length_of_filter, {"filter"}),
    (_last_of_filter, {"filter"}),
    (_first_of_filter, {"filter"}),
    (_combined, {"all", "any", "none"}),
    (_sum_of_range, {"sum"}),
    (_reduced_range, {"reduce"}),
    (_sum_of_list, {"sum"}),
    (_sum_of_map, {"sum"}),
    (_any_counted, {"count", "filter"}),
    (_enough_counted, {"count", "filter"}),
]
