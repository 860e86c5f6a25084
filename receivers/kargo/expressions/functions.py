"""The functions of expr-lang by name. Each takes the effort that it may spend, and its arguments."""

from collections.abc import Callable

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import list_functions as lists
from receivers.kargo.expressions import number_functions as numbers
from receivers.kargo.expressions import quoting
from receivers.kargo.expressions import text_functions as texts
from receivers.kargo.expressions import time_functions as times
from receivers.kargo.expressions.errors import ExpressionError
from receivers.kargo.expressions.values import text

BY_NAME: dict[str, Callable[..., object]] = {
    "abs": numbers.absolute,
    "bitand": numbers.bitand,
    "bitnand": numbers.bitnand,
    "bitnot": numbers.bitnot,
    "bitor": numbers.bitor,
    "bitshl": numbers.bitshl,
    "bitshr": numbers.bitshr,
    "bitushr": numbers.bitushr,
    "bitxor": numbers.bitxor,
    "ceil": numbers.ceil,
    "concat": lists.concat,
    "date": times.date,
    "duration": times.duration,
    "first": lists.first,
    "flatten": lists.flatten,
    "float": numbers.floating,
    "floor": numbers.floor,
    "fromBase64": texts.from_base64,
    "fromJSON": texts.from_json,
    "fromPairs": lists.from_pairs,
    "get": lists.get,
    "hasPrefix": texts.has_prefix,
    "hasSuffix": texts.has_suffix,
    "indexOf": texts.index_of,
    "int": numbers.integer,
    "join": texts.join,
    "keys": lists.keys,
    "last": lists.last,
    "lastIndexOf": texts.last_index_of,
    "len": lists.length,
    "lower": texts.lower,
    "max": numbers.largest,
    "mean": numbers.mean,
    "median": numbers.median,
    "min": numbers.smallest,
    "repeat": texts.repeat,
    "replace": texts.replace,
    "reverse": lists.reverse,
    "round": numbers.rounded,
    "sort": lists.sort,
    "split": texts.split,
    "splitAfter": texts.split_after,
    "string": texts.shown,
    "take": lists.take,
    "toBase64": texts.to_base64,
    "toJSON": texts.to_json,
    "toPairs": lists.to_pairs,
    "trim": texts.trim,
    "trimPrefix": texts.trim_prefix,
    "trimSuffix": texts.trim_suffix,
    "type": lists.type_of,
    "uniq": lists.unique,
    "upper": texts.upper,
    "values": lists.values,
}
OF_TEMPLATES: dict[str, Callable[..., object]] = {
    "asJSON": quoting.as_json,
    "asYAML": quoting.as_yaml,
    "quote": quoting.quote,
    "unsafeQuote": quoting.unsafe_quote,
}


def call(function: object, arguments: list[object], effort: Effort) -> object:
    """Call a function of the environment: it takes one string, for which nil may stand as the empty one."""
    if not callable(function):
        raise ExpressionError("there is no such function")
    if len(arguments) != 1:
        raise ExpressionError(f"one argument is wanted, not {len(arguments)}")
    argument = "" if arguments[0] is None else text(arguments[0])
    effort.demand(_CALL + len(argument) // 8)
    result: object = function(argument)
    return result


_CALL = 20  # units: those of the environment look at a URL's parts
