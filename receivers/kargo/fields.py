"""The fields of a subscription: what they hold, which are older, and which nobody here knows.

Older fields mean what they meant. Kargo has replaced ``semverConstraint`` of an image by ``constraint``, ``allowTags``
by ``allowTagsRegexes`` and ``ignoreTags`` by ``ignoreTagsRegexes``:
https://github.com/akuity/kargo/blob/main/api/v1alpha1/warehouse_types.go
"""

from collections.abc import Mapping

from receivers import limits
from receivers.events import Kind
from receivers.kargo import verdicts

type Fields = Mapping[str, object]

_SHARED = {"repoURL", "discoveryLimit", "insecureSkipTLSVerify"}
_KNOWN = {
    Kind.GIT: frozenset(
        {
            *_SHARED,
            "branch",
            "commitSelectionStrategy",
            "semverConstraint",
            "strictSemvers",
            "allowTagsRegexes",
            "ignoreTagsRegexes",
            "includePaths",
            "excludePaths",
            "expressionFilter",
            "since",
            "blobless",
        }
    ),
    Kind.CHART: frozenset({*_SHARED, "name", "semverConstraint"}),
    Kind.IMAGE: frozenset(
        {
            *_SHARED,
            "imageSelectionStrategy",
            "constraint",
            "strictSemvers",
            "allowTagsRegexes",
            "ignoreTagsRegexes",
            "platform",
            "cacheByTag",
        }
    ),
}
_OLDER = {  # by what replaces them; nothing: they never decided anything
    Kind.GIT: {"allowTags": "allowTagsRegexes", "ignoreTags": "ignoreTagsRegexes"},
    Kind.CHART: {},
    Kind.IMAGE: {
        "semverConstraint": "constraint",
        "allowTags": "allowTagsRegexes",
        "ignoreTags": "ignoreTagsRegexes",
        "gitRepoURL": "",
    },
}
_NAMED = 3  # unknown fields of one subscription
_NAME = 63  # characters of an unknown field's name that are shown


class Unreadable(ValueError):
    """A subscription, or a field of it, is not what Kargo accepts. The message is the reason."""


def text(fields: Fields, name: str) -> str:
    """A text; empty if there is none. Raises Unreadable, as every function here that reads a field."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a text")
    return value


def texts(fields: Fields, name: str) -> list[str]:
    """A list of texts; an empty one if there is none."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unreadable(f"{name} is not a list of texts")
    return value


def flag(fields: Fields, name: str) -> bool:
    """True or False, which is also what stands for none."""
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Unreadable(f"{name} is neither true nor false")
    return value


def tag(fields: Fields, name: str) -> str:
    """A tag; empty if there is none."""
    found = text(fields, name)
    if len(found) > limits.NAME:
        raise Unreadable(f"{name} is longer than {limits.NAME} characters, and no tag is")
    return found


def constraint_name(fields: Fields) -> str:
    """Which field of an image holds the constraint: the older one where the present one is empty (Kargo's rule)."""
    return "constraint" if text(fields, "constraint") or not text(fields, "semverConstraint") else "semverConstraint"


def remarks(kind: Kind, fields: Fields) -> str:
    """What is odd about a subscription that can be read: older and unknown fields that say something. Mostly ``""``."""
    older, known = _OLDER[kind], _KNOWN[kind]
    present = [name for name, value in fields.items() if name not in known and value not in (None, "", [])]
    found = [_about_older(name, older[name]) for name in present if name in older]
    unknown = sorted(name for name in present if name not in older)
    if unknown:
        found.append(_about_unknown(unknown))
    return "; ".join(found)


def _about_older(name: str, present: str) -> str:
    if not present:
        return f"{name} is a field of older versions of Kargo, and decides nothing"
    return f"{name} is a field of older versions of Kargo, which counts here: newer ones want {present}"


def _about_unknown(names: list[str]) -> str:
    shown = ", ".join(verdicts.shown(name[:_NAME]) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"unknown here, and decides nothing: {shown}{more}"
