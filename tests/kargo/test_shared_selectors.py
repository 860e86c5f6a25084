"""Warehouses that want the same tags share what says so, and pay for reading it all the same."""

from collections.abc import Mapping

import pytest

from receivers import limits
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Unreadable
from receivers.kargo.selectors import tags
from receivers.kargo.selectors.tags import AllowedTags, SemverTags

WANTED: dict[str, object] = {
    "constraint": "^1.2.0",
    "allowTagsRegexes": ["^v?[0-9]+"],
    "ignoreTagsRegexes": ["-rc$"],
    "ignoreTags": ["latest"],
}


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "_read", tags._Read())


def read(fields: Mapping[str, object], effort: Effort | None = None) -> AllowedTags | SemverTags:
    return tags.selector(fields, effort or Effort(limits.READING_EFFORT), constraint="constraint")


def spent(fields: Mapping[str, object]) -> int:
    effort = Effort(limits.READING_EFFORT)
    read(fields, effort)
    return limits.READING_EFFORT - effort.left


def test_equal_ones_are_one() -> None:
    assert read(WANTED) is read({**WANTED, "repoURL": "another.example.com/app"})


@pytest.mark.parametrize(
    "other",
    [
        {"constraint": "^1.3.0"},
        {"strictSemvers": True},
        {"allowTags": "a"},
        {"allowTagsRegexes": []},
        {"ignoreTagsRegexes": ["-beta$"]},
        {"ignoreTags": ["latest", "edge"]},
    ],
)
def test_any_field_makes_another(other: dict[str, object]) -> None:
    assert read(WANTED) != read(WANTED | other)


def test_of_a_field_that_decides_nothing_the_text_does_not_matter() -> None:
    effort = Effort(limits.READING_EFFORT)
    found = [tags.selector({"constraint": each}, effort, constraint=None) for each in ("^1.0.0", 7)]
    assert found[0] is found[1]


def test_whoever_finds_it_read_pays_the_same() -> None:
    assert spent(WANTED) == spent(WANTED) > 0


def test_whoever_cannot_pay_gets_what_he_would_have_got() -> None:
    needed = spent(WANTED)
    with pytest.raises(TooMuch):
        read(WANTED, Effort(needed // 2))


def test_the_first_fault_is_told() -> None:
    with pytest.raises(Unreadable, match="allowTagsRegexes"):
        read({"allowTagsRegexes": ["("], "ignoreTags": 7})
    with pytest.raises(Unreadable, match="ignoreTags is not"):
        read({"allowTagsRegexes": ["a"], "ignoreTags": 7})


def test_what_cannot_be_read_is_not_remembered() -> None:
    for _ in range(2):
        with pytest.raises(Unreadable, match="constraint"):
            read({"constraint": "nonsense"})


def test_large_ones_are_not_kept() -> None:
    large = "x" * (limits.SHARED_SELECTOR + 1)
    assert read({"ignoreTags": [large]}) is not read({"ignoreTags": [large]})


def test_of_many_those_are_kept_that_were_asked_for_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SELECTORS_SHARED", 2)
    first, second = read({"ignoreTags": ["a"]}), read({"ignoreTags": ["b"]})
    assert read({"ignoreTags": ["a"]}) is first
    read({"ignoreTags": ["c"]})
    assert read({"ignoreTags": ["a"]}) is first
    assert read({"ignoreTags": ["b"]}) is not second
