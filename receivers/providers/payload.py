"""A sender's JSON, read by the rules of Go's encoding/json, as Kargo's own server reads it.

What Kargo's server accepts is accepted here, with the same meaning:

* keys match the names of a model's fields whatever their case; of duplicates the last one wins;
* fields that no model names are not looked at, whatever they hold;
* ``null`` counts as absent, in a field, in a list, and as the whole document;
* what is not UTF-8, and half a surrogate pair, becomes U+FFFD.

Anything else raises :class:`Malformed`: text behind the document, a byte order mark, a wrong type, NaN.

A body of more values than any sender of ours sends is refused too: reading it would hold the event loop.

The one difference is that of two objects under the same key the first one is dropped unread, where Go merges them.
"""

import json
from functools import cache
from typing import get_args

import msgspec

from receivers import limits
from receivers.events import Malformed
from receivers.text import well_formed

# An object is a tuple of its members: duplicates and the case of keys matter until a model is laid upon it.
type Json = str | float | bool | list[Json] | tuple[tuple[str, Json], ...] | None

INVALID = "invalid request body"
EMPTY = (
    f"{INVALID}: empty; the sender must declare a Content-Length, "
    "because Azure Functions drops a body that is sent in chunks"
)

_LONGEST_INTEGER = 18  # digits; longer ones, which nobody needs, are read as floats, whose reading takes linear time


def decode[Model: msgspec.Struct](model: type[Model], body: bytes) -> Model:
    """The body as a ``model``. Raises :class:`Malformed` and nothing else, whatever the bytes."""
    return fit(model, read(body))


def read(body: bytes) -> Json:
    """The document in the body, not yet laid upon a model. Raises :class:`Malformed`."""
    if not body:
        raise Malformed(EMPTY)
    if sum(map(body.count, (b",", b":", b"[", b"{"))) > limits.VALUES:
        raise Malformed(INVALID)
    try:
        document: Json = _DECODER.decode(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Malformed(INVALID) from None
    return document


def fit[Model: msgspec.Struct](model: type[Model], document: Json) -> Model:
    """The document, or a part of one, as a ``model``. Raises :class:`Malformed`."""
    if not isinstance(document, tuple | None):
        raise Malformed(INVALID)
    try:
        return msgspec.convert(_fold(document or (), model), model)
    except (msgspec.ValidationError, RecursionError):
        raise Malformed(INVALID) from None


def member_names(document: Json) -> frozenset[str]:
    """The names of an object's members, in lower case; none for anything but an object."""
    return frozenset(key.casefold() for key, _ in document) if isinstance(document, tuple) else frozenset()


def _fold(value: Json, model: type[msgspec.Struct] | None) -> object:
    """The value in the form that msgspec converts; objects within it are reduced to the fields of ``model``."""
    match value:
        case str():
            return well_formed(value)
        case list():
            # Most lists are long ones of plain texts.
            return [
                item if item.__class__ is str and item.isascii() else _fold(item, model)
                for item in value
                if item is not None
            ]
        case tuple() if model is None:
            return {_fold(key, None): _fold(item, None) for key, item in value}
        case tuple():
            fields = _fields(model)
            found = ((fields.get(key.casefold()), item) for key, item in value)
            return {field[0]: _fold(item, field[1]) for field, item in found if field and item is not None}
        case _:
            return value


@cache
def _fields(model: type[msgspec.Struct]) -> dict[str, tuple[str, type[msgspec.Struct] | None]]:
    """By the lower-case name: the name in JSON, and the model of the objects the field holds."""
    return {
        field.encode_name.casefold(): (field.encode_name, _model_in(field.type))
        for field in msgspec.structs.fields(model)
    }


def _model_in(annotation: object) -> type[msgspec.Struct] | None:
    """The model in ``Model`` or ``list[Model]``."""
    types = (part for part in (annotation, *get_args(annotation)) if isinstance(part, type))
    return next((part for part in types if issubclass(part, msgspec.Struct)), None)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _refuse(constant: str) -> float:
    raise ValueError(constant)  # NaN, Infinity, -Infinity


_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_int=_integer, parse_constant=_refuse)
