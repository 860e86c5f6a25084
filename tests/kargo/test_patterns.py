"""Regular expressions that users write."""

from itertools import count
from pathlib import Path
from time import thread_time

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.kargo import patterns, semver
from receivers.kargo.effort import Effort, TooMuch
from tests.kargo.tables import rows
from tests.loop_lag import HELD

patient = settings(deadline=None)  # the machine may be busy

# Go since 1.25 knows more names of character classes than RE2, so what RE2 does not know may be one of a newer Go's.
UNKNOWN = {rf"\p{{{name}}}" for name in ("any", "Letter", "letter", "greek", "GREEK", "ASCII", "Cn", "LC", "Assigned")}
UNKNOWN |= {r"\p{Uppercase_Letter}"}
ONLY_RE2 = {"a{99999999999}"}  # taken literally
UNCHECKED = (
    UNKNOWN
    | {r"\pX", r"\p", r"\p{}", r"\p{", r"\p{Foo}", r"\p{Script=Greek}"}  # wrong in today's Go
    | {r"\pL{2}", r"\pL{1000}", "a{0,1000}", "(a{500}|b{500}){2}"}  # right, and too large for us
)

SLOW = "(a|b)*a(a|b){%d}c"  # every further letter of a text leads to a new state
AS_AND_BS = "abaabbabbbaaabab" * 8

pieces = st.sampled_from([*r"aC\QE()[]{}|*+?^$.-1,:<>P=!", r"\C", r"\Q", r"\E", "(?P<", "(?i)", r"\pL", "[[:alpha:]]"])
usual = st.sampled_from(
    ["^v", "[0-9]+", r"\d", "-rc", "(alpha|beta)", ".", "$", "main", "(?i)A", r"\b", "x?", "a{2,3}"]
)
expressions = st.lists(usual, min_size=1, max_size=5).map("".join) | st.text("ab.*|()?", max_size=6)
tags = st.lists(st.sampled_from([*"vab01-.x\né", "main", "rc", "alpha"]), max_size=8).map("".join)


def compiled(*texts: str) -> patterns.Expressions:
    return patterns.compile(texts, effort=Effort(limits.READING_EFFORT))


def answers(pattern: str, probes: list[str]) -> str | None:
    try:
        first = compiled(pattern).first
    except patterns.InvalidPattern:
        return None
    return "".join("01"[first(probe) is not None] for probe in probes)


def test_patterns_are_accepted_and_match_as_by_gos_library() -> None:
    probes, *table = rows("patterns")
    wrong = {pattern for pattern, wanted in table if pattern not in UNCHECKED and answers(pattern, probes) != wanted}
    assert wrong == ONLY_RE2


@pytest.mark.parametrize("pattern", [*sorted(UNKNOWN), r"\PX", r"[\p{Greek_Extended}a]", r"a\p{^Letter}|b"])
def test_a_character_class_that_only_a_newer_go_may_know_is_no_fault(pattern: str) -> None:
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(TooMuch, match="Unicode class"):
            compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[b-a]", "invalid character class range: b-a"),
        ("(", r"missing \)"),
        (r"a\C", r"invalid escape sequence: \\C"),
        (r"(?=a)", "invalid perl operator"),
        (r"(?P<é>a)", "invalid capture group name"),
    ],
)
def test_a_refused_pattern_says_why(pattern: str, message: str) -> None:
    with pytest.raises(patterns.InvalidPattern, match=message) as raised:
        compiled("^v", pattern)
    assert raised.value.pattern == pattern


def test_nothing_is_written_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(patterns.InvalidPattern):
        compiled("never seen before (")
    assert capfd.readouterr() == ("", "")


def test_the_first_that_matches_is_told() -> None:
    expressions = compiled("^v", "main", "^ma")
    assert expressions.first("main-1") == "main"
    assert expressions.first("match") == "^ma"
    assert expressions.first("edge") is None
    assert compiled().first("edge") is None


def test_half_a_surrogate_pair_is_read_as_go_reads_it() -> None:
    assert compiled("^\ud800$").first("\udfff")
    assert compiled("^\ufffd$").first("\ud800")


@patient
@given(st.text(st.characters()) | st.lists(pieces, max_size=8).map("".join), st.text(st.characters()))
def test_any_text_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    try:
        assert answers(pattern, [text]) in {None, "0", "1"}
    except TooMuch:
        assert "p" in pattern.lower()


@patient
@given(st.lists(expressions, max_size=12), st.lists(tags, max_size=5))
def test_a_list_answers_as_its_expressions_do_one_by_one(texts: list[str], probes: list[str]) -> None:
    right = [text for text in texts if answers(text, []) is not None]
    together = compiled(*right)
    for probe in probes:
        alone = (text for text in right if re2.compile(text.encode()).search(probe.encode()))
        assert together.first(probe) == next(alone, None)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["x" * (limits.EXPRESSION + 1)], "an expression is longer than 1000 characters"),
        ([r"\pL" * (limits.UNICODE_CLASSES + 1)], "an expression has more than 5 Unicode classes"),
        (["x{1000}" * 10], "an expression is too large"),
        ([f"^v{number}-(alpha|beta)$" for number in range(1000)], "the expressions have more than 2000 instructions"),
    ],
)
def test_what_is_too_much_to_check_is_not_called_wrong(texts: list[str], reason: str) -> None:
    with pytest.raises(TooMuch, match=reason):
        compiled(*texts)


def test_a_warehouse_has_so_much_effort_for_all_its_expressions() -> None:
    effort = Effort(limits.READING_EFFORT)
    for _ in range(100):
        patterns.compile(["^v[0-9]+-(alpha|beta)$"], effort=effort)
    assert effort.spend(limits.READING_EFFORT // 4)
    effort.owe(limits.READING_EFFORT)
    with pytest.raises(TooMuch, match="the Warehouse has too many expressions"):
        patterns.compile(["^v[0-9]+-(alpha|beta)$"], effort=effort)


def test_an_automaton_that_runs_out_of_memory_does_not_count_as_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expressions = compiled("^v")
    monkeypatch.setattr(re2.Set, "Match", lambda _set, _text: None)
    with pytest.raises(TooMuch, match="too much memory"):
        expressions.first("v1")


def test_an_automaton_that_finds_no_room_is_too_much() -> None:
    with pytest.raises(TooMuch, match="too much memory"):
        patterns._compiled(tuple(f"[a-f]{{{number}}}" for number in range(100)), limits.SMALL_AUTOMATON_MEMORY)


hostile = pytest.mark.parametrize(
    "expression",
    [
        "[ab]{0,1000}#%d",
        "x{0,9}" * 150 + "%d",
        "(?:x{0,9}){0,9}" * 40 + "%d",
        "[ab]?" * 190 + "%d",
        "(a?b?c?d?){260}%d",
        r"\pL" * 300 + "%d",
        r"[^\pL]{20}\PL%d",
        r"(?i)\pL\pN[\pL\pN]%d",
        ".{300}%d",
        SLOW,
        "(" * 400 + "%d",
        "%d",
        "a|b|%d",
        "(" + "x" * 900 + "%d",
    ],
)


@hostile
def test_reading_a_warehouse_is_bounded_whatever_expressions_it_holds(expression: str) -> None:
    numbers = count()
    assert min(_time_to_read(expression, numbers) for _ in range(3)) < HELD


def _time_to_read(expression: str, numbers: "count[int]") -> float:
    texts = [expression.replace("%d", str(next(numbers) % 50)) for _ in range(1000)]
    patterns._examined.cache_clear()
    effort = Effort(limits.READING_EFFORT)
    began = thread_time()
    for text in texts:
        try:
            patterns.compile([text], effort=effort)
        except (TooMuch, patterns.InvalidPattern):
            continue
    return thread_time() - began


@pytest.mark.parametrize("shape", [SLOW, "a[ab]{%d}$", "x*a.{%d}$", "[ab]{0,%d}c", "(a?b?){%d}c"])
def test_searching_costs_no_more_than_its_price(shape: str) -> None:
    expressions = _largest(shape)
    text = AS_AND_BS[: 8 * limits.DECISION_EFFORT // expressions.size]
    assert expressions.price(text) <= limits.DECISION_EFFORT
    assert min(_time_to_search(expressions, text) for _ in range(3)) < HELD


def _largest(shape: str) -> patterns.Expressions:
    """As many expressions as one automaton may hold."""
    found = compiled(shape % 1)
    for number in count(2):
        try:
            found = patterns.compile([*found.texts, shape % number], effort=Effort(10**9))
        except TooMuch:
            return found
    raise AssertionError


def _time_to_search(expressions: patterns.Expressions, text: str) -> float:
    patterns._large_automaton.cache_clear()
    patterns._small_automaton.cache_clear()
    began = thread_time()
    expressions.first(text)
    return thread_time() - began


def test_what_is_remembered_of_expressions_is_bounded_in_bytes() -> None:
    before = _resident()
    for number in range(300):
        expressions = compiled(*(f"(a|b)*a(a|b){{{size}}}{number}" for size in range(1, 10 + number % 2 * 12)))
        expressions.first(AS_AND_BS[:50])
    assert _resident() - before < 48 * limits.MIB


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def test_what_is_remembered_of_expressions_constraints_and_versions_is_bounded() -> None:
    """As docs/security.md has it. The bytes of one are those of limits.py; the automata's are what RE2 may take."""
    most = {
        patterns._examined: 4 * 1024,
        patterns._small_automaton: limits.SMALL_AUTOMATON_MEMORY,
        patterns._large_automaton: limits.LARGE_AUTOMATON_MEMORY,
        semver._constraint: 30 * 1024,
        semver._version: 13 * 1024,
    }
    assert sum((cache.cache_info().maxsize or 1 << 40) * size for cache, size in most.items()) <= 35 * limits.MIB
