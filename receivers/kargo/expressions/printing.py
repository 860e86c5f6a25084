"""Values as text: as Go's fmt writes them with ``%v``, as its encoding/json does, and as ``%q`` quotes a text."""

import json
import math

from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.time_functions import spelled, written
from receivers.kargo.expressions.values import CHARACTERS_PER_UNIT, AnyMap, Duration, Moment, deeper, is_nil, type_name

# As encoding/json has it, so that what it wrote can stand within HTML
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_QUOTED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_LAST_SHORT = 0xFFFF
_DELETE = "\x7f"


def shown(value: object, effort: Effort) -> str:
    """A value as ``string()`` gives it."""
    if isinstance(value, str):
        return value
    writer = _Plain(effort)
    writer.write(value, 0)
    return "".join(writer.parts)


def to_json(value: object, effort: Effort, *, indent: str = "") -> str:
    """A value as JSON, compact or indented.

    Raises:
        ExpressionError: JSON has no such value.
    """
    writer = _Json(effort, indent)
    writer.write(value, 0)
    return "".join(writer.parts)


def quoted(text: str, effort: Effort) -> str:
    """A text in quotes, as Go's source would have it."""
    effort.demand(len(text) // 4)
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    if not inner.isprintable():
        inner = "".join(each if each.isprintable() else _escaped(each) for each in inner)
    return f'"{inner}"'


def _escaped(character: str) -> str:
    if character in _QUOTED:
        return _QUOTED[character]
    code = ord(character)
    if character < " " or character == _DELETE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_SHORT else f"\\U{code:08x}"


_VALUE = 4  # units to write one value, beside its text


class _Writer:
    """Text that is put together from a value's parts."""

    def __init__(self, effort: Effort) -> None:
        self.parts: list[str] = []
        self._effort = effort

    def _text(self, text: str) -> None:
        self._effort.demand(len(text) // CHARACTERS_PER_UNIT)
        self.parts.append(text)


class _Plain(_Writer):
    def write(self, value: object, depth: int) -> None:
        self._effort.demand(_VALUE)
        match value:
            case None:
                self.parts.append("<nil>")
            case bool():
                self.parts.append("true" if value else "false")
            case int():
                self.parts.append(str(value))
            case float():
                self.parts.append(_float(value))
            case str():
                self._text(value)
            case list():
                self._items(value, deeper(depth))
            case dict():
                self._members(value, deeper(depth))
            case AnyMap() if all(kind is str for kind, _ in value.members):
                self._members({str(key): item for (_, key), item in value.members.items()}, deeper(depth))
            case Duration():
                self.parts.append(spelled(value))
            case _:
                raise Refused(f"{type_name(value)} cannot be shown as text")

    def _items(self, items: list[object], depth: int) -> None:
        self.parts.append("[")
        for position, item in enumerate(items):
            self.parts.append(" " if position else "")
            self.write(item, depth)
        self.parts.append("]")

    def _members(self, members: dict[str, object], depth: int) -> None:
        self._effort.demand(len(members))
        self.parts.append("map[")
        for position, (key, item) in enumerate(sorted(members.items(), key=_key)):
            self._text(f" {key}:" if position else f"{key}:")
            self.write(item, depth)
        self.parts.append("]")


class _Json(_Writer):
    def __init__(self, effort: Effort, indent: str) -> None:
        super().__init__(effort)
        self._indent = indent
        self._colon = ": " if indent else ":"

    def write(self, value: object, depth: int) -> None:
        self._effort.demand(_VALUE)
        match value:
            case bool():
                self.parts.append("true" if value else "false")
            case int():
                self.parts.append(str(value))
            case float():
                self.parts.append(_json_float(value))
            case str():
                self._text(_json_text(value))
            case Duration():
                self.parts.append(str(value.nanoseconds))
            case Moment():
                self.parts.append(f'"{written(value)}"')
            case _ if is_nil(value):
                self.parts.append("null")
            case list():
                self._effort.demand(len(value))
                self._enclosed("[", [("", item) for item in value], "]", deeper(depth))
            case dict():
                self._members(value, deeper(depth))
            case _:
                raise ExpressionError(f"{type_name(value)} cannot be written as JSON")

    def _members(self, members: dict[str, object], depth: int) -> None:
        self._effort.demand(len(members))
        named = [(_json_text(key) + self._colon, item) for key, item in sorted(members.items(), key=_key)]
        self._enclosed("{", named, "}", depth)

    def _enclosed(self, start: str, items: list[tuple[str, object]], end: str, depth: int) -> None:
        self.parts.append(start)
        for position, (name, item) in enumerate(items):
            self.parts.append("," if position else "")
            self._line(depth)
            self._text(name)
            self.write(item, depth)
        if items:
            self._line(depth - 1)
        self.parts.append(end)

    def _line(self, depth: int) -> None:
        if self._indent:
            self.parts.append("\n" + self._indent * depth)


def _key(member: tuple[str, object]) -> str:
    return member[0]


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_HTML)


def _float(number: float) -> str:
    """The shortest text of it that reads as the same number; large and small ones have an exponent."""
    if not math.isfinite(number):
        return "NaN" if number != number else "+Inf" if number > 0 else "-Inf"  # noqa: PLR0124 - NaN alone differs
    return _written(number, smallest=-4, largest=6)


def _json_float(number: float) -> str:
    if not math.isfinite(number):
        raise ExpressionError("JSON has no such number")
    found = _written(number, smallest=-6, largest=21)
    return found.replace("e-0", "e-")


def _written(number: float, *, smallest: int, largest: int) -> str:
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    before, _, after = mantissa.partition(".")
    digits = (before + after).lstrip("0")
    point = len(before) + int(exponent or 0) - (len(before + after) - len(digits))
    digits = digits.rstrip("0") or "0"
    sign = "-" if math.copysign(1, number) < 0 else ""
    if number and not smallest <= point - 1 < largest:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{point - 1:+03d}"
    if not number:
        return f"{sign}0"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"
