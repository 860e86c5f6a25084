"""Text as values: JSON and numbers, by Go's rules."""

import json
import math
import re

from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.values import LARGEST_INTEGER, SMALLEST_INTEGER
from receivers.text import clipped, well_formed

_CHARACTERS_PER_UNIT = 8  # of JSON that is read: small numbers are the slowest
_DIGITS = r"\d(?:_?\d)*"
_HEX = r"[\da-fA-F](?:_?[\da-fA-F])*"
_DECIMAL = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?",
    re.ASCII,
)
_HEXADECIMAL = re.compile(
    rf"[+-]?0[xX]_?(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}",
    re.ASCII,
)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_SPECIAL = re.compile(r"[+-]?inf(?:inity)?|nan", re.ASCII | re.IGNORECASE)
_LONGEST_NUMBER = 1_000  # characters; longer ones are refused


def integer(text: str) -> int | None:
    """A decimal integer of 64 bits; None if it is none."""
    if len(text) > _LONGEST_NUMBER or not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if SMALLEST_INTEGER <= number <= LARGEST_INTEGER else None


def floating(text: str) -> float | None:
    """A number as Go writes floats, among them ``1_000``, ``0x1p-2`` and ``inf``; None if it is none, or too large.

    https://pkg.go.dev/strconv#ParseFloat
    """
    if len(text) > _LONGEST_NUMBER:
        return None
    if _SPECIAL.fullmatch(text):
        return float(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else None
    if not _HEXADECIMAL.fullmatch(text):
        return None
    try:
        return float.fromhex(text.replace("_", ""))
    except OverflowError:
        return None


def json_value(text: str, effort: Effort) -> object:
    """A JSON document, with every number a float.

    Raises:
        ExpressionError: it is none, or is nested too deeply.
    """
    effort.demand(len(text) // _CHARACTERS_PER_UNIT)
    try:
        return _well_formed(_DECODER.decode(text)) if "\\u" in text else _DECODER.decode(text)
    except RecursionError:
        raise Refused("a JSON document is nested too deeply") from None
    except ValueError:
        raise ExpressionError("not a JSON document") from None


def _well_formed(value: object) -> object:
    match value:
        case str():
            return well_formed(value)
        case list():
            return [*map(_well_formed, value)]
        case dict():
            return {well_formed(key): _well_formed(item) for key, item in value.items()}
    return value


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _refuse(constant: str) -> float:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse)


def literal(text: str) -> float:
    """A number of an expression. Raises ExpressionError for what is none, or too large."""
    text = text.replace("_", "").lower()
    if text.startswith("0x") or not any(each in text for each in ".e"):
        return _integer_literal(text)
    try:
        number = float(text)
    except ValueError:
        raise ExpressionError(f"{clipped(text, 40)} is no number") from None
    if math.isinf(number):
        raise ExpressionError(f"{clipped(text, 40)} is too large")
    return number


def _integer_literal(text: str) -> int:
    base = {"0x": 16, "0o": 8, "0b": 2}.get(text[:2], 10)
    try:
        number = int(text, base)
    except ValueError:
        raise ExpressionError(f"{clipped(text, 40)} is no number") from None
    if not SMALLEST_INTEGER <= number <= LARGEST_INTEGER:
        raise ExpressionError(f"{clipped(text, 40)} is too large")
    return number
