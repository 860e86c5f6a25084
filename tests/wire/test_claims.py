"""What a sender claims is bounded."""

import pytest

from receivers import limits
from receivers.events import Ignored, Kind, Malformed, PullRequestClosed, Pushed
from receivers.wire.claims import (
    artifact_pushed,
    commits_pushed,
    pull_request_closed,
    pushed_by_digest,
    shown,
    tags,
)


def test_text_for_people_is_printable_and_short() -> None:
    assert shown("delete") == "delete"
    assert shown("a\x1b[31m\n\u202e\ud800b") == "a\ufffd[31m\ufffd\ufffd\ufffdb"
    assert shown("x" * 500) == "x" * (limits.FREE_TEXT - 1) + "…"


def test_what_is_only_shown_is_clipped() -> None:
    long = "x" * 10_000
    event = artifact_pushed(
        repository_urls=["r/a"], qualifiers=[], registry=long, repository=long, digest=long, media_type=long
    )
    assert {len(event.registry), len(event.repository), len(event.digest)} == {limits.NAME_SHOWN}
    assert len(event.media_type) == limits.FREE_TEXT


def test_half_a_surrogate_pair_becomes_what_can_be_written() -> None:
    odd = "\ud800"
    event = artifact_pushed(
        repository_urls=[f"{odd}/a"], qualifiers=[odd], registry=odd, repository=odd, digest=odd, media_type=odd
    )
    assert (event.repository_urls, event.qualifiers) == (("\ufffd/a",), ("\ufffd",))
    assert {event.registry, event.repository, event.digest, event.media_type, event.tag} == {"\ufffd"}


def test_empty_and_repeated_names_count_once_or_not_at_all() -> None:
    event = artifact_pushed(repository_urls=["r/a", "", "r/a"], qualifiers=["", "1", "2", "1"])
    assert event.repository_urls == ("r/a",)
    assert event.qualifiers == ("1", "2")
    assert event.tag == "1, 2"


def test_more_tags_than_anyone_pushes_refresh_every_subscriber() -> None:
    tags = [str(number) for number in range(limits.QUALIFIERS + 1)]
    assert len(artifact_pushed(repository_urls=["r/a"], qualifiers=tags[:-1]).qualifiers) == limits.QUALIFIERS
    assert artifact_pushed(repository_urls=["r/a"], qualifiers=tags).qualifiers == ()


def test_an_id_too_long_to_keep_is_not_clipped_to_that_of_another_delivery() -> None:
    event = artifact_pushed(repository_urls=["r/a"], qualifiers=[], sender_event_id="x" * (limits.FREE_TEXT + 1))
    assert event.sender_event_id == ""


def test_a_digest_is_no_tag() -> None:
    assert tags(["1.2.3", "", "sha256:00", "a:b", "sha256-00"]) == ["1.2.3", "sha256-00"]


def test_what_is_said_of_a_push_by_digest_is_bounded() -> None:
    said = pushed_by_digest("a\n" + "x" * 5000).reason
    assert said.isprintable()
    assert len(said) < 300


def test_a_push_of_git_tells_its_refs_by_their_short_names() -> None:
    event = commits_pushed(
        repository_urls=["https://git.example.com/team/app.git", ""],
        refs=["refs/heads/main", "refs/tags/v1", "refs/pull/7/head"],
        changed_files=frozenset({"a", "\ud800"}),
        default_branch="trunk",
        host="git.example.com",
        repository="team/app",
        commit="4f" * 20,
        sender_event_id="7",
    )
    assert event == Pushed(
        repository_urls=("https://git.example.com/team/app.git",),
        kinds=(Kind.GIT,),
        qualifiers=("refs/heads/main", "refs/tags/v1", "refs/pull/7/head"),
        changed_files=frozenset({"a", "\ufffd"}),
        default_branch="trunk",
        registry="git.example.com",
        repository="team/app",
        tag="main, v1, refs/pull/7/head",
        digest="4f" * 20,
        sender_event_id="7",
    )


def test_what_is_too_much_of_a_push_of_git_counts_as_not_told() -> None:
    many = frozenset(map(str, range(limits.CHANGED_FILES + 1)))
    long = frozenset({"x" * (limits.NAME + 1)})
    for files in (many, long, None):
        assert commits_pushed(repository_urls=["r"], refs=["b"], changed_files=files).changed_files is None
    assert commits_pushed(repository_urls=["r"], refs=["b"], default_branch="x" * 5_000).default_branch == ""


def test_a_closed_pull_request_is_its_url() -> None:
    url = "https://Git.example.com/team/app/pull/7"
    assert pull_request_closed(url=url, sender_event_id="1") == PullRequestClosed(url=url, sender_event_id="1")


def test_a_pull_request_without_a_url_is_ignored() -> None:
    assert isinstance(pull_request_closed(url=""), Ignored)


def test_a_pull_request_s_url_is_not_clipped() -> None:
    with pytest.raises(Malformed):
        pull_request_closed(url="x" * (limits.NAME + 1))
