"""URLs as Go reads and writes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import go_url
from tests.kargo.tables import rows

patient = settings(deadline=None)  # the machine may be busy

pieces = st.sampled_from([*"aB1.-_/:@%?#[]~+ é;&=*\x00", "https://", "//", "%2F", "%41", "[::1]", ":80"])


def written_anew(text: str) -> str | None:
    try:
        return str(go_url.parse(text))
    except go_url.InvalidUrl:
        return None


def trimmed(text: str) -> str | None:
    try:
        url = go_url.parse(text)
    except go_url.InvalidUrl:
        return None
    return str(url.without_user().with_path(url.path.removesuffix(b"/").removesuffix(b".git")))


def joined(base: str, elements: list[str]) -> str | None:
    try:
        return str(go_url.parse(base).joined(*elements))
    except go_url.InvalidUrl:
        return None


def test_urls_are_read_and_written_as_by_gos_library() -> None:
    table = rows("urls")
    assert [[text, written_anew(text), trimmed(text)] for text, _, _ in table] == table


def test_paths_are_joined_as_by_gos_library() -> None:
    table = rows("joined")
    assert [[base, elements, joined(base, elements)] for base, elements, _ in table] == table


@pytest.mark.parametrize(
    ("url", "has_parameters"),
    [
        ("https://host/?a=1", True),
        ("https://host/?a", True),
        ("https://host/?=", True),
        ("https://host/?;&a", True),
        ("https://host/", False),
        ("https://host/?", False),
        ("https://host/?&", False),
        ("https://host/?a;b", False),
        ("https://host/?%zz", False),
    ],
)
def test_only_readable_parameters_count(url: str, *, has_parameters: bool) -> None:
    assert go_url.parse(url).has_parameters() is has_parameters


@pytest.mark.parametrize(
    "place",
    ["{}", "a/{}", "https://{}/", "https://{}@h/", "https://[::1%25{}]/", "https://h/{}", "https://h/?{}", "/#{}"],
)
def test_half_a_surrogate_pair_is_read_as_go_reads_it_wherever_it_stands(place: str) -> None:
    assert written_anew(place.format("\udfff")) == written_anew(place.format("\ufffd"))


def test_half_a_surrogate_pair_may_be_joined() -> None:
    assert str(go_url.parse("/a").joined("\ud800")) == "/a/%EF%BF%BD"


def begins_like_an_authority(url: go_url.Url) -> bool:
    """Whether an escaped slash makes the path begin with two, which it does not as it was written."""
    return url.path.startswith(b"//") and not url.raw_path.startswith("//")


@pytest.mark.parametrize(
    ("text", "written"), [('/%2F"', "//%22"), ('%2F%2F"', "//%22"), ('x:/%2F"', "x://%22"), ('/%2Fa"', "//a%22")]
)
def test_an_escaped_slash_may_make_a_path_read_as_an_authority_when_it_is_written_as_in_go(
    text: str, written: str
) -> None:
    assert written_anew(text) == written
    assert written_anew(written) is None


@patient
@given(st.text(st.characters()) | st.lists(pieces, max_size=8).map("".join))
def test_any_text_is_a_url_or_is_refused_and_what_is_written_reads_the_same(text: str) -> None:
    try:
        url = go_url.parse(text)
    except go_url.InvalidUrl:
        return
    once = str(url)
    assert begins_like_an_authority(url) or written_anew(once) == once
