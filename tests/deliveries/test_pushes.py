"""A push as people write it."""

import pytest

from receivers import limits
from receivers.deliveries import pushes
from receivers.deliveries.pushes import NoPush
from receivers.events import Ignored, Kind, Pushed

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "url", "qualifiers", "kinds"),
    [
        ("myregistry.azurecr.io/team/app:1.2.3", "myregistry.azurecr.io/team/app", ("1.2.3",), ()),
        (f"registry.example.com:5000/app:1@{DIGEST}", "registry.example.com:5000/app", ("1",), ()),
        ("registry.example.com:5000/app", "registry.example.com:5000/app", (), ()),
        ("team/app:latest", "team/app", ("latest",), ()),
        ("busybox:1", "busybox", ("1",), ()),
        (" busybox\n", "busybox", (), ()),
        ("oci://r.azurecr.io/charts/app:1.2.3", "r.azurecr.io/charts/app", ("1.2.3",), (Kind.CHART,)),
        ("https://charts.example.com/stable:1.2.3", "https://charts.example.com/stable", ("1.2.3",), (Kind.CHART,)),
        ("git@github.com:team/app.git", "git@github.com:team/app.git", (), (Kind.GIT,)),
        ("https://github.com/team/app.git", "https://github.com/team/app.git", (), (Kind.GIT,)),
        ("ssh://git@git.example.com:22/team/app", "ssh://git@git.example.com:22/team/app", (), (Kind.GIT,)),
    ],
)
def test_what_was_pushed_is_read(text: str, url: str, qualifiers: tuple[str, ...], kinds: tuple[Kind, ...]) -> None:
    (event,) = pushes.read(text)
    assert isinstance(event, Pushed)
    assert (event.repository_urls, event.qualifiers, event.kinds) == ((url,), qualifiers, kinds)


def test_a_ref_and_files_make_it_one_of_git() -> None:
    (event,) = pushes.read("https://github.com/team/app", ref="refs/heads/main", changed_files=["a/b"])
    assert isinstance(event, Pushed)
    assert (event.kinds, event.qualifiers) == ((Kind.GIT,), ("refs/heads/main",))
    assert event.changed_files == frozenset({"a/b"})


def test_a_url_that_says_no_more_may_be_either() -> None:
    events = pushes.read("https://git.example.com/team/app")
    assert [event.kinds for event in events if isinstance(event, Pushed)] == [(Kind.CHART,), (Kind.GIT,)]


def test_a_media_type_decides_what_it_is() -> None:
    (event,) = pushes.read("oci://r.azurecr.io/app:1", media_type="application/vnd.oci.image.index.v1+json")
    assert isinstance(event, Pushed)
    assert (event.kinds, event.media_type) == ((), "application/vnd.oci.image.index.v1+json")


def test_an_image_of_one_word_with_a_digest_is_no_user_of_git() -> None:
    (event,) = pushes.read(f"nginx@{DIGEST}")
    assert isinstance(event, Ignored)


def test_a_push_by_digest_is_discovered_by_nobody() -> None:
    (event,) = pushes.read(f"r.azurecr.io/app@{DIGEST}")
    assert isinstance(event, Ignored)


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("", {}, "a push is written as"),
        ("two words", {}, "a push is written as"),
        ("a\x00b", {}, "a push is written as"),
        *((text, {}, "a push is written as") for text in ("@", ":", ":1", "oci://", "app@", "app:1@sha256:xyz")),
        ("ftp://host/app", {}, "a push is written as"),
        ("team/app", {"ref": "main"}, "a ref is written whole"),
        ("git@host:app", {"media_type": "x"}, "no media type"),
        ("https://host/app", {"media_type": "x"}, "no https:// before it"),
        ("a" * (limits.NAME + 1), {}, "longer than"),
    ],
)
def test_what_is_no_push_says_what_would_be(text: str, more: dict[str, str], said: str) -> None:
    with pytest.raises(NoPush, match=said):
        pushes.read(text, **more)
