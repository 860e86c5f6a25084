"""What an expression consists of.

The names of operators and functions stand as text, as in the source. What an expression is known to give, before it is
run, stands in ``nature``.
"""

from collections.abc import Callable

import msgspec

from receivers.kargo.expressions.natures import UNVISITED, Nature


class Node(msgspec.Struct, kw_only=True, eq=False):
    """A part of an expression. Two are equal that are written alike."""

    nature: Nature = UNVISITED
    height: int = 1
    weight: int = 1  # parts, and each as often as it is used

    def __eq__(self, other: object) -> bool:
        written = set(self.__struct_fields__) - set(Node.__struct_fields__)
        return self.__class__ is other.__class__ and all(
            getattr(self, each) == getattr(other, each) for each in written
        )

    __hash__ = None  # type: ignore[assignment]

    def parts(self) -> "tuple[Node, ...]":
        """What it consists of, in the order in which it is written."""
        return ()

    def replace(self, change: "Callable[[Node], Node]") -> None:
        """Change each of these parts; what only optimizing adds is left alone."""


class Constant(Node, eq=False):
    """nil, a truth value, a number or a text; a list of some of these, or a set to look into, once it is optimized."""

    value: object

    @property
    def kind(self) -> type:
        return type(self.value)

    def __eq__(self, other: object) -> bool:
        """1, 1.0 and true are not written alike."""
        return isinstance(other, Constant) and self.kind is other.kind and self.value == other.value

    __hash__ = None


class Name(Node, eq=False):
    """A variable."""

    name: str


class Pointer(Node, eq=False):
    """``#``, ``#index`` or ``#acc``."""

    name: str


class Unary(Node, eq=False):
    operator: str
    operand: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.operand,)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.operand = change(self.operand)


class Binary(Node, eq=False):
    operator: str
    left: Node
    right: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.left, self.right = change(self.left), change(self.right)


class Chain(Node, eq=False):
    """What is nil as a whole where one of its optional members is a member of nil."""

    body: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.body,)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.body = change(self.body)


class Member(Node, eq=False):
    base: Node
    key: Node
    optional: bool = False

    def parts(self) -> tuple[Node, ...]:
        return (self.base, self.key)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.base, self.key = change(self.base), change(self.key)


class Slice(Node, eq=False):
    base: Node
    start: Node | None
    stop: Node | None

    def parts(self) -> tuple[Node, ...]:
        return tuple(each for each in (self.base, self.start, self.stop) if each)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.base = change(self.base)
        self.start, self.stop = (each and change(each) for each in (self.start, self.stop))


class Call(Node, eq=False):
    callee: Node
    arguments: list[Node]

    def parts(self) -> tuple[Node, ...]:
        return (self.callee, *self.arguments)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.callee, *self.arguments = map(change, (self.callee, *self.arguments))


class Builtin(Node, eq=False):
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


class Predicate(Node, eq=False):
    """What is evaluated for each item."""

    body: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.body,)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.body = change(self.body)


class Condition(Node, eq=False):
    test: Node
    then: Node
    otherwise: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.test, self.then, self.otherwise)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.test, self.then, self.otherwise = map(change, self.parts())


class Let(Node, eq=False):
    name: str
    value: Node
    body: Node

    def parts(self) -> tuple[Node, ...]:
        return (self.value, self.body)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.value, self.body = change(self.value), change(self.body)


class Sequence(Node, eq=False):
    nodes: list[Node]

    def parts(self) -> tuple[Node, ...]:
        return tuple(self.nodes)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.nodes = [*map(change, self.nodes)]


class Array(Node, eq=False):
    items: list[Node]

    def parts(self) -> tuple[Node, ...]:
        return tuple(self.items)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.items = [*map(change, self.items)]


class Map(Node, eq=False):
    pairs: list[tuple[Node, Node]]

    def parts(self) -> tuple[Node, ...]:
        return tuple(each for pair in self.pairs for each in pair)

    def replace(self, change: Callable[[Node], Node]) -> None:
        self.pairs = [(change(key), change(value)) for key, value in self.pairs]


def size(node: Node) -> int:
    """How many parts it has, itself included."""
    return 1 + sum(map(size, node.parts()))
