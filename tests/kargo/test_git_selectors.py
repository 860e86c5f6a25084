"""What a Git subscription wants."""

from contextlib import suppress
from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.kargo import path_filters
from receivers.kargo.changes import GUESSED, Change
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Unreadable
from receivers.kargo.selectors import git
from receivers.kargo.subscriptions import read
from receivers.kargo.verdicts import UNCHECKED, Verdict
from tests.loop_lag import HELD

patient = settings(deadline=None)  # the machine may be busy

URL = "https://git.example.com/team/app"


def decide(*refs: str, files: tuple[str, ...] = (), default: str = "", **fields: Any) -> Verdict:  # noqa: ANN401 - any JSON
    change = Change(refs, frozenset(files) or None, frozenset({default}) if default else GUESSED)
    return git.selector({"repoURL": URL, **fields}).decide(change)


@pytest.mark.parametrize("strategy", ["NewestFromBranch", "", None])
def test_a_branch_must_be_the_one_subscribed_to(strategy: str | None) -> None:
    fields: dict[str, Any] = {"commitSelectionStrategy": strategy, "branch": "release/1"}
    assert decide("refs/heads/release/1", **fields) == (True, "branch release/1 is the one subscribed to")
    assert decide("refs/heads/main", **fields) == (False, "branch main is not release/1, the one subscribed to")
    assert not decide("refs/heads/Release/1", **fields).accepted


@pytest.mark.parametrize("ref", ["main", "refs/tags/main", "refs/pull/1/head", "REFS/HEADS/main"])
def test_what_is_no_branch_is_refused(ref: str) -> None:
    assert decide(ref) == (False, f"ref {ref} is not a branch")


def test_the_default_branch_is_the_one_that_the_sender_tells() -> None:
    assert decide("refs/heads/trunk", default="trunk") == (True, "branch trunk is the default branch")
    assert decide("refs/heads/main", default="trunk") == (False, "branch main is not trunk, the default branch")


@pytest.mark.parametrize("branch", ["main", "master"])
def test_an_untold_default_branch_is_guessed(branch: str) -> None:
    assert decide(f"refs/heads/{branch}") == (True, f"branch {branch} is taken for the default branch")
    assert decide("refs/heads/dev") == (False, "branch dev is not main or master, taken for the default branch")


def test_one_of_several_refs_is_enough_and_the_first_stands_for_all() -> None:
    assert decide("refs/heads/a", "refs/heads/main").accepted
    assert decide("refs/heads/a", "b", branch="c").reason == (
        "branch a is not c, the one subscribed to, and 1 more like it"
    )


@pytest.mark.parametrize("strategy", ["Lexical", "NewestTag"])
def test_a_tag_must_be_allowed(strategy: str) -> None:
    fields: dict[str, Any] = {
        "commitSelectionStrategy": strategy,
        "allowTagsRegexes": ["^v"],
        "ignoreTagsRegexes": ["-rc"],
    }
    assert decide("refs/tags/v1", **fields) == (True, "tag v1 matches allowTagsRegexes ^v")
    assert decide("refs/tags/v1-rc", **fields) == (False, "tag v1-rc matches ignoreTagsRegexes -rc")
    assert decide("refs/heads/v1", **fields) == (False, "ref refs/heads/v1 is not a tag")


def test_older_tag_fields_count() -> None:
    fields: dict[str, Any] = {"commitSelectionStrategy": "Lexical", "allowTags": "^v", "ignoreTags": ["v2"]}
    assert decide("refs/tags/v1", **fields) == (True, "tag v1 matches allowTags ^v")
    assert decide("refs/tags/v2", **fields) == (False, "tag v2 is one of ignoreTags")


def test_a_tag_may_have_to_be_a_version() -> None:
    fields: dict[str, Any] = {"commitSelectionStrategy": "SemVer", "semverConstraint": "^1", "strictSemvers": True}
    assert decide("refs/tags/v1.2.3", **fields) == (True, "tag v1.2.3 satisfies ^1")
    assert decide("refs/tags/v1.2", **fields).accepted is False
    assert decide("refs/tags/v2.0.0", **fields) == (False, "tag v2.0.0 does not satisfy ^1")
    assert decide("refs/tags/v1.2", commitSelectionStrategy="SemVer").accepted


def test_a_branch_strategy_does_not_read_the_tag_fields() -> None:
    assert decide("refs/heads/main", allowTagsRegexes=["("], semverConstraint="?").accepted


@pytest.mark.parametrize("fields", [{"expressionFilter": "author == 'x'"}, {"since": "x", "blobless": True}])
def test_what_needs_the_commit_itself_decides_nothing(fields: dict[str, Any]) -> None:
    assert decide("refs/heads/main", **fields).accepted


def test_a_changed_file_must_count_too() -> None:
    fields: dict[str, Any] = {"includePaths": ["app"], "excludePaths": ["glob:**/*.md"]}
    verdict = decide("refs/heads/main", files=("docs/a", "app/a"), **fields)
    why = "branch main is taken for the default branch, and {} counts by includePaths and excludePaths"
    assert verdict == (True, why.format("file app/a"))
    assert decide("refs/heads/main", files=("app/x/a.md",), **fields) == (False, why.format("no changed file"))
    assert not decide("refs/heads/dev", files=("app/a",), **fields).accepted


def test_without_files_the_paths_filter_nothing() -> None:
    assert decide("refs/heads/main", includePaths=["app"]) == (
        True,
        "branch main is taken for the default branch",
    )


@pytest.mark.parametrize("strategy", ["NewestFromBranch", "Lexical"])
def test_what_takes_more_effort_than_is_left_is_accepted(strategy: str) -> None:
    selector = git.selector({"repoURL": URL, "commitSelectionStrategy": strategy, "branch": "x"})
    assert selector.decide(Change(("a", "b")), Effort(1)) == UNCHECKED


HOSTILE: dict[str, tuple[list[str], frozenset[str]]] = {
    "many files": ([], frozenset(f"docs/{number}" for number in range(limits.CHANGED_FILES))),
    "many directories": ([f"d{number}" for number in range(limits.PATHS)], frozenset(map(str, range(9_999)))),
    "long files": ([], frozenset(f"{'a/' * 2_000}{number}" for number in range(999))),
    "long files with dots": (["..", "x"] * 500, frozenset(f"{'../' * 1_300}{number}" for number in range(999))),
    "globs": ([f"glob:**/{number}*{number}" for number in range(40)], frozenset(map(str, range(9_999)))),
    "ever new states": (["regex:(a|b)*a(a|b){12}c"], frozenset(f"{'ab' * 2_000}{number}" for number in range(500))),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_however_many_paths_and_files_they_are_the_event_loop_is_not_held(hostile: str) -> None:
    paths, files = HOSTILE[hostile]
    selector = git.selector({"repoURL": URL, "includePaths": ["app", *paths[1:]]})
    change = Change(("refs/heads/main",), files)

    def time_to_decide() -> float:
        began = thread_time()
        assert selector.decide(change).accepted
        return thread_time() - began

    assert min(time_to_decide() for _ in range(3)) < HELD


@pytest.mark.parametrize(
    "glob",
    [
        "{a,b}" * 6 + "x" * 960 + "%d",
        "{" * 30 + "a,b" + "}" * 30 + "x" * 900 + "%d",
        "[a-z]" * 190 + "%d",
        r"\x{ffff}" * 100 + "%d",
        "**/" * 320 + "%d",
        "a*/" * 320 + "%d",
        "[!" * 480 + "%d",
        "é" * 990 + "%d",
        "{" * 990 + "%d",
        "{" * 490 + "a" + "}" * 490 + "%d",
        "{" * 190 + "a" + "}" * 190 + "%d",
        "{}" * 490 + "%d",
        "{a" + "," * 60 + "b}/%d",
        "%d/**",
        "*a*a*a%d",
    ],
)
@pytest.mark.parametrize("count", [9, 16, 150, limits.PATHS], ids=["a few", "some", "many", "as many as may be"])
def test_reading_a_warehouse_is_bounded_whatever_globs_it_holds(glob: str, count: int) -> None:
    paths = [f"glob:{glob.replace('%d', str(number))}" for number in range(count)]

    def time_to_read() -> float:
        effort = Effort(limits.READING_EFFORT)
        began = thread_time()
        with suppress(TooMuch, Unreadable):  # then the rest is not read
            path_filters.read({"includePaths": paths}, effort)
        return thread_time() - began

    assert min(time_to_read() for _ in range(3)) < HELD


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"commitSelectionStrategy": "Lexical", "allowTagsRegexes": ["x" * 2000]}, "an expression is longer than 1000"),
        ({"includePaths": ["a"] * (limits.PATHS + 1)}, "there are too many paths"),
        ({"includePaths": [f"glob:{'x' * 2000}"]}, "a glob is longer than 1000 characters"),
        ({"excludePaths": [f"glob:{'{a,b}' * 20}"]}, "a glob has more than 64 alternatives"),
        ({"excludePaths": ["glob:*[!a]*"]}, "a glob has braces, classes or stars"),
        ({"includePaths": [f"regex:{'x{1000}' * 10}"]}, "an expression is too large"),
    ],
)
def test_what_is_more_than_is_checked_takes_every_push(fields: dict[str, Any], reason: str) -> None:
    verdict = decide("refs/heads/dev", files=("x",), **fields)
    assert verdict.accepted
    assert verdict.reason.startswith(reason)
    assert verdict.reason.endswith(": more than is checked, so every push refreshes")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"repoURL": ""}, "repoURL is missing"),
        ({"commitSelectionStrategy": "Newest"}, "commitSelectionStrategy Newest is unknown"),
        ({"branch": 1}, "branch is not a text"),
        ({"includePaths": "app"}, "includePaths is not a list of texts"),
        ({"includePaths": ["glob:["]}, "includePaths glob:[: not a glob"),
        ({"excludePaths": ["regex:("]}, "excludePaths (: missing ): ("),
        ({"commitSelectionStrategy": "SemVer", "semverConstraint": "?"}, "semverConstraint ?: not a semver constraint"),
    ],
)
def test_an_unreadable_git_subscription_says_which_field_is_wrong(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        git.selector({"repoURL": URL, **fields})
    assert str(raised.value) == reason


@patient
@given(
    st.lists(st.sampled_from(["glob:", "regex:", "", "regexp:"]).flatmap(lambda each: st.text().map(each.__add__))),
    st.frozensets(st.text(), max_size=3),
)
def test_whatever_the_paths_and_files_are_there_is_a_verdict_or_a_fault(
    paths: list[str], files: frozenset[str]
) -> None:
    fields: dict[str, object] = {"includePaths": paths, "excludePaths": paths[:1]}
    reading = read([{"git": {"repoURL": URL, **fields}}])
    assert all(reason.isprintable() for reason in reading.faults.values())
    selector = reading.subscriptions[0].selector
    assert selector.decide(Change(("refs/heads/main",), files)).reason.isprintable()
