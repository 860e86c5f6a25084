"""Pushes to try a receiver with."""

from dataclasses import replace
from typing import Any

import pytest

from receivers import examples
from receivers.events import Home, Kind, Provider, Push, Receiver, Target
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


def test_where_only_the_receiver_tells_the_registry_it_is_that_one() -> None:
    receiver = Receiver(
        provider="zot", name="r", project=None, source="settings", options={"registry": "zot.example.com:5000"}
    )
    theirs, others = image("zot.example.com:5000/team/app"), image("zot.example.com/team/app")
    zot = PROVIDERS["zot"]
    subscriptions = index(image(QUAY), others, theirs).subscriptions("kargo-demo")
    assert examples.push(zot, subscriptions, receiver=receiver).repository == "zot.example.com:5000/team/app"
    assert examples.push(zot, [], receiver=receiver).repository == "zot.example.com:5000/team/app"


def test_a_broken_subscription_is_passed_over() -> None:
    broken = image("quay.io/team/broken", allowTagsRegexes=["("])
    assert push("quay", broken, image(QUAY)).repository == QUAY


# Git

GIT = "https://git.example.com/team/app"
GIT_HOME = Home(repository="https://github.com/octo/app", registries="github.com", kinds=frozenset({Kind.GIT}))
GIT_ONLY = replace(PROVIDERS["quay"], home=GIT_HOME)
BOTH = replace(PROVIDERS["quay"], home=replace(GIT_HOME, kinds=frozenset(Kind)))


def git(repository: str = GIT, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"git": {"repoURL": repository, **fields}}


def push_by(provider: Provider, *subscriptions: dict[str, Any]) -> Push:
    return examples.push(provider, index(*subscriptions).subscriptions("kargo-demo"))


@pytest.mark.parametrize("provider", [GIT_ONLY, BOTH])
def test_without_a_subscription_git_is_pushed_to_the_main_branch(provider: Provider) -> None:
    found = examples.push(provider)
    assert (found.repository, found.ref, len(found.digest)) == (GIT_HOME.repository, "refs/heads/main", 40)


@pytest.mark.parametrize(
    ("fields", "ref"),
    [
        ({}, "refs/heads/main"),
        ({"branch": "release/1"}, "refs/heads/release/1"),
        ({"commitSelectionStrategy": "NewestTag"}, "refs/tags/1.2.3"),
        ({"commitSelectionStrategy": "Lexical", "allowTagsRegexes": ["^v"]}, "refs/tags/v1.2.3"),
        ({"commitSelectionStrategy": "SemVer", "semverConstraint": "^2"}, "refs/tags/2.0.0"),
        ({"includePaths": ["x"] * 1_001}, "refs/heads/main"),
    ],
)
def test_the_ref_is_one_that_the_subscription_takes(fields: dict[str, Any], ref: str) -> None:
    found = push_by(GIT_ONLY, image(QUAY), git(**fields))
    assert (found.repository, found.ref, found.tag) == (GIT, ref, "")


@pytest.mark.parametrize(
    ("fields", "file"),
    [
        ({}, "README.md"),
        ({"includePaths": ["apps/demo"]}, "apps/demo/README.md"),
        ({"includePaths": ["glob:apps/**"], "excludePaths": ["glob:**/*.md"]}, "apps/main.go"),
        ({"excludePaths": ["glob:*.md"]}, "main.go"),
    ],
)
def test_the_changed_file_is_one_that_the_paths_accept(fields: dict[str, Any], file: str) -> None:
    assert push_by(GIT_ONLY, git(**fields)).changed_files == (file,)


def test_files_that_no_path_accepts_are_not_told() -> None:
    assert push_by(GIT_ONLY, git(includePaths=["regex:^no-such-thing$"])).changed_files == ()


def test_its_own_host_comes_before_others_and_git_before_images() -> None:
    theirs = "git@github.com:octo/other.git"
    assert push_by(BOTH, image(QUAY), git(), git(theirs)).repository == "ssh://git@github.com/octo/other"
    assert push_by(BOTH, image(QUAY), git()).repository == GIT
    assert push_by(BOTH, image(QUAY)).tag == "1.2.3"
    assert push("azure", git("https://github.com/octo/app"), image(ACR)).repository == ACR
    assert push_by(PROVIDERS["quay"], git(), image(QUAY)).repository == QUAY


@pytest.mark.parametrize("provider", ["azure", "acr", "push"])
def test_who_tells_of_git_too_pushes_an_image_to_a_registry(provider: str) -> None:
    found = examples.push(PROVIDERS[provider])
    assert (found.ref, found.tag) == ("", "1.2.3")
