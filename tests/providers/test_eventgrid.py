"""Event Grid: envelopes, batches, handshakes, and which registry an event is from."""

import json
from typing import Any

import pytest

from receivers import limits
from receivers.events import Event, Handshake, Ignored, Malformed, Pushed
from tests.providers.deliveries import deliver

IMAGE_PUSHED = "Microsoft.ContainerRegistry.ImagePushed"
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
REGISTRY = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/Demo"
DATA = {"id": "data", "action": "push", "target": {"repository": "team/app", "tag": "1.2.3"}}


def event(**members: object) -> dict[str, object]:
    return {"id": "1", "topic": REGISTRY, "eventType": IMAGE_PUSHED, "data": DATA} | members


def cloud_event(**members: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": "1", "source": REGISTRY, "type": IMAGE_PUSHED, "data": DATA} | members


def received(document: object, *, registry: str = "") -> list[Event]:
    return deliver("azure", json.dumps(document).encode(), options={"registry": registry} if registry else None)


def pushed(document: object, *, registry: str = "") -> Pushed:
    (result,) = received(document, registry=registry)
    assert isinstance(result, Pushed)
    return result


@pytest.mark.parametrize("document", [event(), [event()], cloud_event(), [cloud_event()]])
def test_both_schemas_are_read_alone_and_in_a_batch(document: object) -> None:
    result = pushed(document)
    assert result.repository_urls == ("demo.azurecr.io/team/app",)
    assert result.sender_event_id == "1"


def test_without_an_id_of_its_own_the_envelope_has_that_of_its_data() -> None:
    assert pushed(event(id=None)).sender_event_id == "data"


@pytest.mark.parametrize(
    ("topic", "configured", "registry"),
    [
        (REGISTRY, "", "demo.azurecr.io"),
        (REGISTRY.upper(), "", "demo.azurecr.io"),
        (REGISTRY + "/", "", "demo.azurecr.io"),
        (REGISTRY, "Demo.azurecr.cn", "Demo.azurecr.cn"),
        (REGISTRY, "demo-a1b2c3.azurecr.io", "demo-a1b2c3.azurecr.io"),
        (REGISTRY, "demo2.azurecr.io", "demo.azurecr.io"),
        ("", "demo.azurecr.io", "demo.azurecr.io"),
        ("/registries/not a name", "", ""),
        ("/registries/\ud800", "", ""),
    ],
)
def test_an_event_that_names_no_host_is_from_the_registry_of_its_topic(
    topic: str, configured: str, registry: str
) -> None:
    assert pushed(event(topic=topic), registry=configured).registry == registry


def test_the_host_in_the_data_comes_first() -> None:
    data = DATA | {"request": {"host": "eu.demo.example.com"}}
    assert pushed(event(data=data), registry="demo.azurecr.io").registry == "eu.demo.example.com"


@pytest.mark.parametrize("type_", ["Microsoft.ContainerRegistry.ImageDeleted", "Contoso.Items.Received"])
def test_another_type_is_ignored_whatever_its_data(type_: str) -> None:
    assert received([event(eventType=type_, data=["x"])]) == [Ignored(f"event type {type_} is not supported")]


def test_an_event_without_a_type_is_ignored() -> None:
    assert received([{"specversion": "1.0"}]) == [Ignored("the event has no type")]


def test_a_push_without_data_concerns_nobody() -> None:
    assert pushed(event(data=None)).repository_urls == ()


UNREADABLE: list[Any] = [1, "a", None, [], {}, {"action": "push"}, event(data="x"), event(id=1)]


@pytest.mark.parametrize("broken", UNREADABLE)
def test_an_event_that_cannot_be_read_does_not_lose_the_others(broken: object) -> None:
    before, ignored, after = received([event(), broken, cloud_event()])
    assert isinstance(before, Pushed)
    assert ignored == Ignored("event 2 of 3 cannot be read")
    assert isinstance(after, Pushed)


def test_a_batch_in_which_nothing_can_be_read_is_malformed() -> None:
    with pytest.raises(Malformed, match="invalid request body"):
        received(UNREADABLE)


def test_a_batch_may_be_as_large_as_event_grid_sends_it_and_no_larger() -> None:
    assert len(received([{"eventType": "x"}] * limits.BATCH)) == limits.BATCH
    with pytest.raises(Malformed, match="more than 5000 events"):
        received([{"eventType": "x"}] * (limits.BATCH + 1))


def test_a_subscription_is_validated() -> None:
    assert received([event(eventType=VALIDATION, data={"validationCode": "abc"})]) == [
        Handshake(body={"validationResponse": "abc"})
    ]


@pytest.mark.parametrize("code", [None, "", "x" * (limits.FREE_TEXT + 1), 7])
def test_a_validation_without_a_usable_code_is_malformed(code: object) -> None:
    with pytest.raises(Malformed):
        received(event(eventType=VALIDATION, data={"validationCode": code}))


@pytest.mark.parametrize("origin", ["eventgrid.azure.net", "eventemitter.example.com:8080", "localhost"])
def test_a_cloud_events_sender_is_welcome_at_any_rate(origin: str) -> None:
    assert deliver("azure", b"", {"webhook-request-origin": origin}, method="OPTIONS") == [
        Handshake(body={}, headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})
    ]


@pytest.mark.parametrize(
    "origin", ["", "*", "a b", "https://eventgrid.azure.net", "a\r\nSet-Cookie: x", "a\n", "é.example.com", "a" * 300]
)
def test_an_origin_that_is_no_host_name_is_not_echoed(origin: str) -> None:
    with pytest.raises(Malformed, match="WebHook-Request-Origin"):
        deliver("azure", b"", {"webhook-request-origin": origin}, method="OPTIONS")


def test_in_binary_mode_the_headers_are_the_envelope() -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": IMAGE_PUSHED, "ce-source": REGISTRY}
    (result,) = deliver("azure", json.dumps(DATA).encode(), headers)
    assert result == pushed(cloud_event())


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b'{"action": 1}'])
def test_in_binary_mode_data_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        deliver("azure", body, {"ce-type": IMAGE_PUSHED})
