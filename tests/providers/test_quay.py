"""Quay: tags in every form that its servers send, and bodies that users may write themselves."""

import json

import pytest

from receivers.events import Event, Ignored, Malformed, Pushed
from tests.providers.deliveries import deliver


def received(**members: object) -> list[Event]:
    return deliver("quay", json.dumps({"docker_url": "quay.io/team/app"} | members).encode())


@pytest.mark.parametrize(
    ("updated_tags", "qualifiers"),
    [
        (["1.2.3"], ("1.2.3",)),
        (["1.2.3", "latest"], ("1.2.3", "latest")),
        ({"1.2.3": "f0", "Latest": None}, ("1.2.3", "Latest")),
        ([None, "1.2.3", ""], ("1.2.3",)),
        (["sha256:00", "1.2.3"], ("1.2.3",)),
    ],
)
def test_a_push_has_a_list_or_an_object_of_tags(updated_tags: object, qualifiers: tuple[str, ...]) -> None:
    (event,) = received(updated_tags=updated_tags)
    assert isinstance(event, Pushed)
    assert event.qualifiers == qualifiers


@pytest.mark.parametrize("members", [{}, *({"updated_tags": tags} for tags in (None, [], {}, [None], [""], {"": 1}))])
def test_without_tags_it_is_not_a_push(members: dict[str, object]) -> None:
    assert received(**members) == [Ignored("not a push: no updated_tags", "quay.io/team/app")]


def test_a_digest_among_the_tags_is_none() -> None:
    reason = "quay.io/team/app was pushed by digest alone, and subscriptions discover tags"
    assert received(updated_tags=["sha256:00"]) == [Ignored(reason, "quay.io/team/app")]


def test_a_null_document_is_not_a_push() -> None:
    assert deliver("quay", b"null") == [Ignored("not a push: no updated_tags")]


def test_a_push_without_docker_url_concerns_nobody() -> None:
    (event,) = received(docker_url=None, updated_tags=["1.2.3"])
    assert isinstance(event, Pushed)
    assert event.repository_urls == ()


def test_a_template_of_a_users_own_may_write_anything() -> None:
    with pytest.raises(Malformed):
        received(updated_tags="1.2.3")
    with pytest.raises(Malformed):
        deliver("quay", b"pushed quay.io/team/app")
