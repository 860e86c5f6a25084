"""Older and unknown fields of a subscription."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.events import Kind
from receivers.kargo.fields import remarks

patient = settings(deadline=None)  # the machine may be busy

OLDER = "is a field of older versions of Kargo, which counts here: newer ones want"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.IMAGE, {"repoURL": "ghcr.io/team/app", "constraint": "^1", "strictSemvers": True, "cacheByTag": True}),
        (Kind.IMAGE, {"allowTagsRegexes": ["x"], "ignoreTagsRegexes": ["y"], "platform": "linux/amd64"}),
        (Kind.IMAGE, {"imageSelectionStrategy": "Digest", "discoveryLimit": 20, "insecureSkipTLSVerify": False}),
        (Kind.IMAGE, {"allowTags": "", "ignoreTags": [], "semverConstraint": None, "unknown": None}),
        (Kind.CHART, {"repoURL": "https://charts.example.com", "name": "app", "semverConstraint": "^1"}),
    ],
)
def test_present_and_empty_fields_are_not_odd(kind: Kind, fields: dict[str, object]) -> None:
    assert remarks(kind, fields) == ""


@pytest.mark.parametrize(
    ("field", "value", "remark"),
    [
        ("semverConstraint", "^1", f"semverConstraint {OLDER} constraint"),
        ("allowTags", "^v", f"allowTags {OLDER} allowTagsRegexes"),
        ("ignoreTags", ["x"], f"ignoreTags {OLDER} ignoreTagsRegexes"),
        ("gitRepoURL", "x", "gitRepoURL is a field of older versions of Kargo, and decides nothing"),
        ("allowTagRegexes", ["^v"], "unknown here, and decides nothing: allowTagRegexes"),
        ("a\nb", 1, "unknown here, and decides nothing: a\ufffdb"),
    ],
)
def test_an_older_or_unknown_field_is_named(field: str, value: object, remark: str) -> None:
    assert remarks(Kind.IMAGE, {"repoURL": "ghcr.io/team/app", field: value}) == remark


def test_an_images_constraint_is_unknown_to_a_chart() -> None:
    assert remarks(Kind.CHART, {"constraint": "^1"}) == "unknown here, and decides nothing: constraint"


def test_of_many_unknown_fields_the_first_are_named() -> None:
    fields = {"allowTags": "x", **dict.fromkeys("edcba", 1)}
    wanted = f"allowTags {OLDER} allowTagsRegexes; unknown here, and decides nothing: a, b, c and 2 more"
    assert remarks(Kind.IMAGE, fields) == wanted


@patient
@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text()), max_size=9))
def test_whatever_the_fields_are_what_is_said_is_short_and_on_one_line(fields: dict[str, object]) -> None:
    said = remarks(Kind.IMAGE, fields)
    assert said.isprintable()
    assert len(said) < 600
