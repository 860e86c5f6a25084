"""Values as YAML: as go.yaml.in/yaml/v3 writes them, which Kargo's ``asYAML`` is.

https://github.com/yaml/go-yaml. A text stands plain unless it would be read as anything else: then it is quoted, in the
one way that this library would. What it writes in ways of its own is refused: keys of several lines, long keys, and
keys whose order it finds by what letters and digits of any script are.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import cmp_to_key
from typing import TypeGuard

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import printing, reading
from receivers.kargo.expressions.errors import Refused
from receivers.kargo.expressions.values import CHARACTERS_PER_UNIT, AnyMap, deeper, encoded, misfit, type_name
from receivers.text import well_formed

_INDENT = 4  # columns
_ITEM = 2  # columns of "- "
_LONGEST_NUMBER = 300  # characters of a text that may be one
_LONGEST_KEY = 128  # bytes of one that stands on its value's line
_VALUE = 4  # units to write one value or to compare keys, beside its text
_LOOKED_AT, _ESCAPED_AT = 8, 2  # characters a unit, of texts

_NUMBERS = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}
_WORDS = {
    *("", "~", "true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL"),
    *(f"{sign}.{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")),
    *(".nan", ".NaN", ".NAN"),
    # Of YAML 1.1
    *("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"),
}
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DIGITS = re.compile(r"[-+.0-9a-fA-FoxOX]*")  # of long texts that may be numbers
_INTEGERS = {  # by base
    16: re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"),
    8: re.compile(r"([-+]?)0[oO]?([0-7]+)|(?:0o([-+]))([0-7]+)"),
    2: re.compile(r"([-+]?)0[bB]([01]+)|(?:0b([-+]))([01]+)"),
}
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:([Tt ])(.*))?", re.ASCII | re.DOTALL)
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?", re.ASCII)
_ZONE = re.compile(r"Z|[+-](?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)

_MERGE = "<<"  # in quotes or not, by the library's version
_SEPARATORS = "\u2028\u2029"
_BYTE_ORDER_MARK = "\ufeff"
_UNPRINTABLE = re.compile("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_BLOCK_INDICATOR = re.compile(
    r"---|\.\.\.|[#,\[\]{}&*!|>'\"%@`]|[?:-](?:[ \t]|\Z)|.*(?::(?:[ \t]|\Z)|[ \t]#)", re.DOTALL
)
_ESCAPES = {
    **{chr(code): f"\\{letter}" for code, letter in zip(range(7, 14), "abtnvfr", strict=True)},
    "\0": "\\0",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
}
_ESCAPED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


def to_yaml(value: object, effort: Effort) -> str:
    """A value as YAML, which ends with a line's end.

    Raises:
        ExpressionError: it is refused, or there is no YAML of it.
    """
    writer = _Writer(effort)
    writer.root(value)
    return "".join(writer.parts)


type _Block = list[object] | dict[str, object]


def _is_block(value: object) -> TypeGuard[_Block]:
    return isinstance(value, list | dict) and bool(value)


class _Writer:
    def __init__(self, effort: Effort) -> None:
        self.parts: list[str] = []
        self._effort = effort

    def root(self, value: object) -> None:
        if _is_block(value):
            self._block(value, 0, 0)
        else:
            self._scalar(value, _INDENT)

    def _block(self, value: _Block, indent: int, depth: int) -> None:
        """Items or members, a line each; the first one stands where the writer is."""
        depth = deeper(depth)
        if isinstance(value, list):
            self._items(value, indent, depth)
        else:
            self._members(value, indent, depth)

    def _items(self, items: list[object], indent: int, depth: int) -> None:
        self._effort.demand(len(items))
        for position, item in enumerate(items):
            self._text(f"{' ' * indent if position else ''}- ")
            if _is_block(item):
                self._block(item, indent + _ITEM, depth)
            else:
                self._scalar(item, indent + _ITEM)

    def _members(self, members: dict[str, object], indent: int, depth: int) -> None:
        self._effort.demand(_VALUE * len(members) * len(members).bit_length())
        further = _INDENT * (indent // _INDENT + 1)
        written = {key: _key(key) for key in members}
        for position, key in enumerate(_ordered(members)):
            self._text(f"{' ' * indent if position else ''}{written[key]}:")
            item = members[key]
            if _is_block(item):
                self._text("\n" + " " * further)
                self._block(item, further, depth)
            else:
                self.parts.append(" ")
                self._scalar(item, further)

    def _scalar(self, value: object, indent: int) -> None:
        self._effort.demand(_VALUE)
        match value:
            case None:
                self.parts.append("null\n")
            case bool():
                self.parts.append("true\n" if value else "false\n")
            case int():
                self.parts.append(f"{value}\n")
            case float():
                written = printing.shown(value, self._effort)
                self.parts.append(f"{_NUMBERS.get(written, written)}\n")
            case str():
                self._effort.demand(len(value) // (_LOOKED_AT if value.isprintable() else _ESCAPED_AT))
                self._text(_written(value, indent))
            case list():
                self.parts.append("[]\n")
            case dict():
                self.parts.append("{}\n")
            case AnyMap():
                raise Refused(f"{type_name(value)} is not written as YAML")
            case _:
                raise misfit(f"{type_name(value)} cannot be written as YAML", value)

    def _text(self, text: str) -> None:
        self._effort.demand(len(text) // CHARACTERS_PER_UNIT)
        self.parts.append(text)


def _written(text: str, indent: int) -> str:
    """A text with its line's end; ``indent`` is that of its lines, where it has several."""
    text = well_formed(text)
    if "\n" not in text:
        return f"{_on_one_line(text)}\n"
    _refuse_odd(text)
    if _UNPRINTABLE.search(text.replace("\t", "")) or text.endswith(" ") or " \n" in text:
        return f"{_double(text)}\n"
    return _literal(text, indent)


def _literal(text: str, indent: int) -> str:
    hint = str(_INDENT) if text[0] in " \n" else ""
    if not text.endswith("\n"):
        hint += "-"
    elif text == "\n" or text.endswith("\n\n"):
        hint += "+"
    lines = "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in text.removesuffix("\n").split("\n"))
    return f"|{hint}\n{lines}"


def _key(text: str) -> str:
    text = well_formed(text)
    if any(each in text for each in "\n\r\x85") or len(encoded(text)) > _LONGEST_KEY:
        raise Refused("a key of YAML has several lines, or is long")
    return _on_one_line(text)


def _on_one_line(text: str) -> str:
    _refuse_odd(text)
    if _is_something_else(text) or _UNPRINTABLE.search(text):
        return _double(text)
    if text[0] == " " or text[-1] == " " or _BLOCK_INDICATOR.match(text):
        inner = text.replace("'", "''")
        return f"'{inner}'"
    return text


def _refuse_odd(text: str) -> None:
    if text == _MERGE or text.startswith(_BYTE_ORDER_MARK) or any(each in text for each in _SEPARATORS):
        raise Refused("a text of YAML is <<, has a separator of lines, or begins with a byte order mark")


def _double(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in _ESCAPES:
        return _ESCAPES[found[0]]
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004


def _is_something_else(text: str) -> bool:
    """Whether a plain text would be read as a number, a bool, a time or nothing."""
    if text in _WORDS:
        return True
    if text[0] == ".":
        return reading.floating(text) is not None
    if text[0] not in "+-0123456789":
        return False
    return _is_time(text) or bool(_SEXAGESIMAL.fullmatch(text)) or _is_number(text.replace("_", ""))


def _is_number(text: str) -> bool:
    """Whether it is one of 64 bits: a float, or an integer in any base that Go reads."""
    if len(text) > _LONGEST_NUMBER:
        if _DIGITS.fullmatch(text):
            raise Refused("a text of YAML looks like a very long number")
        return False
    if _FLOAT.fullmatch(text) and reading.floating(text) is not None:
        return True
    for base, pattern in _INTEGERS.items():
        found = pattern.fullmatch(text)
        if found:
            sign, digits = (each for each in found.groups() if each is not None)
            return _fits(sign, int(digits, base))
    return False


def _fits(sign: str, number: int) -> bool:
    return number <= (1 << 63) - (sign != "-") if sign else number < 1 << 64


def _is_time(text: str) -> bool:
    """Whether it is a day, or a time of one. Raises Refused where Go may read what is no usual way to write one."""
    found = _DAY.fullmatch(text)
    if not found:
        return False
    year, month, day, separator, rest = found.groups()
    if year == "0000":
        raise Refused("a text of YAML looks like a time of the year 0")
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    if separator is None:
        return True
    time = _TIME.match(rest)
    zone = rest[time.end() :] if time else ""
    if not time or not (zone == "" if separator == " " else _ZONE.fullmatch(zone)):
        if re.match(r"\d{1,2}:", rest, re.ASCII):
            raise Refused("a text of YAML looks like a time")
        return False
    return True


# The order of keys: letters after what is none, and numbers by their value


def _ordered(members: dict[str, object]) -> Iterator[str]:
    if len(members) > 1 and not all(map(str.isascii, members)):
        raise Refused("keys of YAML are ordered that are not ASCII")
    return iter(sorted(members, key=cmp_to_key(_compare)))


def _compare(one: str, other: str) -> int:
    return -1 if _is_before(one, other) else 1


def _is_before(one: str, other: str) -> bool:
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return len(one) < len(other)
    a, b = one[at], other[at]
    if a.isalpha() and b.isalpha():
        return a < b
    if a.isalpha() or b.isalpha():
        after_digit = at > 0 and one[at - 1].isdigit()
        return a.isalpha() if after_digit else b.isalpha()
    return _number_is_before(one, other, at)


def _number_is_before(one: str, other: str, at: int) -> bool:
    within = "0" in (one[at], other[at]) and re.search("[1-9][0-9]*\\Z", one[:at]) is not None
    first, second = (re.match("[0-9]*", text[at:]) for text in (one, other))
    numbers = [f"{'1' if within else ''}{found[0] if found else ''}" for found in (first, second)]
    if any(len(each) > 18 for each in numbers):  # noqa: PLR2004 - of which Go's 64 bits hold all
        raise Refused("keys of YAML with long numbers are ordered")
    values = [int(each or 0) for each in numbers]
    if values[0] != values[1]:
        return values[0] < values[1]
    if len(numbers[0]) != len(numbers[1]):
        return len(numbers[0]) < len(numbers[1])
    return one[at] < other[at]
