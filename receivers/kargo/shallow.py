"""JSON that tenants write, read no deeper and no wider than it counts.

To build everything that an object of 1.5 MiB can hold takes up to two seconds (ten microseconds for a number with a
fraction) and 60 MB, or fails on its depth. To pass over it takes ten milliseconds and nothing.
"""

from functools import cache
from typing import Any, NamedTuple

import msgspec


class Other:
    """Stands for JSON that nothing here wants to know more of: numbers, objects, lists of other things than texts."""


OTHER = Other()

# What a decoder raises for JSON that is none, also for a text with half a surrogate pair, or that is no UTF-8.
NO_JSON = (msgspec.DecodeError, UnicodeDecodeError)


_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FEW = 8  # elements: to make room for all that may come takes ten times as long


class Elements(NamedTuple):
    """The first elements of a list, and whether there are more."""

    first: list[msgspec.Raw]
    more: bool


def elements(encoded: msgspec.Raw, *, at_most: int) -> Elements | None:
    """The first elements of a list; None: it is not a list. The others cost no memory."""
    try:
        found = _elements(encoded, min(_FEW, at_most + 1))
        if len(found) == _FEW:
            found = _elements(encoded, at_most + 1)
    except NO_JSON:
        return None
    return Elements(found[:at_most], more=len(found) > at_most)


def members(encoded: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    """The members of an object; None: it is not an object. Ask only of what is short."""
    try:
        return _MEMBERS.decode(encoded)
    except NO_JSON:
        return None


def value(encoded: msgspec.Raw) -> object:
    """A text, a list of texts, True, False or None as it is, and :data:`OTHER` for all else."""
    try:
        return _DECODERS[memoryview(encoded)[0]].decode(encoded)
    except (IndexError, KeyError, *NO_JSON):
        return OTHER


_TYPES: dict[str, Any] = {'"': str, "[": list[str], "t": bool, "f": bool, "n": None}
_DECODERS: dict[int, msgspec.json.Decoder[Any]] = {ord(each): msgspec.json.Decoder(_TYPES[each]) for each in _TYPES}


def _elements(encoded: msgspec.Raw, at_most: int) -> list[msgspec.Raw]:
    """The first elements of a list. Raises what :data:`NO_JSON` names."""
    return [element for element in msgspec.structs.astuple(_first(at_most).decode(encoded)) if len(element)]


@cache
def _first(count: int) -> msgspec.json.Decoder[msgspec.Struct]:
    """Of a list it keeps so many elements, and passes over the others."""
    fields = [(f"element_{position}", msgspec.Raw, msgspec.Raw()) for position in range(count)]
    return msgspec.json.Decoder(msgspec.defstruct("First", fields, array_like=True))
