"""The receiver that would tell of what is only polled."""

import json

import msgspec
import pytest
import yaml

from receivers.cluster.stores import ConfigStore
from receivers.directory import addresses, snippets
from receivers.events import Target
from receivers.providers import PROVIDERS
from tests.directory.test_coverage import PLACES, among, subscription

APP = Target("demo", "app")
SUGGESTED = {
    "acr": "azure",
    "acr-geo": "azure",
    "acr-chart": "azure",
    "acr-charts": "azure",
    "devops": "azure",
    "dockerhub": "dockerhub",
    "quay.io": "quay",
    "ghcr": "github",
    "github-enterprise": "github",
    "github": "github",
    "gitlab": "gitlab",
    "bitbucket": "bitbucket",
    "own-git": "push",
    "own": "push",
    "own-charts": "push",
    "jfrog": "artifactory",
    "ecr": "ecr",
    "ecr-public": "push",
    "gar": "gar",
    "gcr": "gar",
    "alibaba": "alibaba",
}
HINTED = {
    "harbor.example.com/team/app": "harbor",
    "zot.example.com:5000/app": "zot",
    "registry.k8s.io/harbor": "push",
}


@pytest.mark.parametrize("place", PLACES)
def test_each_place_has_its_receiver(place: str) -> None:
    assert snippets.suggest(APP, subscription(PLACES[place])).provider == SUGGESTED[place]


@pytest.mark.parametrize("url", HINTED)
def test_a_host_s_name_may_say_who_serves_it(url: str) -> None:
    assert snippets.suggest(APP, subscription({"image": {"repoURL": url}})).provider == HINTED[url]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_suggested_tells_of_it(place: str) -> None:
    wanted = subscription(PLACES[place])
    suggestion = snippets.suggest(APP, wanted)
    config, secret = yaml.safe_load_all(suggestion.yaml)
    store = ConfigStore()
    store.apply(msgspec.Raw(json.dumps(config).encode()))
    (receiver,) = store.receivers()
    assert among(receiver).of(APP, wanted, means=lambda *_: False) == [receiver]
    assert addresses.sender_of(receiver) == suggestion.provider
    assert receiver.secret is not None
    assert (receiver.secret.namespace, receiver.secret.name) == (APP.namespace, secret["metadata"]["name"])
    assert set(secret["stringData"]) <= set(PROVIDERS[receiver.provider].secret_keys)
