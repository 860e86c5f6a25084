"""Where expr-lang 1.17 takes a truth value that findLast left behind for what it looks for.

Its loops from the end forget to remove what says that they go on. These values stay below the result, so that an
operand, an item or an argument that stands before such a loop is mistaken. Nobody can want what comes out, and to give
something else would be unlike Kargo, so such expressions are refused. ``last(filter(…))`` and ``filter(…)[-1]`` are
such loops too, see optimizer.py.
"""

from receivers.kargo.expressions.errors import Refused
from receivers.kargo.expressions.signatures import PREDICATES
from receivers.kargo.expressions.syntax import Array, Binary, Builtin, Call, Map, Member, Node, Slice

_FROM_THE_END = {"findLast", "findLastIndex"}
_SHORT_CIRCUITS = {"and", "&&", "or", "||", "??"}
_COLLECTING = {"map", "filter"}


def refuse_leftovers(node: Node) -> None:
    """Raises Refused if a value that is left behind would be mistaken for another one."""
    _leaves(node)


def _leaves(node: Node) -> bool:
    """Whether something may be left below the result."""
    parts = [*node.parts()]
    leaving = [_leaves(each) for each in parts]
    if any(leave for leave, part in zip(leaving, parts, strict=True) if _mistaken(node, part, first=part is parts[0])):
        raise Refused("findLast(), findLastIndex() or last(filter()) stands where expr-lang 1.17 mistakes its result")
    return any(leaving) or (isinstance(node, Builtin) and node.name in _FROM_THE_END)


def _mistaken(node: Node, part: Node, *, first: bool) -> bool:
    """Whether something stands before a part that is taken together with it."""
    match node:
        case Binary(operator):
            return not first and operator not in _SHORT_CIRCUITS
        case Call():
            return bool(node.arguments) and part is not node.arguments[0]
        case Builtin(name) if name in PREDICATES:
            return not first and name in _COLLECTING
        case Builtin() | Array() | Map() | Member() | Slice():
            return not first
    return False
