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


class Elements(NamedTuple):
    """The first elements of a list, and whether there are more."""

    first: list[msgspec.Raw]
    more: bool


def elements(encoded: msgspec.Raw, *, at_most: int) -> Elements | None:
    """The first elements of a list; None: it is not a list. The others cost no memory."""
    try:
        decoded = msgspec.json.decode(encoded, type=_first(at_most + 1))
    except NO_JSON:
        return None
    found = [element for element in msgspec.structs.astuple(decoded) if len(element)]
    return Elements(found[:at_most], more=len(found) > at_most)


def members(encoded: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    """The members of an object; None: it is not an object. Ask only of what is short."""
    try:
        return msgspec.json.decode(encoded, type=dict[str, msgspec.Raw])
    except NO_JSON:
        return None


def value(encoded: msgspec.Raw) -> object:
    """A text, a list of texts, True, False or None as it is, and :data:`OTHER` for all else."""
    try:
        return msgspec.json.decode(encoded, type=_TYPES[bytes(encoded)[:1]])
    except (KeyError, *NO_JSON):
        return OTHER


_TYPES: dict[bytes, Any] = {b'"': str, b"[": list[str], b"t": bool, b"f": bool, b"n": None}


@cache
def _first(count: int) -> type[msgspec.Struct]:
    """A list of which a decoder keeps so many elements, and passes over the others."""
    fields = [(f"element_{position}", msgspec.Raw, msgspec.Raw()) for position in range(count)]
    return msgspec.defstruct("First", fields, array_like=True)
