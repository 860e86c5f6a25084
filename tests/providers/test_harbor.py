"""Harbor: both formats, and what its header has to hold."""

import json

import pytest

from receivers.events import Ignored, Pushed, Receiver, Unauthenticated, WebhookRequest
from receivers.providers.harbor import HARBOR
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request

DIGEST = "sha256:" + "4f" * 32


def received(*resources: object) -> list[object]:
    return list(
        deliver("harbor", json.dumps({"type": "PUSH_ARTIFACT", "event_data": {"resources": resources}}).encode())
    )


def proves(posted: WebhookRequest, to: Receiver, *secrets: bytes) -> bool:
    try:
        HARBOR.authentication.authenticate(posted, to, secrets)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize("tag", [DIGEST, "", None])
def test_a_push_without_a_tag_has_its_digest_instead(tag: str | None) -> None:
    resource = {"digest": DIGEST, "tag": tag, "resource_url": f"h.example.com/a/b@{DIGEST}"}
    (event,) = received(resource)
    assert isinstance(event, Ignored)
    assert "by digest alone" in event.reason


def test_a_push_of_neither_tag_nor_digest_concerns_every_subscriber() -> None:
    (event,) = received({"resource_url": "h.example.com/a/b"})
    assert isinstance(event, Pushed)
    assert event.qualifiers == ()


def test_one_by_digest_among_others_hides_none_of_them() -> None:
    tagged = {"tag": "1", "resource_url": "h.example.com/a/b:1"}
    by_digest = {"tag": DIGEST, "resource_url": f"h.example.com/a/b@{DIGEST}"}
    assert [type(each) for each in received(by_digest, None, tagged)] == [Ignored, Pushed]


def test_an_event_without_a_type_is_ignored() -> None:
    assert deliver("harbor", b"{}") == [Ignored("the event has no type")]


def test_the_header_holds_the_secret_whole_with_any_scheme() -> None:
    to = receiver("harbor")
    assert proves(request(b"{}", authorization="Bearer text"), to, b"Bearer text")
    assert not proves(request(b"{}", authorization="text"), to, b"Bearer text")
    assert not proves(request(b"{}", authorization="Bearer text"), to)
    with pytest.raises(Unauthenticated, match="missing authorization"):
        HARBOR.authentication.authenticate(request(b"{}"), to, (b"x",))
