"""What expr-lang 1.17 computes of an expression's literals before it runs."""

from collections.abc import Callable

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import arithmetic
from receivers.kargo.expressions.natures import BOOL, FLOAT, INT, LIST, STRING, Nature
from receivers.kargo.expressions.syntax import Array, Binary, Builtin, Constant, Node, Predicate, Unary

_NATURES: dict[type, Nature] = {bool: BOOL, int: INT, float: FLOAT, str: STRING, list: LIST}
_NUMBERS = {int, float}
_PLENTY = 1_000_000  # of effort: literals are no longer than the source


def fold(node: Node) -> Node:
    match node:
        case Unary():
            return _fold_unary(node)
        case Binary():
            return _fold_binary(node)
        case Array(items) if items and all(isinstance(each, Constant) and each.kind in _NATURES for each in items):
            values = [each.value for each in items if isinstance(each, Constant)]
            return node if any(isinstance(each, list) for each in values) else constant(values)
        case Builtin("filter", [Builtin("filter", [base, Predicate() as one]), Predicate() as other]):
            both = Predicate(Binary("&&", one.body, other.body))
            return typed(Builtin("filter", [base, both]), node.nature)
    return node


def _fold_unary(node: Unary) -> Node:
    match node.operand:
        case Constant(value) as operand if operand.kind in _NUMBERS and node.operator in {"-", "+"}:
            return constant(arithmetic.negate(value)) if node.operator == "-" else operand
        case Constant(bool(value)) if node.operator in {"!", "not"}:
            return constant(not value)
    return node


def _fold_binary(node: Binary) -> Node:
    if node.operator in {"and", "&&"}:
        return _fold_logical(node, neutral=True)
    if node.operator in {"or", "||"}:
        return _fold_logical(node, neutral=False)
    if isinstance(node.left, Constant) and isinstance(node.right, Constant):
        return _computed(node, node.left, node.right)
    return node


def _fold_logical(node: Binary, *, neutral: bool) -> Node:
    left, right = _truth(node.left), _truth(node.right)
    if left is neutral:
        return typed(node.right, node.nature)
    if right is neutral:
        return typed(node.left, node.nature)
    return node if left is None and right is None else constant(not neutral)


def _truth(node: Node) -> bool | None:
    return node.value if isinstance(node, Constant) and isinstance(node.value, bool) else None


def _computed(node: Binary, left: Constant, right: Constant) -> Node:
    operator, one, other = node.operator, left.value, right.value
    kinds = {left.kind, right.kind}
    if operator == "==" and left.kind is right.kind and left.kind in {int, str, bool}:
        return constant(one == other)
    if operator == "+" and (kinds == {str} or kinds <= _NUMBERS):
        return constant(arithmetic.add(one, other, Effort(_PLENTY)))
    if operator == "%" and kinds == {int}:
        return constant(arithmetic.modulo(one, other))
    if kinds <= _NUMBERS and operator in _COMPUTED:
        return constant(_COMPUTED[operator](one, other))
    return node


_COMPUTED: dict[str, Callable[[object, object], object]] = {
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "**": arithmetic.power,
    "^": arithmetic.power,
}


def typed[Made: Node](node: Made, nature: Nature) -> Made:
    node.nature = nature.plain
    return node


def constant(value: object) -> Node:
    return typed(Constant(value), _NATURES[value.__class__])
