"""Nexus: components and assets of a repository whose place the receiver knows."""

import hmac
import json
from typing import Any

import pytest

from receivers.events import Event, Ignored, Kind, Pushed, Unauthenticated
from receivers.providers.nexus import NEXUS
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request

REGISTRY = "nexus.example.com:5000"
COMPONENT = {"format": "docker", "name": "team/app", "version": "1.2.3"}


def told(registry: str = REGISTRY, **members: Any) -> Event:  # noqa: ANN401 - any JSON
    document = {"action": "CREATED", "repositoryName": "docker-hosted", **members}
    headers = {"x-nexus-webhook-delivery": "7"}
    (event,) = deliver("nexus", json.dumps(document).encode(), headers, options={"registry": registry})
    return event


@pytest.mark.parametrize(
    "part",
    [
        {"component": COMPONENT},
        {"asset": {"format": "docker", "name": "v2/team/app/manifests/1.2.3"}},
        {"asset": {"format": "docker", "name": "/v2/team/app/manifests/1.2.3"}},
    ],
)
@pytest.mark.parametrize("action", ["CREATED", "UPDATED"])
def test_component_and_asset_tell_of_the_same_push(part: dict[str, Any], action: str) -> None:
    event = told(action=action, **part)
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"{REGISTRY}/team/app",)
    assert event.qualifiers == ("1.2.3",)
    assert event.sender_event_id == "7"


@pytest.mark.parametrize("registry", ["nexus.example.com/repository/docker-hosted", "nexus.example.com/docker/"])
def test_the_registry_may_have_a_path(registry: str) -> None:
    event = told(registry, component=COMPONENT)
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"{registry.rstrip('/')}/team/app",)


@pytest.mark.parametrize("registry", ["https://nexus.example.com/repository/helm", "nexus.example.com/repository/helm"])
def test_a_chart_beside_an_index_is_in_the_repository_of_that_url(registry: str) -> None:
    event = told(registry, component={"format": "helm", "name": "app", "version": "1.2.3"})
    assert isinstance(event, Pushed)
    assert event.repository_urls == ("https://nexus.example.com/repository/helm",)
    assert (event.kinds, event.qualifiers) == ((Kind.CHART,), ("1.2.3",))


@pytest.mark.parametrize(
    "members",
    [
        {"action": "DELETED", "component": COMPONENT},
        {"action": None},
        {"component": COMPONENT | {"format": "maven2"}},
        {"component": {"format": "helm"}},
        {"component": COMPONENT | {"version": "sha256:5"}},
        {"asset": {"format": "docker", "name": "v2/team/app/blobs/sha256:5"}},
        {"asset": {"format": "docker", "name": "v2/-/blobs/5"}},
        {},
    ],
)
def test_all_else_is_ignored(members: dict[str, Any]) -> None:
    assert isinstance(told(**members), Ignored)


def test_the_signature_is_hex_of_hmac_sha1() -> None:
    signature = hmac.new(b"secret", b"{}", "sha1").hexdigest()
    signed = request(b"{}", x_nexus_webhook_signature=signature)
    NEXUS.authentication.authenticate(signed, receiver("nexus"), (b"secret",))
    with pytest.raises(Unauthenticated):
        NEXUS.authentication.authenticate(request(b"{}"), receiver("nexus"), (b"secret",))
    NEXUS.authentication.authenticate(request(b"{}"), receiver("nexus", authentication="url"), ())
