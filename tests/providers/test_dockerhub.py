"""Docker Hub: whatever is missing, it is a push."""

import pytest

from receivers.events import Ignored, Pushed
from tests.providers.deliveries import deliver


def pushed(body: bytes) -> Pushed:
    (event,) = deliver("dockerhub", body)
    assert isinstance(event, Pushed)
    return event


@pytest.mark.parametrize("body", [b"null", b"{}", b'{"repository": {}}', b'{"push_data": {"tag": "1.2.3"}}'])
def test_without_repo_name_it_concerns_nobody(body: bytes) -> None:
    assert pushed(body).repository_urls == ()


def test_without_a_tag_it_concerns_every_subscriber() -> None:
    event = pushed(b'{"repository": {"repo_name": "team/app"}}')
    assert event.repository_urls == ("team/app",)
    assert event.qualifiers == ()


def test_a_digest_is_no_tag() -> None:
    body = b'{"repository": {"repo_name": "team/app"}, "push_data": {"tag": "sha256:00"}}'
    reason = "team/app was pushed by digest alone, and subscriptions discover tags"
    assert deliver("dockerhub", body) == [Ignored(reason, "team/app")]


def test_the_media_type_is_passed_on() -> None:
    body = (
        b'{"repository": {"repo_name": "a/b"}, "push_data": {"media_type": "application/vnd.cncf.helm.config.v1+json"}}'
    )
    assert pushed(body).media_type == "application/vnd.cncf.helm.config.v1+json"
