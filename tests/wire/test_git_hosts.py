"""What Git hosts have in common beside commits."""

import pytest

from receivers.wire import git_hosts


@pytest.mark.parametrize("zeros", ["", "0" * 40, "0" * 64])
def test_zeros_stand_for_no_commit(zeros: str) -> None:
    assert git_hosts.commit(zeros) == ""
    assert not git_hosts.both_there(zeros, "a1")
    assert not git_hosts.both_there("a1", zeros)


def test_a_hash_is_a_commit() -> None:
    assert git_hosts.commit("a100") == "a100"
    assert git_hosts.both_there("a1", "b2")


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://git.example.com/team/app.git", "git.example.com", "team/app"),
        ("http://user@git.example.com:8443/a/b/c", "git.example.com:8443", "a/b/c"),
        ("git.example.com/team/app", "", ""),
        ("https://git.example.com", "git.example.com", ""),
        ("", "", ""),
    ],
)
def test_a_clone_url_names_host_and_repository(url: str, host: str, path: str) -> None:
    assert (git_hosts.host(url), git_hosts.path(url)) == (host, path)
