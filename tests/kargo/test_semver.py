"""Versions and constraints, as Masterminds' semver v3 has them."""

from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.kargo import semver
from receivers.kargo.effort import TooMuch
from receivers.kargo.semver import Constraint, InvalidConstraint, InvalidVersion, Version
from tests.kargo.tables import rows

patient = settings(deadline=None)  # the machine may be busy

version_text = st.from_regex(r"v?[0-9]{1,2}(\.[0-9]){0,2}(-[a-z0-9.-]{1,5})?(\+[a-z0-9]{1,3})?", fullmatch=True)
pieces = st.sampled_from([*"0123456789.xX*-+v|,^~><=! \tabé", "||", " - ", ">=", "1.2.3", "-rc.1"])


def parsed(text: str, *, strict: bool = False) -> Version | None:
    try:
        return Version.parse(text, strict=strict)
    except InvalidVersion:
        return None


def answers(constraint: str, versions: list[Version]) -> str | None:
    try:
        accepts = Constraint.parse(constraint).accepts
    except InvalidConstraint:
        return None
    return "".join("01"[accepts(version)] for version in versions)


def accepts(constraint: str, version: str) -> bool:
    return Constraint.parse(constraint).accepts(Version.parse(version))


def test_versions_are_read_as_by_gos_library() -> None:
    table: list[Any] = rows("versions")
    assert [[text, parsed(text) is not None, parsed(text, strict=True) is not None] for text, *_ in table] == [
        [text, loose, strict] for text, loose, strict, _ in table
    ]


def test_versions_are_ordered_as_by_gos_library() -> None:
    ranked = [(rank, Version.parse(text)) for text, valid, _, rank in rows("versions") if valid]
    for rank, version in ranked:
        assert sum(other < version for _, other in ranked) == rank


def test_constraints_are_understood_as_by_gos_library() -> None:
    texts, *table = rows("constraints")
    versions = list(map(Version.parse, texts))
    wrong = [constraint for constraint, wanted in table if answers(constraint, versions) != wanted]
    assert wrong == []


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        ("1.2.3", ["1.2.3", "v1.2.3", "1.2.3+b5"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("1.x", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9"]),
        ("*", ["0.0.0", "9.9.9"], ["1.0.0-rc.1"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        ("~1", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("~0.0.0", ["0.0.0", "7.0.0"], []),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.1.0"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("^0", ["0.0.0", "0.9.0"], ["1.0.0"]),
        (">1", ["2.0.0"], ["1.9.9", "1.0.0"]),
        (">1.2", ["1.3.0", "2.0.0"], ["1.2.9"]),
        ("<=1", ["1.9.9", "0.1.0"], ["2.0.0"]),
        ("<=1.2", ["1.2.9", "1.0.0"], ["1.3.0"]),
        ("!=1", ["2.0.0"], ["1.5.0"]),
        ("!=1.2", ["1.3.0"], ["1.2.5"]),
        (">=1.0.0-0", ["1.0.0-rc.1", "1.0.0"], ["0.9.0"]),
        ("1.0 - 2.0", ["1.0.0", "2.0.9"], ["0.9.9", "2.1.0"]),
        (">=1.0 <2.0 || 3.x", ["1.5.0", "3.1.0"], ["2.0.0", "4.0.0"]),
    ],
)
def test_a_constraint_accepts_and_refuses(constraint: str, accepted: list[str], refused: list[str]) -> None:
    assert [version for version in accepted + refused if accepts(constraint, version)] == accepted


def test_a_prerelease_needs_a_prerelease_in_the_same_alternative() -> None:
    assert not accepts(">=1.0.0 || >=9.0.0-0", "1.5.0-rc.1")
    assert accepts(">=1.0.0-0 <2 || >=9", "1.5.0-rc.1")


@pytest.mark.parametrize(("constraint", "named"), [("^1.0.0", False), ("^1 || ^2-0", True)])
def test_a_constraint_knows_whether_it_names_a_prerelease(constraint: str, *, named: bool) -> None:
    assert Constraint.parse(constraint).names_prerelease() is named


def test_metadata_makes_no_difference() -> None:
    assert Version.parse("1.2.3+a") == Version.parse("1.2.3+b")


def test_equal_constraints_share_one_object() -> None:
    assert Constraint.parse("^1.2.3") is Constraint.parse("^1.2.3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latest", "not a semantic version"),
        ("1.2.18446744073709551616", "64 bits"),
        ("1.2.3-01", "leading zero"),
        (f"1.2.3-{'a' * 256}", "not a semantic version"),
    ],
)
def test_a_refused_version_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidVersion, match=message):
        Version.parse(text)


def test_a_version_that_is_merely_not_strict_says_so() -> None:
    with pytest.raises(InvalidVersion, match="not a strict semantic version"):
        Version.parse("1.2", strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latest", "not a semver constraint"),
        ("1.2.3 latest", "not a semver constraint"),
        ("1.2.3.4", "not a semver constraint"),
        ("^1.2.3-01", "a version in it is invalid"),
    ],
)
def test_a_refused_constraint_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidConstraint, match=message):
        Constraint.parse(text)


def test_a_constraint_that_is_too_long_to_check_is_not_called_wrong() -> None:
    with pytest.raises(TooMuch, match="longer than 512 characters"):
        Constraint.parse("^1 " * 200)


@pytest.mark.parametrize(
    "text",
    [
        *("|" * 512, "1||" * 170 + "1", "1" + " " * 511, "1 " * 256, " " * 512, "1" + " " * 250 + "-" + " " * 260),
        *("1 - " * 128, "1 - 2 " * 85, " - " * 170, "-" * 512, "1-" + "a." * 255, "1+" + "a-" * 255, "1." * 256),
    ],
)
def test_the_longest_constraint_takes_a_moment_whatever_it_holds(text: str) -> None:
    assert min(_time_to_read(text) for _ in range(5)) < 0.01


def _time_to_read(constraint: str) -> float:
    semver._constraint.cache_clear()
    began = thread_time()
    answers(constraint, [])
    return thread_time() - began


@patient
@given(st.text(st.characters()) | st.lists(pieces, max_size=8).map("".join), version_text)
def test_any_text_is_a_constraint_or_is_refused(constraint: str, version: str) -> None:
    parsed_version = parsed(version)
    if parsed_version is not None:
        answer = answers(constraint, [parsed_version])
        assert answer in {None, "0", "1"}


@patient
@given(st.text(st.characters()))
def test_any_text_is_a_version_or_is_refused(text: str) -> None:
    strict = parsed(text, strict=True)
    assert strict is None or strict == parsed(text)


@patient
@given(version_text, version_text)
def test_a_version_satisfies_the_constraints_made_of_it(text: str, other: str) -> None:
    version, another = parsed(text), parsed(other)
    if version is None or another is None:
        return
    core = f"{version.major}.{version.minor}.{version.patch}"
    for operator in ("=", ">=", "<=", "~", "^"):
        assert not version.is_release or accepts(f"{operator}{core}", text)
    assert (version < another) + (version == another) + (version > another) == 1
