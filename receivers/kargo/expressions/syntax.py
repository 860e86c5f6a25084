"""What an expression consists of.

The names of operators and functions stand as text, as in the source. What an expression is known to give, before it is
run, stands in ``nature``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from receivers.kargo.expressions.natures import UNVISITED, Nature


@dataclass(slots=True)
class Node:
    """A part of an expression. Two are equal that are written alike."""

    nature: Nature = field(default=UNVISITED, init=False, compare=False, repr=False)
    height: int = field(default=1, init=False, compare=False, repr=False)
    weight: int = field(default=1, init=False, compare=False, repr=False)  # parts, and each as often as it is used

    def parts(self) -> "tuple[Node, ...]":
        """What it consists of, in the order in which it is written."""
        return ()

    def replace(self, change: "Callable[[Node], Node]") -> None:
        """Change each of these parts; what only optimizing adds is left alone."""


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

    def parts(self) -> tuple[Node, ...]:
        return (self.operand,)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.operand = change(self.operand)


@dataclass(slots=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.left, self.right = change(self.left), change(self.right)


@dataclass(slots=True)
class Chain(Node):
    """What is nil as a whole where one of its optional members is a member of nil."""

    body: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.body,)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.body = change(self.body)


@dataclass(slots=True)
class Member(Node):
    base: Node
    key: Node
    optional: bool = False

    def parts(self) -> tuple[Node, ...]:
        return (self.base, self.key)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.base, self.key = change(self.base), change(self.key)


@dataclass(slots=True)
class Slice(Node):
    base: Node
    start: Node | None
    stop: Node | None

    def parts(self) -> tuple[Node, ...]:
        return tuple(each for each in (self.base, self.start, self.stop) if each)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.base = change(self.base)
        self.start, self.stop = (each and change(each) for each in (self.start, self.stop))


@dataclass(slots=True)
class Call(Node):
    callee: Node
    arguments: list[Node]

    def parts(self) -> tuple[Node, ...]:
        return (self.callee, *self.arguments)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.callee, *self.arguments = map(change, (self.callee, *self.arguments))


@dataclass(slots=True)
class Builtin(Node):
    """The call of a function of the language. What optimizing adds are ``mapped``, ``throws`` and ``enough``."""

    name: str
    arguments: list[Node]
    mapped: Node | None = None  # what becomes of each item that a filter lets pass
    throws: bool = False  # whether it is an error that nothing is found
    enough: int | None = None  # how many items are counted at most

    def parts(self) -> tuple[Node, ...]:
        return (*self.arguments, self.mapped) if self.mapped else tuple(self.arguments)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.arguments = [*map(change, self.arguments)]


@dataclass(slots=True)
class Predicate(Node):
    """What is evaluated for each item."""

    body: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.body,)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.body = change(self.body)


@dataclass(slots=True)
class Condition(Node):
    test: Node
    then: Node
    otherwise: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.test, self.then, self.otherwise)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.test, self.then, self.otherwise = map(change, self.parts())


@dataclass(slots=True)
class Let(Node):
    name: str
    value: Node
    body: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.value, self.body)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.value, self.body = change(self.value), change(self.body)


@dataclass(slots=True)
class Sequence(Node):
    nodes: list[Node]

    def parts(self) -> tuple[Node, ...]:
        return tuple(self.nodes)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.nodes = [*map(change, self.nodes)]


@dataclass(slots=True)
class Array(Node):
    items: list[Node]

    def parts(self) -> tuple[Node, ...]:
        return tuple(self.items)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.items = [*map(change, self.items)]


@dataclass(slots=True)
class Map(Node):
    pairs: list[tuple[Node, Node]]

    def parts(self) -> tuple[Node, ...]:
        return tuple(each for pair in self.pairs for each in pair)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.pairs = [(change(key), change(value)) for key, value in self.pairs]


def size(node: Node) -> int:
    """How many parts it has, itself included."""
    return 1 + sum(map(size, node.parts()))
