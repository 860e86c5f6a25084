"""The labels of an object, and what a selector wants of them."""

import json

import msgspec
import pytest

from receivers import limits
from receivers.events import Requirement
from receivers.kargo import labels


def decoded(value: object) -> object:
    return labels.decode(msgspec.Raw(json.dumps(value).encode()))


@pytest.mark.parametrize("odd", [None, 7, "x", [], {"a": 7}, {"a": None}])
def test_what_is_no_map_of_texts_are_no_labels(odd: object) -> None:
    assert decoded(odd) == {}


def test_many_are_not_kept() -> None:
    assert decoded({"team": "a"}) == {"team": "a"}
    assert decoded({"team": "x" * limits.LABELS}) is None
    assert labels.meet(None, [Requirement("team", "In", ("a",))])


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        (Requirement("team", "In", ("a", "b")), True),
        (Requirement("team", "In", ("b",)), False),
        (Requirement("other", "In", ("a",)), False),
        (Requirement("team", "NotIn", ("a",)), False),
        (Requirement("team", "NotIn", ("b",)), True),
        (Requirement("other", "NotIn", ("a",)), True),
        (Requirement("team", "Exists"), True),
        (Requirement("other", "Exists"), False),
        (Requirement("team", "DoesNotExist"), False),
        (Requirement("other", "DoesNotExist"), True),
    ],
)
def test_a_requirement_means_what_it_means_to_kubernetes(requirement: Requirement, met: bool) -> None:
    assert labels.meet({"team": "a"}, [requirement]) is met


def test_all_requirements_have_to_be_met() -> None:
    both = [Requirement("team", "Exists"), Requirement("tier", "Exists")]
    assert not labels.meet({"team": "a"}, both)
    assert labels.meet({"team": "a", "tier": "b"}, both)
