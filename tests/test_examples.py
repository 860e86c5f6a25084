"""Pushes to try a receiver with."""

from typing import Any

import pytest

from receivers import examples
from receivers.events import Push, Target
from receivers.kargo.index import SubscriptionIndex
from receivers.providers import PROVIDERS

ACR, QUAY, HUB = "myregistry.azurecr.io/team/app", "quay.io/team/app", "team/app"


def image(repository: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"image": {"repoURL": repository, **fields}}


def index(*subscriptions: dict[str, Any]) -> SubscriptionIndex:
    """One Warehouse with these subscriptions."""
    index = SubscriptionIndex()
    index.put(Target("kargo-demo", "app"), list(subscriptions))
    return index


def push(provider: str, *subscriptions: dict[str, Any]) -> Push:
    return examples.push(PROVIDERS[provider], index(*subscriptions).subscriptions("kargo-demo"))


@pytest.mark.parametrize(
    ("fields", "tag"),
    [
        ({}, "1.2.3"),
        ({"constraint": "^1.0.0"}, "1.2.3"),
        ({"constraint": "~2.1"}, "2.1.0"),
        ({"constraint": ">7.8.9"}, "7.8.10"),
        ({"imageSelectionStrategy": "Digest", "constraint": "stable"}, "stable"),
        ({"imageSelectionStrategy": "Lexical", "allowTagsRegexes": ["^main$"]}, "main"),
    ],
)
def test_the_tag_is_one_that_the_subscription_takes(fields: dict[str, Any], tag: str) -> None:
    assert push("quay", image(QUAY, **fields)).tag == tag


def test_when_no_tag_is_found_it_is_a_push_all_the_same() -> None:
    found = push("quay", image(QUAY, imageSelectionStrategy="Lexical", allowTagsRegexes=["^no-such-thing$"]))
    assert (found.repository, found.tag) == (QUAY, "1.2.3")


@pytest.mark.parametrize(("provider", "repository"), [("azure", ACR), ("acr", ACR), ("quay", QUAY), ("dockerhub", HUB)])
def test_the_repository_is_in_a_registry_of_the_sender(provider: str, repository: str) -> None:
    assert push(provider, image(HUB), image(QUAY), image(ACR)).repository == repository


def test_any_registry_will_do_but_docker_hub() -> None:
    assert push("quay", image(HUB), image("registry.example.com/app")).repository == "registry.example.com/app"


def test_a_chart_is_pushed_as_a_chart() -> None:
    chart = {"chart": {"repoURL": "oci://myregistry.azurecr.io/charts/app", "semverConstraint": "^3.0.0"}}
    found = push("azure", chart)
    assert (found.repository, found.tag) == ("myregistry.azurecr.io/charts/app", "3.0.0")
    assert found.media_type.startswith("application/vnd.cncf.helm")


def test_a_classic_chart_repository_has_no_sender() -> None:
    chart = {"chart": {"repoURL": "https://charts.example.com", "name": "app"}}
    assert push("quay", chart).repository == "quay.io/team/app"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_any_subscription_the_push_is_made_up(provider: str) -> None:
    assert examples.push(PROVIDERS[provider]).repository == PROVIDERS[provider].home.repository


def test_a_broken_subscription_is_passed_over() -> None:
    broken = image("quay.io/team/broken", allowTagsRegexes=["("])
    assert push("quay", broken, image(QUAY)).repository == QUAY
