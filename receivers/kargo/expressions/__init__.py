"""The expressions of Kargo's generic receiver: expr-lang 1.17, and templates that hold such expressions."""

from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.evaluation import Expression, compile  # noqa: A004 - named as in re
from receivers.kargo.expressions.signatures import REFUSED

__all__ = ["REFUSED", "Expression", "ExpressionError", "Refused", "compile"]
