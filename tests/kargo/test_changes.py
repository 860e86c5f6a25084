"""What changed in one repository."""

from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.events import Pushed
from receivers.kargo import changes
from receivers.kargo.changes import GUESSED, Change
from receivers.kargo.effort import Effort
from receivers.kargo.selectors import git

patient = settings(deadline=None)  # the machine may be busy

REFS = st.sampled_from(["refs/heads/main", "refs/heads/develop", "refs/heads/trunk", "refs/tags/v1.0.0"])
pushes = st.builds(
    Pushed,
    repository_urls=st.just(("https://git.example.com/app",)),
    qualifiers=st.lists(REFS, max_size=2).map(tuple),
    changed_files=st.none() | st.frozensets(st.sampled_from(["app/a", "docs/b", "c"])),
    default_branch=st.sampled_from(["", "develop", "trunk"]),
)
subscriptions = st.fixed_dictionaries(
    {"repoURL": st.just("https://git.example.com/app")},
    optional={
        "branch": st.sampled_from(["", "main", "develop"]),
        "commitSelectionStrategy": st.sampled_from(["NewestFromBranch", "Lexical", "SemVer"]),
        "includePaths": st.lists(st.sampled_from(["app", "glob:**/b", "regex:^c"]), max_size=2),
        "excludePaths": st.lists(st.sampled_from(["docs", "glob:app/**"]), max_size=2),
    },
)


def push(*refs: str, files: frozenset[str] | None = None, default: str = "") -> Pushed:
    return Pushed(repository_urls=(), qualifiers=refs, changed_files=files, default_branch=default)


def test_a_push_names_each_qualifier_once() -> None:
    assert changes.of(push("a", "", "b", "a")) == Change(("a", "b"), None, GUESSED)


def test_no_file_is_as_little_as_not_told() -> None:
    assert changes.of(push("a", files=frozenset())).changed_files is None


def test_the_default_branch_is_the_one_that_is_told() -> None:
    assert changes.of(push("a", default="develop")).default_branches == {"develop"}


def test_pushes_together_bring_all_that_each_brings() -> None:
    one, other = push("a", files=frozenset("x"), default="d"), push("b", "a", files=frozenset("y"))
    together = changes.together(map(changes.of, (one, other)))
    assert together == Change(("a", "b"), frozenset("xy"), GUESSED | {"d"})


def test_one_push_that_does_not_tell_leaves_all_untold() -> None:
    told = changes.of(push("a", files=frozenset("x")))
    assert changes.together([told, changes.of(push("b"))]).changed_files is None
    assert changes.together([told, changes.of(push(files=frozenset("x")))]).qualifiers == ()


def test_more_files_than_are_looked_at_are_not_told() -> None:
    halves = [frozenset(f"{half}{number}" for number in range(limits.CHANGED_FILES // 2)) for half in "ab"]
    assert changes.together(Change(("r",), half) for half in halves).changed_files == halves[0] | halves[1]
    assert changes.together(Change(("r",), half) for half in [*halves, frozenset("c")]).changed_files is None


@patient
@given(st.lists(pushes, min_size=1, max_size=3), subscriptions)
def test_what_one_push_alone_is_accepted_for_all_of_them_are(found: list[Pushed], fields: dict[str, object]) -> None:
    each = [changes.of(push) for push in found]
    together = changes.together(each)
    selector = git.selector(fields)
    alone = [not change.qualifiers or selector.decide(change, Effort(9_999)).accepted for change in each]
    accepted = not together.qualifiers or selector.decide(together, Effort(9_999)).accepted
    assert accepted or not any(alone)
