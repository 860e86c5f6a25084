"""What is wrong with an expression, or with what it does."""


class ExpressionError(ValueError):
    """An expression that cannot be compiled, that fails, or that is refused here. The message says why."""


class Refused(ExpressionError):
    """It may be right, but is not had here: it is too large, or Go's answer cannot be told."""
