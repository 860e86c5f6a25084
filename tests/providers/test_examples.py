"""A payload that is made to try a receiver out means what was asked for."""

import json
from datetime import UTC, datetime

import pytest

from receivers.events import Event, Ignored, Kind, Push, Pushed
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver

DIGEST = "sha256:" + "5" * 64
MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def told(provider: str, repository: str, tag: str = "1.2.3") -> Event:
    """What a provider makes of its own example of a push."""
    example = PROVIDERS[provider].example(
        Push(repository=repository, tag=tag, digest=DIGEST, media_type=MEDIA_TYPE), NOW
    )
    (event,) = deliver(provider, example.body, example.headers)
    return event


def pushed(provider: str, repository: str, tag: str = "1.2.3") -> Pushed:
    event = told(provider, repository, tag)
    assert isinstance(event, Pushed)
    return event


@pytest.mark.parametrize("provider", ["azure", "acr"])
def test_an_acr_push(provider: str) -> None:
    event = pushed(provider, "demo.azurecr.io/team/app")
    assert event == Pushed(
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
    reason = "app was pushed by digest alone, and subscriptions discover tags"
    assert told("azure", "demo.azurecr.io/app", tag="") == Ignored(reason, "app")


def test_a_quay_push() -> None:
    assert pushed("quay", "quay.example.com:8443/team/app") == Pushed(
        repository_urls=("quay.example.com:8443/team/app",),
        kinds=(Kind.IMAGE, Kind.CHART),
        qualifiers=("1.2.3",),
        registry="quay.example.com:8443",
        repository="team/app",
        tag="1.2.3",
    )


def test_quay_does_not_tell_of_a_push_by_digest() -> None:
    assert isinstance(told("quay", "quay.io/a/b", tag=""), Ignored)


@pytest.mark.parametrize(("repository", "namespace"), [("team/app", "team"), ("busybox", "library")])
def test_a_docker_hub_push(repository: str, namespace: str) -> None:
    assert pushed("dockerhub", repository) == Pushed(
        repository_urls=(repository,),
        qualifiers=("1.2.3",),
        registry="docker.io",
        repository=repository,
        tag="1.2.3",
        media_type=MEDIA_TYPE,
    )
    example = PROVIDERS["dockerhub"].example(Push(repository=repository, tag="1"), NOW)
    assert json.loads(example.body)["repository"]["namespace"] == namespace
