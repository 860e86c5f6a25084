"""Texts with expressions in them: ``${{ … }}`` and ``${% … %}``.

What comes out is text that Kargo takes for a number, a bool or JSON wherever it can be read as such. Its expressions
have the functions of quoting.py in addition.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache

from receivers import limits
from receivers.kargo.effort import Effort
from receivers.kargo.expressions import printing, reading
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.evaluation import Expression, compile  # noqa: A004 - named as in re
from receivers.kargo.expressions.values import CHARACTERS_PER_UNIT

_DELIMITERS = {"${{": "}}", "${%": "%}"}
_BOOLS = dict.fromkeys(("t", "T", "TRUE", "true", "True"), True)  # "1" and "0" are numbers before
_BOOLS |= dict.fromkeys(("f", "F", "FALSE", "false", "False"), False)


def evaluate(source: str, environment: Mapping[str, object], effort: Effort, now: datetime | None = None) -> object:
    """What Kargo makes of a text: where there are expressions, a string only if it cannot be read as anything else.

    Raises:
        ExpressionError: an expression is none, fails, or gives what is not JSON.
        TooMuch: it would cost more effort than is left.
    """
    parts = _parts(source)
    return source if parts == (source,) else _typed(_said(_texts(parts, environment, effort, now)), effort)


def text(source: str, environment: Mapping[str, object], effort: Effort, now: datetime | None = None) -> str:
    """What a text says, where Kargo wants a string: as a name, a label's value or an index's.

    Kargo's rule is mended here. What is text stays text, so that a tag ``5`` or a name ``true`` of a payload counts,
    where Kargo finds a number or a bool, and fails. What is a string to Kargo is the same string here.

    Raises:
        ExpressionError: an expression is none or fails, or they give a number, a bool, null, a list or an object.
        TooMuch: it would cost more effort than is left.
    """
    parts = _parts(source)
    if parts == (source,):
        return source
    texts = [*_texts(parts, environment, effort, now)]
    said = _said(texts)
    value = _typed(said, effort)
    if isinstance(value, str):
        return value
    if any(written and not was_text for written, was_text in texts):
        raise ExpressionError("a string is wanted")
    return said


@lru_cache(maxsize=limits.TEMPLATES_REMEMBERED)
def _parts(source: str) -> tuple[str | Expression, ...]:
    """Its texts and expressions in turn."""
    if len(source) > limits.FORMULA:
        raise Refused(f"the text is longer than {limits.FORMULA} characters")
    parts: list[str | Expression] = []
    rest = source
    while found := _first(rest):
        before, expression, rest = found
        if not expression:
            return (*parts, before + rest, "")
        if len(parts) >= 2 * limits.TEMPLATE_EXPRESSIONS:
            raise Refused(f"the text has more than {limits.TEMPLATE_EXPRESSIONS} expressions")
        parts += [before, compile(expression, template=True)]
    return (*parts, rest)


def _first(source: str) -> tuple[str, str, str] | None:
    """What stands before the first expression, it, and the rest; None if there is none."""
    starts = {start: source.find(start) for start in _DELIMITERS if start in source}
    if not starts:
        return None
    start = min(starts, key=starts.__getitem__)
    before, _, after = source.partition(start)
    expression, end, rest = after.partition(_DELIMITERS[start])
    if not end:
        raise ExpressionError(f"an expression is not closed by {_DELIMITERS[start]}")
    return before, expression, rest


def _texts(
    parts: tuple[str | Expression, ...], environment: Mapping[str, object], effort: Effort, now: datetime | None
) -> Iterator[tuple[str, bool]]:
    """What each part says, and whether it was text."""
    for part in parts:
        value = part if isinstance(part, str) else part.evaluate(environment, effort, now)
        if isinstance(value, str):
            effort.demand(len(value) // CHARACTERS_PER_UNIT)
            yield value, True
        else:
            yield printing.to_json(value, effort), False


def _said(texts: Iterator[tuple[str, bool]] | list[tuple[str, bool]]) -> str:
    return "".join(written for written, _ in texts)


def _typed(said: str, effort: Effort) -> object:
    inner = said.removesuffix("\n")
    if len(inner) > 1 and inner.startswith('"') and inner.endswith('"'):
        return inner[1:-1] + said[len(inner) :]
    number = reading.floating(inner)
    if number is not None:
        return number
    if inner in _BOOLS:
        return _BOOLS[inner]
    try:
        return reading.json_value(inner, effort)
    except Refused:
        raise
    except ExpressionError:
        return said
