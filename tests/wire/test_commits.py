"""The files that a push changed, as far as the sender tells."""

from receivers.wire.commits import Commit, changed_files

COMMITS = [Commit(added=["a", "b"]), Commit(modified=["b"], removed=["c/d"])]


def test_the_files_of_all_commits_count_once() -> None:
    assert changed_files(COMMITS, complete=True) == frozenset({"a", "b", "c/d"})


def test_a_list_that_was_cut_tells_nothing() -> None:
    assert changed_files(COMMITS, complete=False) is None


def test_commits_without_files_tell_nothing() -> None:
    assert changed_files([], complete=True) is None
    assert changed_files([Commit()], complete=True) is None
