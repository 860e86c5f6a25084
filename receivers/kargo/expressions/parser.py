"""The syntax of expr-lang 1.17, read by recursive descent with operator precedence.

It is written by hand: the language is small, its precedences have peculiarities that no grammar states, and a parser
library would cost an import at the first delivery. https://expr-lang.org/docs/language-definition
"""

import re

from receivers import limits
from receivers.kargo.expressions import signatures
from receivers.kargo.expressions.cursor import Cursor
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.lexer import END, Token, tokens
from receivers.kargo.expressions.reading import literal
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

_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    ">=": 20,
    "<=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
_FROM_THE_RIGHT = {"**", "^"}
_COMPARISONS = {"<", ">", ">=", "<="}
_NEGATABLE = {"contains", "matches", "startsWith", "endsWith", "in"}
_LITERALS = {"true": True, "false": False, "nil": None}
_NAME = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


def parse(source: str) -> Node:
    """What a source says.

    Raises:
        ExpressionError: it is not right, too long or too deep, or calls a built-in that is refused here.
    """
    return _Parser(tokens(source)).whole()


class _Parser(Cursor):
    def __init__(self, found: list[Token]) -> None:
        super().__init__(found)
        self._predicates = 0  # that are open
        self._nesting = 0

    def whole(self) -> Node:
        node = self._sequence()
        if self._current is not END:
            raise self._unexpected()
        return node

    # Expressions

    def _sequence(self) -> Node:
        nodes = [self._expression(0)]
        while self._take("operator", ";") and self._current is not END:
            nodes.append(self._expression(0))
        return nodes[0] if len(nodes) == 1 else self._made(Sequence(nodes))

    def _expression(self, precedence: int) -> Node:
        self._nesting += 1
        if self._nesting > limits.FORMULA_NESTING:
            raise Refused("the expression is nested too deeply")
        try:
            if precedence == 0 and self._take("operator", "let"):
                return self._let()
            if precedence == 0 and self._take("operator", "if"):
                return self._if()
            node = self._binary(self._primary(), precedence)
            return self._ternary(node) if precedence == 0 else node
        finally:
            self._nesting -= 1

    def _let(self) -> Node:
        name = self._expect_name()
        self._expect("operator", "=")
        value = self._expression(0)
        self._expect("operator", ";")
        return self._made(Let(name, value, self._sequence()))

    def _if(self) -> Node:
        test = self._expression(0)
        then = self._block()
        self._expect("operator", "else")
        if not self._is("operator", "if"):
            return self._made(Condition(test, then, self._block()))
        return self._made(Condition(test, then, self._expression(0)))

    def _block(self) -> Node:
        self._expect("bracket", "{")
        node = self._sequence()
        self._expect("bracket", "}")
        return node

    def _ternary(self, node: Node) -> Node:
        while self._take("operator", "?"):
            then = node
            if not self._take("operator", ":"):
                then = self._expression(0)
                self._expect("operator", ":")
            node = self._made(Condition(node, then, self._expression(0)))
        return node

    def _binary(self, left: Node, precedence: int) -> Node:
        before = ""
        while self._current.kind == "operator":
            negated = self._current.text == "not"
            operator = self._tokens[self._position + 1].text if negated else self._current.text
            if negated and operator not in _NEGATABLE:
                raise self._unexpected()
            if _BINARY.get(operator, -1) < precedence:
                break
            if negated:
                self._next()
            self._next()
            if before == "??" and operator not in {"??", "|"}:
                raise ExpressionError(f"?? and {operator} cannot be mixed without parentheses")
            left = self._operated(operator, left, _BINARY[operator])
            if negated:
                left = self._made(Unary("not", left))
            before = operator
        return left

    def _operated(self, operator: str, left: Node, precedence: int) -> Node:
        if operator == "|":
            return self._call(self._expect_name(), [left])
        if operator in _COMPARISONS:
            return self._comparison(operator, left, precedence)
        right = self._expression(precedence if operator in _FROM_THE_RIGHT else precedence + 1)
        return self._made(Binary(operator, left, right))

    def _comparison(self, operator: str, left: Node, precedence: int) -> Node:
        """A comparison, or a chain of them as 1 < 2 < 3."""
        right = self._expression(precedence + 1)
        node: Node = self._made(Binary(operator, left, right))
        while self._current.kind == "operator" and self._current.text in _COMPARISONS:
            operator, left = self._next().text, right
            right = self._expression(precedence + 1)
            node = self._made(Binary("&&", node, self._made(Binary(operator, left, right))))
        return node

    # Operands

    def _primary(self) -> Node:
        token = self._current
        if token.kind == "operator":
            return self._operator(token.text)
        if self._take("bracket", "("):
            node = self._sequence()
            self._expect("bracket", ")")
            return self._postfixed(node)
        return self._operand()

    def _operator(self, operator: str) -> Node:
        if operator in _UNARY:
            self._next()
            return self._made(Unary(operator, self._expression(_UNARY[operator])))
        if self._predicates and operator in {"#", "."}:
            name = ""
            if self._take("operator", "#") and self._current.kind == "name":
                name = self._next().text
            return self._postfixed(self._made(Pointer(name)))
        if self._take("operator", "::"):
            return self._postfixed(self._call(self._expect_name(), []))
        raise self._unexpected()

    def _operand(self) -> Node:  # noqa: PLR0911 - one case a kind of operand
        token = self._next()
        match token.kind:
            case "name" if token.text in _LITERALS:
                return self._made(Constant(_LITERALS[token.text]))
            case "name" if self._is("bracket", "("):
                return self._postfixed(self._call(token.text, []))
            case "name":
                return self._postfixed(self._made(Name(token.text)))
            case "number":
                return self._made(Constant(literal(token.text)))
            case "text":
                return self._postfixed(self._made(Constant(token.text)))
        if token.text == "[":
            return self._postfixed(self._made(Array(self._items("]"))))
        if token.text == "{":
            return self._postfixed(self._made(Map(self._pairs())))
        raise ExpressionError(f"unexpected {token}")

    def _items(self, end: str) -> list[Node]:
        """What is separated by commas, up to a bracket; one more comma may stand before it."""
        items: list[Node] = []
        while not self._take("bracket", end):
            if items:
                self._expect("operator", ",")
                if self._take("bracket", end):
                    break
            items.append(self._expression(0))
        return items

    def _pairs(self) -> list[tuple[Node, Node]]:
        pairs: list[tuple[Node, Node]] = []
        while not self._take("bracket", "}"):
            if pairs:
                self._expect("operator", ",")
                if self._take("bracket", "}"):
                    break
            key = self._key()
            self._expect("operator", ":")
            pairs.append((key, self._expression(0)))
        return pairs

    def _key(self) -> Node:
        if self._current.kind in {"number", "text", "name"}:
            return self._made(Constant(self._next().text))
        if self._is("bracket", "("):
            return self._expression(0)
        raise self._unexpected()

    # Calls

    def _call(self, name: str, piped: list[Node]) -> Node:
        if name in signatures.REFUSED:
            raise Refused(f"{name}() is not supported")
        if name in signatures.PREDICATES:
            return self._made(Builtin(name, self._predicate_arguments(name, piped)))
        self._expect("bracket", "(")
        arguments = [*piped, *self._items(")")]
        if name in signatures.FUNCTIONS:
            return self._made(Builtin(name, arguments))
        return self._made(Call(self._made(Name(name)), arguments))

    def _predicate_arguments(self, name: str, arguments: list[Node]) -> list[Node]:
        self._expect("bracket", "(")
        wanted = signatures.PREDICATES[name][len(arguments) :]
        for position, kind in enumerate(wanted):
            if kind.endswith("?") and self._is("bracket", ")"):
                break
            if position:
                self._expect("operator", ",")
            arguments.append(self._predicate() if kind.startswith("predicate") else self._expression(0))
        self._take("operator", ",")
        self._expect("bracket", ")")
        return arguments

    def _predicate(self) -> Node:
        self._predicates += 1
        body = self._block() if self._is("bracket", "{") else self._expression(0)
        self._predicates -= 1
        return self._made(Predicate(body))

    # Members

    def _postfixed(self, node: Node) -> Node:
        while True:
            if self._take("operator", "."):
                node = self._member(node, optional=False)
            elif self._take("operator", "?."):
                optional_index = self._take("bracket", "[")
                node = self._index(node, optional=True) if optional_index else self._member(node, optional=True)
            elif self._take("bracket", "["):
                node = self._index(node, optional=False)
            else:
                return node

    def _member(self, node: Node, *, optional: bool) -> Node:
        token = self._next()
        if token.kind not in {"name", "operator"} or not _NAME.fullmatch(token.text):
            raise ExpressionError("a name is expected after a dot")
        chained = isinstance(node, Chain)
        base = node.body if isinstance(node, Chain) else node
        node = self._made(Member(base, self._made(Constant(token.text)), optional))
        if self._take("bracket", "("):
            node = self._made(Call(node, self._items(")")))
        return self._made(Chain(node)) if chained or optional else node

    def _index(self, node: Node, *, optional: bool) -> Node:
        if self._take("operator", ":"):
            return self._slice(node, None)
        key = self._expression(0)
        if self._take("operator", ":"):
            return self._slice(node, key)
        self._expect("bracket", "]")
        node = self._made(Member(node, key, optional))
        return self._made(Chain(node)) if optional else node

    def _slice(self, node: Node, start: Node | None) -> Node:
        stop = None if self._is("bracket", "]") else self._expression(0)
        self._expect("bracket", "]")
        return self._made(Slice(node, start, stop))
