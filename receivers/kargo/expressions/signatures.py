"""The functions of expr-lang 1.17 by name, and what may be given to them.

https://expr-lang.org/docs/language-definition; the types are those that expr-lang checks before an expression runs.
"""

from collections.abc import Sequence

from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.natures import (
    ANY,
    ANY_MAP,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    LIST,
    NIL,
    STRING,
    STRINGS,
    TIME,
    Nature,
)

REFUSED = ("timezone",)  # functions that are not had here: Go has zones of its own
NOW = "now"

_PREDICATE = ("expression", "predicate")
PREDICATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("all", "none", "any", "one", "filter", "map", "groupBy"), _PREDICATE),
    **dict.fromkeys(("find", "findIndex", "findLast", "findLastIndex"), _PREDICATE),
    **dict.fromkeys(("count", "sum"), ("expression", "predicate?")),
    **dict.fromkeys(("sortBy", "reduce"), ("expression", "predicate", "expression?")),
}

type _Overload = tuple[tuple[Nature, ...], Nature]

_TEXT_TO_TEXT: _Overload = ((STRING,), STRING)
_TEXTS_TO_TEXT: _Overload = ((STRING, STRING), STRING)
_SPLIT: list[_Overload] = [((STRING, STRING), STRINGS), ((STRING, STRING, INT), STRINGS)]
_BITS: list[_Overload] = [((INT, INT), INT)]

OVERLOADS: dict[str, list[_Overload]] = {
    "type": [((ANY,), STRING)],
    "string": [((ANY,), STRING)],
    "trim": [_TEXT_TO_TEXT, _TEXTS_TO_TEXT],
    "trimPrefix": [_TEXTS_TO_TEXT, _TEXT_TO_TEXT],
    "trimSuffix": [_TEXTS_TO_TEXT, _TEXT_TO_TEXT],
    "upper": [_TEXT_TO_TEXT],
    "lower": [_TEXT_TO_TEXT],
    "split": _SPLIT,
    "splitAfter": _SPLIT,
    "replace": [((STRING, STRING, STRING, INT), STRING), ((STRING, STRING, STRING), STRING)],
    "repeat": [((STRING, INT), STRING)],
    "join": [((STRINGS, STRING), STRING), ((LIST, STRING), STRING), ((LIST,), STRING), ((STRINGS,), STRING)],
    "indexOf": [((STRING, STRING), INT)],
    "lastIndexOf": [((STRING, STRING), INT)],
    "hasPrefix": [((STRING, STRING), BOOL)],
    "hasSuffix": [((STRING, STRING), BOOL)],
    "toJSON": [((ANY,), STRING)],
    "fromJSON": [((STRING,), ANY)],
    "toBase64": [_TEXT_TO_TEXT],
    "fromBase64": [_TEXT_TO_TEXT],
    "sort": [((LIST, STRING), LIST), ((STRINGS, STRING), LIST), ((LIST,), LIST), ((STRINGS,), LIST)],
    **dict.fromkeys(("bitand", "bitor", "bitxor", "bitnand", "bitshl", "bitshr", "bitushr"), _BITS),
    "bitnot": [((INT,), INT)],
    "duration": [((STRING,), DURATION)],
    NOW: [((), TIME)],
}
# Of functions that Kargo's templates have in addition
TEMPLATE_OVERLOADS: dict[str, list[_Overload]] = {
    name: [((ANY,), STRING)] for name in ("quote", "unsafeQuote", "asYAML", "asJSON")
}

_LISTS = ("list", "interface")
_NUMBERS = ("int", "float", "interface")
_MAPS = ("map", "interface")
# Of functions that take one value: the kinds that it may be of, and what they give, if it is not of the same type
_OF_ONE: dict[str, tuple[tuple[str, ...], Nature | None]] = {
    "len": (("list", "map", "string", "interface"), INT),
    "abs": (_NUMBERS, None),
    "ceil": (_NUMBERS, FLOAT),
    "floor": (_NUMBERS, FLOAT),
    "round": (_NUMBERS, FLOAT),
    "int": ((*_NUMBERS, "string", "int64"), INT),
    "float": ((*_NUMBERS, "string"), FLOAT),
    "first": (_LISTS, None),
    "last": (_LISTS, None),
    "keys": (_MAPS, LIST),
    "values": (_MAPS, LIST),
    "toPairs": (_MAPS, LIST),
    "fromPairs": (_LISTS, ANY_MAP),
    "reverse": (_LISTS, LIST),
    "uniq": (_LISTS, LIST),
    "flatten": (_LISTS, LIST),
}
_DATES = range(1, 4)  # how many arguments date() takes
_AGGREGATES = {"max", "min", "mean", "median"}
FUNCTIONS = {*OVERLOADS, *_OF_ONE, *_AGGREGATES, "get", "take", "concat", "date"}
BUILTINS = {*FUNCTIONS, *PREDICATES, *REFUSED}


def takes(name: str, count: int) -> bool:
    """Whether a function takes so many arguments."""
    if name in _AGGREGATES or name == "concat":
        return count > 0
    if name == "date":
        return count in _DATES
    overloads = OVERLOADS.get(name) or TEMPLATE_OVERLOADS.get(name)
    if overloads:
        return any(len(wanted) == count for wanted, _ in overloads)
    return count == (1 if name in _OF_ONE else 2)


def result(name: str, arguments: Sequence[Nature]) -> Nature:
    """What a function gives for such arguments. Raises ExpressionError for those that it cannot take."""
    if name in OVERLOADS:
        return overloaded(name, OVERLOADS[name], arguments)
    if name == "date":
        if len(arguments) not in _DATES:
            raise ExpressionError("date() cannot take these arguments")
        return TIME
    plain = [ANY if each.unknown else each.plain if each.type else NIL for each in arguments]
    if DURATION in plain and name != "int":
        raise Refused(f"{name}() of a duration is not supported")
    if name in _OF_ONE:
        return _of_one(name, plain)
    if name in _AGGREGATES:
        return _aggregate(name, plain)
    return _get(plain, arguments) if name == "get" else _take(plain) if name == "take" else _concat(plain)


def overloaded(name: str, overloads: list[_Overload], arguments: Sequence[Nature]) -> Nature:
    for wanted, given in overloads:
        if len(wanted) == len(arguments) and all(map(_taken, wanted, arguments)):
            return given
    raise ExpressionError(f"{name}() cannot take these arguments")


def _taken(wanted: Nature, argument: Nature) -> bool:
    if argument.nil:
        return wanted.kind == "interface"
    return argument.unknown or argument.assignable(wanted)


def _of_one(name: str, arguments: Sequence[Nature]) -> Nature:
    kinds, given = _OF_ONE[name]
    if len(arguments) != 1 or arguments[0].kind not in kinds:
        raise ExpressionError(f"{name}() cannot take these arguments")
    if name in {"first", "last"}:
        return arguments[0].element if arguments[0].kind == "list" else ANY
    return given or arguments[0]


def _aggregate(name: str, arguments: Sequence[Nature]) -> Nature:
    for each in arguments:
        if each.kind in _LISTS:
            return ANY
        if not each.number:
            raise ExpressionError(f"{name}() cannot take these arguments")
    if not arguments:
        raise ExpressionError(f"{name}() cannot take these arguments")
    return arguments[0]


def _get(plain: Sequence[Nature], arguments: Sequence[Nature]) -> Nature:
    if len(plain) == 2:  # noqa: PLR2004
        base, name = arguments
        if base.unknown:
            return Nature()
        if base.kind == "list" and (name.type == "int" or name.unknown):
            return base.element
        if base.kind == "map" and (name.unknown or name.assignable(base.key)):
            return base.element
    raise ExpressionError("get() cannot take these arguments")


def _take(arguments: Sequence[Nature]) -> Nature:
    if len(arguments) != 2 or arguments[0].kind not in _LISTS or arguments[1].kind not in {"int", "interface"}:  # noqa: PLR2004
        raise ExpressionError("take() cannot take these arguments")
    return arguments[0]


def _concat(arguments: Sequence[Nature]) -> Nature:
    if not arguments or any(each.kind not in _LISTS for each in arguments):
        raise ExpressionError("concat() cannot take these arguments")
    return LIST
