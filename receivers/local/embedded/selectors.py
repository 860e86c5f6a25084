"""Label and field selectors, as in the query of a list or a watch.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

import re
from collections.abc import Callable

from receivers.local.embedded.errors import bad_request
from receivers.local.embedded.resources import Object

type Selector = Callable[[Object], bool]

_COMMA = re.compile(r",(?![^(]*\))")  # not between parentheses
_SET = re.compile(r"(\S+)\s+(in|notin)\s+\((.*)\)")
_EQUALITY = re.compile(r"([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)")
_PRESENCE = re.compile(r"(!?)\s*([^=!\s()]+)")


def selector(labels: str, fields: str) -> Selector:
    """A test of an object for both selectors; an empty one selects everything."""
    tests = [_label_test(part.strip()) for part in _COMMA.split(labels) if part.strip()]
    tests += [_field_test(part.strip()) for part in fields.split(",") if part.strip()]
    return lambda each: all(test(each) for test in tests)


def _label_test(text: str) -> Selector:
    if found := _SET.fullmatch(text):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        return lambda each: (_label(each, key) in values) == (operator == "in")
    if found := _EQUALITY.fullmatch(text):
        key, operator, value = found.groups()
        return lambda each: (_label(each, key) == value) == (operator != "!=")
    if found := _PRESENCE.fullmatch(text):
        absent, key = found.groups()
        return lambda each: (_label(each, key) is None) == bool(absent)
    raise bad_request(f"unable to parse requirement: {text}")


def _field_test(text: str) -> Selector:
    found = _EQUALITY.fullmatch(text)
    if not found or found[1] not in ("metadata.name", "metadata.namespace"):
        raise bad_request(f"field label not supported: {text}")
    field, operator, value = found[1].removeprefix("metadata."), found[2], found[3]
    return lambda each: (each["metadata"].get(field, "") == value) == (operator != "!=")


def _label(each: Object, key: str) -> str | None:
    found: str | None = (each["metadata"].get("labels") or {}).get(key)
    return found
