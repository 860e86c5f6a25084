"""Regular expressions that users write."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.kargo import patterns
from tests.kargo.tables import rows

patient = settings(deadline=None)  # the machine may be busy

# Go since 1.25 knows more names of character classes than RE2, and lets a large class be repeated more often.
ONLY_GO = {rf"\p{{{name}}}" for name in ("any", "Letter", "letter", "greek", "GREEK", "ASCII", "Cn", "LC", "Assigned")}
ONLY_GO |= {r"\p{Uppercase_Letter}", r"\pL{1000}"}
ONLY_RE2 = {"a{99999999999}"}  # taken literally

pieces = st.sampled_from([*r"aC\QE()[]{}|*+?^$.-1,:<>P=!", r"\C", r"\Q", r"\E", "(?P<", "(?i)", r"\pL", "[[:alpha:]]"])


def answers(pattern: str, probes: list[str]) -> str | None:
    try:
        search = patterns.compile(pattern).search
    except patterns.InvalidPattern:
        return None
    return "".join("01"[search(probe)] for probe in probes)


def test_patterns_are_accepted_and_match_as_by_gos_library() -> None:
    probes, *table = rows("patterns")
    wrong = {pattern for pattern, wanted in table if answers(pattern, probes) != wanted}
    assert wrong == ONLY_GO | ONLY_RE2


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", r"missing \)"),
        (r"a\C", r"invalid escape sequence: \\C"),
        (r"(?=a)", "invalid perl operator"),
        (r"(?P<é>a)", "invalid capture group name"),
    ],
)
def test_a_refused_pattern_says_why(pattern: str, message: str) -> None:
    with pytest.raises(patterns.InvalidPattern, match=message):
        patterns.compile(pattern)


def test_nothing_is_written_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(patterns.InvalidPattern):
        patterns.compile("never seen before (")
    assert capfd.readouterr() == ("", "")


def test_equal_patterns_share_one_object() -> None:
    assert patterns.compile("^v1") is patterns.compile("^v1")


def test_half_a_surrogate_pair_is_read_as_go_reads_it() -> None:
    assert patterns.compile("^\ud800$").search("\udfff")
    assert patterns.compile("^\ufffd$").search("\ud800")


@patient
@given(st.text(st.characters()) | st.lists(pieces, max_size=8).map("".join), st.text(st.characters()))
def test_any_text_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    assert answers(pattern, [text]) in {None, "0", "1"}
