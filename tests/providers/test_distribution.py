"""Distribution: envelopes of events, none of which is refused."""

import json
from typing import Any

import pytest

from receivers.events import Authenticated, Event, Ignored, Malformed, Pushed, Unauthenticated
from receivers.providers.distribution import DISTRIBUTION
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request

TARGET = {"repository": "team/app", "tag": "1.2.3"}
EVENT = {"action": "push", "target": TARGET, "request": {"host": "r.example.com"}}


def told(*events: object, **options: str) -> list[Event]:
    return deliver("distribution", json.dumps({"events": events}).encode(), options=options)


def pushed(event: Any, **options: str) -> Pushed:  # noqa: ANN401 - any JSON
    (found,) = told(event, **options)
    assert isinstance(found, Pushed)
    return found


@pytest.mark.parametrize(
    ("event", "options", "registry"),
    [
        (EVENT, {}, "r.example.com"),
        (EVENT, {"registry": "registry.example.com"}, "registry.example.com"),
        (EVENT | {"request": {}, "target": TARGET | {"url": "https://u.example.com:5000/v2/x"}}, {},
         "u.example.com:5000"),
    ],
)  # fmt: skip
def test_the_registry_is_the_receiver_s_or_the_client_s_or_its_own_idea(
    event: object, options: dict[str, str], registry: str
) -> None:
    assert pushed(event, **options).repository_urls == (f"{registry}/team/app",)


@pytest.mark.parametrize("url", ["", "://", "http://[::1", "\x00"])
def test_without_any_name_of_the_registry_the_push_is_ignored(url: str) -> None:
    event = EVENT | {"request": {}, "target": TARGET | {"url": url}}
    assert told(event) == [Ignored("the event names no repository")]


@pytest.mark.parametrize("action", ["pull", "mount", "delete", "", "PUSH"])
def test_only_a_push_counts(action: str) -> None:
    assert isinstance(told(EVENT | {"action": action})[0], Ignored)


def test_a_layer_is_no_image() -> None:
    event = EVENT | {"target": {"mediaType": "application/octet-stream", "repository": "team/app"}}
    assert told(event) == [Ignored("a layer was pushed: its image follows", "team/app")]


def test_one_event_that_cannot_be_read_costs_the_others_nothing() -> None:
    odd, sound = told(EVENT | {"target": 7}, EVENT)
    assert odd == Ignored("event 1 of 2 cannot be read")
    assert isinstance(sound, Pushed)


@pytest.mark.parametrize("envelope", [{}, {"events": None}, {"events": []}])
def test_an_envelope_may_be_empty(envelope: object) -> None:
    assert deliver("distribution", json.dumps(envelope).encode()) == [Ignored("the envelope holds no events")]


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'{"events": 7}', b'{"events": {}}', b'{"events": [7]}'])
def test_what_cannot_be_read_is_ignored_since_it_would_be_posted_again_without_end(body: bytes) -> None:
    with pytest.raises(Malformed):
        deliver("distribution", body)
    (event,) = DISTRIBUTION.events(Authenticated(request=request(body), receiver=receiver("distribution")))
    assert isinstance(event, Ignored)
    assert event.reason.startswith("it cannot be read: invalid request body")


def test_a_header_can_be_demanded() -> None:
    demanding = receiver("distribution", authentication="header")
    DISTRIBUTION.authentication.authenticate(request(b"", authorization="Bearer x"), demanding, (b"Bearer x",))
    with pytest.raises(Unauthenticated):
        DISTRIBUTION.authentication.authenticate(request(b"", authorization="Bearer y"), demanding, (b"Bearer x",))
