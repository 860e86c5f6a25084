"""What an expression consists of.

The names of operators and functions stand as text, as in the source. What an expression is known to give, before it is
run, stands in ``nature``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from receivers.kargo.expressions.natures import UNVISITED, Nature


@dataclass(slots=True)
class Node:
    """A part of an expression. Two are equal that are written alike."""

    nature: Nature = field(default=UNVISITED, init=False, compare=False, repr=False)
    height: int = field(default=1, init=False, compare=False, repr=False)
    weight: int = field(default=1, init=False, compare=False, repr=False)  # parts, and each as often as it is used


@dataclass(slots=True)
class Constant(Node):
    """nil, a truth value, a number or a text; a list of some of these, or a set to look into, once it is optimized."""

    value: object
    kind: type = field(init=False)  # as 1, 1.0 and true are not written alike

    def __post_init__(self) -> None:
        self.kind = type(self.value)


@dataclass(slots=True)
class Name(Node):
    """A variable."""

    name: str


@dataclass(slots=True)
class Pointer(Node):
    """``#``, ``#index`` or ``#acc``."""

    name: str


@dataclass(slots=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(slots=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(slots=True)
class Chain(Node):
    """What is nil as a whole where one of its optional members is a member of nil."""

    body: Node


@dataclass(slots=True)
class Member(Node):
    base: Node
    key: Node
    optional: bool = False


@dataclass(slots=True)
class Slice(Node):
    base: Node
    start: Node | None
    stop: Node | None


@dataclass(slots=True)
class Call(Node):
    callee: Node
    arguments: list[Node]


@dataclass(slots=True)
class Builtin(Node):
    """The call of a function of the language. What optimizing adds are ``mapped``, ``throws`` and ``enough``."""

    name: str
    arguments: list[Node]
    mapped: Node | None = None  # what becomes of each item that a filter lets pass
    throws: bool = False  # whether it is an error that nothing is found
    enough: int | None = None  # how many items are counted at most


@dataclass(slots=True)
class Predicate(Node):
    """What is evaluated for each item."""

    body: Node


@dataclass(slots=True)
class Condition(Node):
    test: Node
    then: Node
    otherwise: Node


@dataclass(slots=True)
class Let(Node):
    name: str
    value: Node
    body: Node


@dataclass(slots=True)
class Sequence(Node):
    nodes: list[Node]


@dataclass(slots=True)
class Array(Node):
    items: list[Node]


@dataclass(slots=True)
class Map(Node):
    pairs: list[tuple[Node, Node]]


def children(node: Node) -> Iterator[Node]:  # noqa: C901, PLR0912 - one case a kind of node
    """The parts of a part, in the order in which they are written."""
    match node:
        case Unary():
            yield node.operand
        case Binary():
            yield node.left
            yield node.right
        case Chain() | Predicate():
            yield node.body
        case Member():
            yield node.base
            yield node.key
        case Slice():
            yield node.base
            yield from (each for each in (node.start, node.stop) if each)
        case Call():
            yield node.callee
            yield from node.arguments
        case Builtin():
            yield from node.arguments
            yield from [node.mapped] if node.mapped else []
        case Condition():
            yield node.test
            yield node.then
            yield node.otherwise
        case Let():
            yield node.value
            yield node.body
        case Sequence():
            yield from node.nodes
        case Array():
            yield from node.items
        case Map():
            for pair in node.pairs:
                yield from pair
        case _:
            return


def size(node: Node) -> int:
    """How many parts it has, itself included."""
    return 1 + sum(map(size, children(node)))


def replaced(node: Node, function: Callable[[Node], Node]) -> Node:  # noqa: C901 - one case a kind of node
    """The node itself, after each of its parts is replaced, in the order in which they are written."""
    match node:
        case Unary():
            node.operand = function(node.operand)
        case Binary():
            node.left, node.right = function(node.left), function(node.right)
        case Chain() | Predicate():
            node.body = function(node.body)
        case Member():
            node.base, node.key = function(node.base), function(node.key)
        case Slice():
            node.base = function(node.base)
            node.start, node.stop = (each and function(each) for each in (node.start, node.stop))
        case Call():
            node.callee, *node.arguments = map(function, (node.callee, *node.arguments))
        case Builtin():
            node.arguments = [*map(function, node.arguments)]
        case Condition():
            node.test, node.then, node.otherwise = map(function, (node.test, node.then, node.otherwise))
        case Let():
            node.value, node.body = function(node.value), function(node.body)
        case Sequence():
            node.nodes = [*map(function, node.nodes)]
        case Array():
            node.items = [*map(function, node.items)]
        case Map():
            node.pairs = [(function(key), function(value)) for key, value in node.pairs]
    return node
