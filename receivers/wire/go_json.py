"""A sender's JSON, read by the rules of Go's encoding/json, as Kargo's own server reads it.

What Kargo's server accepts is accepted here, with the same meaning:

* keys match the names of a structure's fields whatever their case; of duplicates the last one wins;
* members that no structure names are not looked at, whatever they hold;
* ``null`` counts as absent, in a field, in a list, and as the whole document;
* what is not UTF-8, and half a surrogate pair, becomes U+FFFD.

Anything else raises :class:`Malformed`: text behind the document, a byte order mark, a wrong type, NaN.

A body of more values than any sender of ours sends is refused too: reading it would hold the event loop.

The one difference is that of two objects under the same key the first one is dropped unread, where Go merges them.
"""

import json
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from receivers import limits
from receivers.events import Malformed
from receivers.text import well_formed

# An object is a tuple of its members: duplicates and the case of keys matter until a structure is laid upon it.
type Json = str | float | bool | list[Json] | tuple[tuple[str, Json], ...] | None

INVALID = "invalid request body"
EMPTY = (
    f"{INVALID}: empty; the sender must declare a Content-Length, "
    "because Azure Functions drops a body that is sent in chunks"
)

_LONGEST_INTEGER = 18  # digits; longer ones, which nobody needs, are read as floats, whose reading takes linear time


class Reader[Model: msgspec.Struct]:
    """Reads bodies as a structure.

    It is made when the structure's module is imported. A field whose type cannot be read by Go's rules raises TypeError
    then, instead of losing what a sender wrote there. Scalars can be read, ``Any``, other structures, lists and maps of
    all these, and unions that leave no doubt.
    """

    def __init__(self, model: type[Model]) -> None:
        self._model = model
        self._shape = _Shapes().of(model)

    def decode(self, body: bytes) -> Model:
        """The body as the structure. Raises :class:`Malformed` and nothing else, whatever the bytes."""
        return self.fit(read(body))

    def fit(self, document: Json) -> Model:
        """The document, or a part of one, as the structure. Raises :class:`Malformed`."""
        if not isinstance(document, tuple | None):
            raise Malformed(INVALID)
        try:
            return msgspec.convert(_fold(document or (), self._shape), self._model)
        except (msgspec.ValidationError, RecursionError):
            raise Malformed(INVALID) from None


def read(body: bytes) -> Json:
    """The document in the body, no structure laid upon it yet. Raises :class:`Malformed`."""
    if not body:
        raise Malformed(EMPTY)
    if sum(map(body.count, (b",", b":", b"[", b"{"))) > limits.VALUES:
        raise Malformed(INVALID)
    try:
        document: Json = _DECODER.decode(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Malformed(INVALID) from None
    return document


def member_names(document: Json) -> frozenset[str]:
    """The names of an object's members, in lower case; none for anything but an object."""
    return frozenset(key.casefold() for key, _ in document) if isinstance(document, tuple) else frozenset()


def text_at(document: Json, *names: str) -> str:
    """The text under names within each other, for people; empty where there is none. Whatever else stands there may."""
    for name in names:
        document = dict(document).get(name) if isinstance(document, tuple) else None
    return well_formed(document) if isinstance(document, str) else ""


@dataclass(slots=True)
class _Shape:
    """What may stand in a place, as far as folding needs to know: of scalars, nothing."""

    fields: "dict[str, tuple[str, _Shape]] | None" = None  # of a structure, by the lower-case name: the name in JSON
    values: "_Shape | None" = None  # of a map
    items: "_Shape | None" = None  # of a list


_SCALAR = _Shape()
_ANYTHING = _Shape()
_ANYTHING.values = _ANYTHING.items = _ANYTHING


@dataclass(slots=True)
class _Shapes:
    """The shapes of a structure, and of all that it holds."""

    _known: dict[type[msgspec.Struct], _Shape] = field(default_factory=dict)  # one may hold others of its own kind

    def of(self, annotation: object) -> _Shape:
        """Raises TypeError for what cannot be folded."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if annotation is Any:
            return _ANYTHING
        if annotation in {str, int, float, bool, None, type(None)}:
            return _SCALAR
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            return self._of_structure(annotation)
        if origin is list:
            return _Shape(items=self.of(arguments[0]))
        if origin is dict and arguments[0] is str:
            return _Shape(values=self.of(arguments[1]))
        if origin in {UnionType, Union}:
            return self._of_union(annotation, [self.of(each) for each in arguments])
        raise TypeError(f"{annotation!r} cannot be read by Go's rules")

    def _of_structure(self, model: type[msgspec.Struct]) -> _Shape:
        if model not in self._known:
            fields: dict[str, tuple[str, _Shape]] = {}
            self._known[model] = _Shape(fields=fields)
            for each in msgspec.structs.fields(model):
                name = each.encode_name.casefold()
                if name in fields:
                    raise TypeError(f"{model.__name__} has two fields {name!r}: Go tells no upper from lower case")
                fields[name] = (each.encode_name, self.of(each.type))
        return self._known[model]

    def _of_union(self, annotation: object, shapes: list[_Shape]) -> _Shape:
        objects = [shape for shape in shapes if shape.fields is not None or shape.values is not None]
        lists = [shape for shape in shapes if shape.items is not None]
        if len(objects) > 1 or len(lists) > 1:
            raise TypeError(f"{annotation!r} leaves open what an object or a list in its place is")
        union = _Shape()
        for shape in objects:
            union.fields, union.values = shape.fields, shape.values
        for shape in lists:
            union.items = shape.items
        return union


def _fold(value: Json, shape: _Shape) -> object:
    """The value in the form that msgspec converts, reduced to what the shape has a place for.

    A list or an object where there is no place for one is left empty: its type is refused, whatever it holds.
    """
    match value:
        case str():
            return well_formed(value)
        case list():
            return _fold_list(value, shape.items) if shape.items else []
        case tuple() if shape.fields is not None:
            found = ((shape.fields.get(key.casefold()), item) for key, item in value)
            return {place[0]: _fold(item, place[1]) for place, item in found if place and item is not None}
        case tuple() if shape.values is not None:
            return {well_formed(key): _fold(item, shape.values) for key, item in value}
        case tuple():
            return {}
        case _:
            return value


def _fold_list(value: list[Json], shape: _Shape) -> list[object]:
    """Most lists are long ones of plain texts."""
    return [
        item if item.__class__ is str and item.isascii() else _fold(item, shape) for item in value if item is not None
    ]


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _refuse(constant: str) -> float:
    raise ValueError(constant)  # NaN, Infinity, -Infinity


_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_int=_integer, parse_constant=_refuse)
