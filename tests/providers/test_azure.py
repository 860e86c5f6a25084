"""Azure: what arrived is told by its body."""

import base64
from datetime import UTC, datetime

import pytest

from receivers.events import Ignored, Kind, Malformed, Ping, Push, Pushed, Unauthenticated
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request

AZURE, SECRET = PROVIDERS["azure"], b"the-present-secret"
BASIC = "Basic " + base64.b64encode(b"anybody:" + SECRET).decode()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PUSH = b'{"action": "push", "target": {"repository": "a", "tag": "1"}, "request": {"host": "r.azurecr.io"}}'


@pytest.mark.parametrize("agent", ["", "AzureContainerRegistry/1.0", "VSServices/19.0", "curl/8.0"])
def test_the_user_agent_does_not_matter(agent: str) -> None:
    (event,) = deliver("azure", PUSH, {"user-agent": agent})
    assert isinstance(event, Pushed)


@pytest.mark.parametrize("body", [b"null", b"{}", b"1", b'"push"', b'{"updated_tags": []}', b'{"resource": {}}'])
def test_what_no_azure_service_sends_is_malformed_in_kargos_words(body: bytes) -> None:
    with pytest.raises(Malformed, match="request does not appear to have originated from a supported service"):
        deliver("azure", body)


@pytest.mark.parametrize("body", [b"[]", b"[null]", b"[{}]", b"[[[]]]"])
def test_a_list_without_events_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        deliver("azure", body)


@pytest.mark.parametrize("agent", ["", "AzureContainerRegistry/1.0", "VSServices/19.0", "curl/8.0"])
@pytest.mark.parametrize("told", ['"resource": null', '"publisherId": "tfs"', '"RESOURCE": {}, "publisherId": "tfs"'])
def test_azure_devops_is_told_by_its_body_too(agent: str, told: str) -> None:
    body = f'{{"eventType": "build.complete", {told}}}'.encode()
    assert deliver("azure", body, {"user-agent": agent}) == [Ignored("event build.complete is not supported")]


def test_event_grid_s_event_type_is_another() -> None:
    body = b'{"eventType": "Microsoft.ContainerRegistry.ImageDeleted", "topic": "", "subject": "app", "data": {}}'
    (event,) = deliver("azure", body)
    assert event == Ignored("event type Microsoft.ContainerRegistry.ImageDeleted is not supported")


@pytest.mark.parametrize("body", [b'{"target": {}}', b'{"request": {}}', b'{"action": ""}', b'{"action": null}'])
def test_a_registry_body_without_action_is_ignored(body: bytes) -> None:
    assert deliver("azure", body) == [Ignored("the body has no action")]


def test_the_documentation_that_called_it_acr_still_holds() -> None:
    assert PROVIDERS["acr"].secret_keys == ("secret-token", "secret")
    assert PROVIDERS["acr"].serves == ("acr", "azure")
    assert deliver("acr", b'{"action": "ping"}') == [Ping()]


# What a receiver demands


@pytest.mark.parametrize("options", [{}, {"authentication": "url"}])
def test_the_url_is_all_that_is_demanded_unless_the_receiver_says_otherwise(options: dict[str, str]) -> None:
    assert not AZURE.needs_secret(receiver("azure", **options))
    AZURE.authentication.authenticate(request(PUSH), receiver("azure", **options), ())


@pytest.mark.parametrize(
    ("way", "claimed"),
    [("basic", BASIC), ("header", SECRET.decode())],
)
def test_a_receiver_can_demand_the_secret_as_a_password_or_as_a_header(way: str, claimed: str) -> None:
    demanding = receiver("azure", authentication=way)
    assert AZURE.needs_secret(demanding)
    AZURE.authentication.authenticate(request(PUSH, authorization=claimed), demanding, (b"another", SECRET))


@pytest.mark.parametrize("way", ["basic", "header", "", "Basic", "none"])
@pytest.mark.parametrize("secrets", [(), (b"",), (SECRET,)])
@pytest.mark.parametrize("claimed", ["", "Basic", "Basic Og==", "wrong"])
def test_what_a_receiver_demands_is_owed_by_everybody(way: str, secrets: tuple[bytes, ...], claimed: str) -> None:
    demanding = receiver("azure", authentication=way)
    assert AZURE.needs_secret(demanding)
    with pytest.raises(Unauthenticated):
        AZURE.authentication.authenticate(request(PUSH, authorization=claimed), demanding, secrets)


@pytest.mark.parametrize("way", ["url", "basic", "header"])
@pytest.mark.parametrize("push", [Push(repository="a.azurecr.io/b", tag="1"), Push(repository="b", ref="refs/heads/x")])
def test_what_is_sent_to_try_a_receiver_proves_itself_as_the_receiver_demands(way: str, push: Push) -> None:
    demanding = receiver("azure", authentication=way)
    example = AZURE.proven(AZURE.example(push, NOW), demanding, SECRET)
    AZURE.authentication.authenticate(request(example.body, **example.headers), demanding, (SECRET,))


def test_azure_tells_of_images_charts_and_git() -> None:
    assert AZURE.home.kinds == frozenset(Kind)
    assert PROVIDERS["acr"].home == AZURE.home
    assert AZURE.home.registries == ".azurecr.io"


def test_registering_names_both_senders() -> None:
    assert "Service hooks" in AZURE.registration.steps[-1]
    assert "Webhooks" in AZURE.registration.steps[0]
