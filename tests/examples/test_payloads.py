"""A payload that is made to try a receiver out means what was asked for."""

import json

import pytest

from receivers.events import ArtifactPushed, Ignored, Kind, Ping
from receivers.examples import payloads
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver

DIGEST = "sha256:" + "5" * 64
MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"


def pushed(provider: str, repository: str, tag: str = "1.2.3") -> ArtifactPushed:
    headers, body = payloads.push(provider, repository=repository, tag=tag, digest=DIGEST, media_type=MEDIA_TYPE)
    (event,) = deliver(provider, body, headers)
    assert isinstance(event, ArtifactPushed)
    return event


@pytest.mark.parametrize("provider", ["azure", "acr"])
def test_an_acr_push(provider: str) -> None:
    event = pushed(provider, "demo.azurecr.io/team/app")
    assert event == ArtifactPushed(
        repository_urls=("demo.azurecr.io/team/app",),
        qualifiers=("1.2.3",),
        registry="demo.azurecr.io",
        repository="team/app",
        tag="1.2.3",
        digest=DIGEST,
        media_type=MEDIA_TYPE,
        sender_event_id=event.sender_event_id,
    )
    assert event.sender_event_id


def test_two_acr_pushes_are_no_duplicates() -> None:
    first, second = (pushed("azure", "demo.azurecr.io/app").sender_event_id for _ in range(2))
    assert first != second


def test_an_acr_push_by_digest() -> None:
    headers, body = payloads.push(
        "azure", repository="demo.azurecr.io/app", tag="", digest=DIGEST, media_type=MEDIA_TYPE
    )
    reason = "app was pushed by digest alone, and subscriptions discover tags"
    assert deliver("azure", body, headers) == [Ignored(reason)]


def test_a_quay_push() -> None:
    assert pushed("quay", "quay.example.com:8443/team/app") == ArtifactPushed(
        repository_urls=("quay.example.com:8443/team/app",),
        kinds=(Kind.IMAGE, Kind.CHART),
        qualifiers=("1.2.3",),
        registry="quay.example.com:8443",
        repository="team/app",
        tag="1.2.3",
    )


def test_quay_does_not_tell_of_a_push_by_digest() -> None:
    headers, body = payloads.push("quay", repository="quay.io/a/b", tag="", digest=DIGEST, media_type=MEDIA_TYPE)
    (event,) = deliver("quay", body, headers)
    assert isinstance(event, Ignored)


@pytest.mark.parametrize(("repository", "namespace"), [("team/app", "team"), ("busybox", "library")])
def test_a_docker_hub_push(repository: str, namespace: str) -> None:
    assert pushed("dockerhub", repository) == ArtifactPushed(
        repository_urls=(repository,),
        qualifiers=("1.2.3",),
        registry="docker.io",
        repository=repository,
        tag="1.2.3",
        media_type=MEDIA_TYPE,
    )
    _, body = payloads.push("dockerhub", repository=repository, tag="1", digest=DIGEST, media_type=MEDIA_TYPE)
    assert json.loads(body)["repository"]["namespace"] == namespace


def test_a_payload_for_every_provider() -> None:
    for provider in PROVIDERS:
        pushed(provider, "registry.example.com/team/app")


@pytest.mark.parametrize("provider", ["azure", "acr"])
def test_an_acr_ping(provider: str) -> None:
    headers, body = payloads.ping(provider)
    assert deliver(provider, body, headers) == [Ping()]


@pytest.mark.parametrize("provider", ["quay", "dockerhub"])
def test_a_sender_that_has_no_ping(provider: str) -> None:
    with pytest.raises(KeyError):
        payloads.ping(provider)
