"""A way through an expression's tokens, and what is made on it."""

from receivers import limits
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.lexer import END, Token
from receivers.kargo.expressions.syntax import Node


class Cursor:
    """Stands at a token, and counts what is made of those that it has passed."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._position = 0
        self._current = found[0]
        self._nodes = 0

    def _next(self) -> Token:
        token = self._current
        if token is END:
            raise ExpressionError("the expression ends too early")
        self._position += 1
        self._current = self._tokens[self._position]
        return token

    def _is(self, kind: str, text: str) -> bool:
        return self._current.kind == kind and self._current.text == text

    def _take(self, kind: str, text: str) -> bool:
        """Go on if such a token is next; whether it was."""
        if not self._is(kind, text):
            return False
        self._next()
        return True

    def _expect(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise self._unexpected()

    def _expect_name(self) -> str:
        if self._current.kind != "name":
            raise self._unexpected()
        return self._next().text

    def _unexpected(self) -> ExpressionError:
        return ExpressionError(f"unexpected {self._current}")

    def _made[Made: Node](self, node: Made) -> Made:
        self._nodes += 1
        parts = [*node.parts()]
        node.height = 1 + max((each.height for each in parts), default=0)
        node.weight = 1 + sum(each.weight for each in parts)
        if max(self._nodes, node.weight) > limits.FORMULA_NODES:
            raise Refused(f"the expression has more than {limits.FORMULA_NODES} parts")
        if node.height > limits.FORMULA_HEIGHT:
            raise Refused("the expression is nested too deeply")
        return node
