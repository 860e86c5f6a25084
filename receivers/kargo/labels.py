"""The labels of an object, and what a selector wants of them.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

import sys
from collections.abc import Iterable, Mapping

import msgspec

from receivers import limits
from receivers.events import Requirement
from receivers.kargo import shallow

NONE: Mapping[str, str] = {}

_LABELS = msgspec.json.Decoder(dict[str, str] | None)


def decode(encoded: msgspec.Raw) -> Mapping[str, str] | None:
    """The labels in an object's metadata, anything at all; None: more than is kept, so that they are not known."""
    if len(encoded) > limits.LABELS:
        return None
    try:
        found = _LABELS.decode(encoded)
    except shallow.NO_JSON:
        return NONE
    return {sys.intern(key): sys.intern(value) for key, value in found.items()} if found else NONE


def meet(labels: Mapping[str, str] | None, requirements: Iterable[Requirement]) -> bool:
    """Whether labels are as is required; those that are not known may be, and a refresh too much does no harm."""
    return labels is None or all(_meets(labels, requirement) for requirement in requirements)


def _meets(labels: Mapping[str, str], requirement: Requirement) -> bool:
    """What has no such label meets NotIn."""
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case _:
            return requirement.key not in labels
