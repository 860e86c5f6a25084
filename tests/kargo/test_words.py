"""What subscriptions want, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receivers.kargo import subscriptions, words
from receivers.kargo.selectors import Selector
from receivers.kargo.selectors.deciding import Unchecked
from receivers.kargo.selectors.git import Branch


def selector(kind: str, **fields: object) -> Selector:
    (found,) = subscriptions.read([{kind: {"repoURL": "https://r.example.com/app", **fields}}]).subscriptions
    return found.selector


def image(**fields: object) -> Selector:
    return selector("image", **{"repoURL": "r.example.com/app", **fields})


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (image(), "tags that are semantic versions"),
        (image(constraint="^1.0.0", strictSemvers=True), "tags that are strict semantic versions that satisfy ^1.0.0"),
        (image(imageSelectionStrategy="NewestBuild"), "any tag"),
        (
            image(
                imageSelectionStrategy="Lexical", allowTagsRegexes=["^v"], ignoreTagsRegexes=["rc"], ignoreTags=["x"]
            ),
            "tags, allowed by ^v, not matching rc, not x",
        ),
        (
            image(imageSelectionStrategy="Lexical", allowTagsRegexes=["a", "b", "c", "d", "e"]),
            "tags, allowed by a or b or c or 2 more",
        ),
        (image(imageSelectionStrategy="Digest", constraint="latest"), "the digest of tag latest"),
        (image(imageSelectionStrategy="Digest"), "the digest of a tag that it does not name"),
        (image(imageSelectionStrategy="Fanciest"), "imageSelectionStrategy Fanciest is unknown"),
        (selector("chart", semverConstraint="^1"), "versions that satisfy ^1"),
        (selector("chart"), "any version"),
        (selector("git"), "the default branch"),
        (
            selector("git", branch="main", includePaths=["charts", "glob:src/**"], excludePaths=["regex:md$"]),
            "branch main, changes in charts/ or src/, not in md$",
        ),
        (selector("git", includePaths=["."]), "the default branch, changes in every directory"),
        (selector("git", commitSelectionStrategy="NewestTag"), "any tag"),
        (selector("git", commitSelectionStrategy="SemVer"), "tags that are semantic versions"),
        (Unchecked("too much"), "too much"),
        (Branch("main"), "something else"),  # no subscription has it alone
    ],
)
def test_a_selector_is_told_in_words(wanted: Selector, told: str) -> None:
    assert words.wanted(wanted) == told


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("", 300), ("5m0s", 300), ("1h30m", 5400), ("90s", 90), ("1.5s", 1), ("soon", None), ("-5m", None), ("5", None)],
)
def test_an_interval_is_so_long(interval: str, seconds: int | None) -> None:
    assert words.seconds(interval) == seconds


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://github.com/team/app", "https://github.com/team/app"),
        ("https://u:s3cret@charts.example.com/x?token=t0p", "https://charts.example.com/x?…"),
        ("https://charts.example.com/x#t0p", "https://charts.example.com/x#…"),
        ("https://u:s3/cr@et@charts.example.com/x", "https://charts.example.com/x"),
        ("HTTPS://s3cret@charts.example.com", "HTTPS://charts.example.com"),
        ("//u:s3cret@host/x", "host/x"),
        ("u:s3cret@host/x", "host/x"),
        ("s3cret@host/x", "host/x"),
        ("ssh://git@github.com/team/app", "ssh://git@github.com/team/app"),
        ("ssh://u:s3cret@host/x", "ssh://host/x"),
        ("https://host/@scope/app", "https://host/@scope/app"),
        ("registry.example.com:5000/team/app", "registry.example.com:5000/team/app"),
        ("odd\nu:s3cret@host", "host"),
        ("", ""),
    ],
)
def test_a_repository_is_told_without_what_lets_whoever_reads_it_in(url: str, told: str) -> None:
    assert words.repository(url) == told


@given(st.text(), st.text(alphabet="abc:/@?# ", max_size=20))
def test_no_repository_is_told_with_a_password(user: str, rest: str) -> None:
    assert "s3cret" not in words.repository(f"https://{user}:s3cret@{rest}")
