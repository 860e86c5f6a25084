"""The functions of expr-lang on strings. Lengths and positions that Go counts in bytes are counted in bytes."""

import base64
import binascii
import re
from collections.abc import Callable

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import printing, reading
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.values import (
    CHARACTERS_PER_UNIT,
    ITEMS_PER_UNIT,
    NoList,
    NoStrings,
    Strings,
    encoded,
    listed,
    text,
    to_integer,
)

BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_COMPARED_PER_UNIT = 4096  # characters
_LEAST_COMPARED = 8  # for every character of a string that is looked through
_MOST_COMPARED = 100  # Python looks for longer ones in another way
_MOST_REPEATED = 1_000_000  # as in expr-lang
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def _given(value: object, effort: Effort) -> str:
    """A string that is read, and maybe built anew."""
    given = text(value)
    effort.demand(len(given) // CHARACTERS_PER_UNIT)
    return given


def _searched(value: object, sought: object, effort: Effort) -> tuple[str, str]:
    """A string that is looked through for another one; what is sought may nearly be found over and over."""
    given, wanted = text(value), text(sought)
    effort.demand(len(given) * (_LEAST_COMPARED + min(len(wanted), _MOST_COMPARED)) // _COMPARED_PER_UNIT)
    return given, wanted


def trim(effort: Effort, value: object, cut: object = BLANKS) -> str:
    given = _given(value, effort)
    effort.demand(len(given) * len(text(cut)) // _COMPARED_PER_UNIT)
    return given.strip(text(cut))


def trim_prefix(effort: Effort, value: object, prefix: object = " ") -> str:
    return _given(value, effort).removeprefix(text(prefix))


def trim_suffix(effort: Effort, value: object, suffix: object = " ") -> str:
    return _given(value, effort).removesuffix(text(suffix))


def upper(effort: Effort, value: object) -> str:
    given = _given(value, effort)
    return given.upper() if given.isascii() else _character_by_character(given, effort, str.upper)


def lower(effort: Effort, value: object) -> str:
    given = _given(value, effort)
    return given.lower() if given.isascii() else _character_by_character(given, effort, str.lower)


def _character_by_character(given: str, effort: Effort, changed: Callable[[str], str]) -> str:
    """Each character for itself, as in Go. Raises ExpressionError where that is told by no table of Python's."""
    effort.demand(len(given))
    found = [changed(each) for each in given]
    if any(len(each) != 1 for each in found):
        raise Refused("a string has letters whose case cannot be changed one by one")
    return "".join(found)


def split(effort: Effort, value: object, separator: object, most: object = -1) -> list[object]:
    return _split(effort, value, separator, most, "")


def split_after(effort: Effort, value: object, separator: object, most: object = -1) -> list[object]:
    return _split(effort, value, separator, most, text(separator))


def _split(effort: Effort, value: object, separator: object, most: object, kept: str) -> list[object]:
    given, between = _searched(_given(value, effort), separator, effort)
    limit = to_integer(most)
    if not limit:
        return NoStrings()
    effort.demand((given.count(between) if between else len(given)) // 8)
    if not between:
        return Strings(given if limit < 0 or limit > len(given) else [*given[: limit - 1], given[limit - 1 :]])
    parts = given.split(between, limit - 1 if limit > 0 else -1)
    return Strings([*(part + kept for part in parts[:-1]), parts[-1]])


def replace(effort: Effort, value: object, old: object, new: object, most: object = -1) -> str:
    given, before = _searched(_given(value, effort), old, effort)
    after, limit = text(new), to_integer(most)
    found = given.count(before)
    if limit >= 0:
        found = min(found, limit)
    effort.demand(found * max(len(after) - len(before), 0) // CHARACTERS_PER_UNIT + found // ITEMS_PER_UNIT)
    return given.replace(before, after, max(limit, -1))


def repeat(effort: Effort, value: object, count: object) -> str:
    given, times = text(value), to_integer(count)
    if not 0 <= times <= _MOST_REPEATED:
        raise ExpressionError(f"a string cannot be repeated {times} times")
    effort.demand(len(given) * times // CHARACTERS_PER_UNIT)
    return given * times


def join(effort: Effort, items: object, glue: object = "") -> str:
    between = text(glue)
    if items.__class__ not in {list, NoList, Strings, NoStrings}:
        raise ExpressionError("join() takes a list of strings")
    effort.demand(len(listed(items)) // 4)
    texts = [text(each) for each in listed(items)]
    effort.demand((sum(map(len, texts)) + len(between) * len(texts)) // CHARACTERS_PER_UNIT)
    return between.join(texts)


def index_of(effort: Effort, value: object, sought: object) -> int:
    given, wanted = _searched(value, sought, effort)
    return _bytes_before(given, given.find(wanted), effort)


def last_index_of(effort: Effort, value: object, sought: object) -> int:
    given, wanted = _searched(value, sought, effort)
    return _bytes_before(given, given.rfind(wanted), effort)


def _bytes_before(given: str, position: int, effort: Effort) -> int:
    if position < 0 or given.isascii():
        return position
    effort.demand(position // CHARACTERS_PER_UNIT)
    return len(encoded(given[:position]))


def contains(effort: Effort, value: object, sought: object) -> bool:
    given, wanted = _searched(value, sought, effort)
    return wanted in given


def has_prefix(effort: Effort, value: object, prefix: object) -> bool:
    effort.demand(len(text(prefix)) // CHARACTERS_PER_UNIT)
    return text(value).startswith(text(prefix))


def has_suffix(effort: Effort, value: object, suffix: object) -> bool:
    effort.demand(len(text(suffix)) // CHARACTERS_PER_UNIT)
    return text(value).endswith(text(suffix))


def to_json(effort: Effort, value: object) -> str:
    return printing.to_json(value, effort, indent="  ")


def from_json(effort: Effort, value: object) -> object:
    return reading.json_value(text(value), effort)


def to_base64(effort: Effort, value: object) -> str:
    return base64.b64encode(encoded(_given(value, effort))).decode()


def from_base64(effort: Effort, value: object) -> str:
    given = _given(value, effort).replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(given) or len(given) % 4:
        raise ExpressionError("not base64")
    try:
        return binascii.a2b_base64(given).decode()
    except UnicodeDecodeError:
        raise Refused("what is in base64 is no text") from None


def shown(effort: Effort, value: object) -> str:
    return printing.shown(value, effort)
