"""Which receivers can tell of a subscription."""

import json
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from receivers import limits
from receivers.cluster.mirror import Mirror
from receivers.cluster.stores import WarehouseStore
from receivers.directory import coverage
from receivers.directory.coverage import Tellers
from receivers.events import Receiver, Selection, Target
from receivers.kargo import repositories, subscriptions
from receivers.kargo.subscriptions import Subscription
from receivers.providers import PROVIDERS, STAND_INS
from testbed.objects import Object

APP = Target("demo", "app")

# Where images, charts, Git repositories and chart repositories are, in the spelling of subscriptions
PLACES = {
    "acr": {"image": {"repoURL": "myregistry.azurecr.io/team/app"}},
    "acr-geo": {"image": {"repoURL": "myregistry.eastus.geo.azurecr.io/team/app"}},
    "acr-chart": {"chart": {"repoURL": "oci://myregistry.azurecr.io/charts/app"}},
    "acr-charts": {"chart": {"repoURL": "https://myregistry.azurecr.io/helm/v1/repo", "name": "app"}},
    "devops": {"git": {"repoURL": "https://dev.azure.com/team/project/_git/app"}},
    "dockerhub": {"image": {"repoURL": "team/app"}},
    "quay.io": {"image": {"repoURL": "quay.io/team/app"}},
    "ghcr": {"image": {"repoURL": "ghcr.io/team/app"}},
    "github-enterprise": {"image": {"repoURL": "containers.github.example.com/team/app"}},
    "github": {"git": {"repoURL": "git@github.com:team/app.git"}},
    "gitlab": {"git": {"repoURL": "https://gitlab.com/team/app.git"}},
    "bitbucket": {"git": {"repoURL": "https://bitbucket.org/team/app"}},
    "own-git": {"git": {"repoURL": "https://git.example.com:8443/team/app"}},
    "own": {"image": {"repoURL": "registry.example.com:5000/team/app"}},
    "own-charts": {"chart": {"repoURL": "https://registry.example.com:5000/charts", "name": "app"}},
    "jfrog": {"image": {"repoURL": "example.jfrog.io/docker-local/team/app"}},
    "ecr": {"image": {"repoURL": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app"}},
    "ecr-public": {"image": {"repoURL": "public.ecr.aws/team/app"}},
    "gar": {"image": {"repoURL": "europe-docker.pkg.dev/example/team/app"}},
    "gcr": {"image": {"repoURL": "eu.gcr.io/example/app"}},
    "alibaba": {"image": {"repoURL": "registry.cn-hangzhou.aliyuncs.com/team/app"}},
}
IMAGES = set(PLACES) - {"devops", "github", "gitlab", "bitbucket", "own-git", "own-charts"}
OWN = {"own", "github-enterprise"}  # what anybody may run

TOLD = {
    "azure": {"acr", "acr-geo", "acr-chart", "acr-charts", "devops", "own-git"},
    "acr": {"acr", "acr-geo", "acr-chart", "acr-charts", "devops", "own-git"},
    "quay": {"quay.io", *OWN},
    "dockerhub": {"dockerhub"},
    "harbor": OWN,
    "artifactory": {"jfrog", *OWN},
    "bitbucket": {"bitbucket", "own-git"},
    "gitea": {"own-git", "own-charts", *OWN},
    "github": {"github", "ghcr", "github-enterprise", "own-git"},
    "gitlab": {"gitlab", "own-git"},
    "generic": set(),  # has no actions here
    "distribution": OWN,
    "zot": {"own"},  # by the receiver's registry
    "nexus": {"own"},
    "ecr": {"ecr"},
    "alibaba": {"own"},
    "push": set(PLACES),
    "cdevents": IMAGES | {"own-charts"},
    "gar": {"gar", "gcr"},
    "refresh": set(),
}


def subscription(written: object) -> Subscription:
    (found,) = subscriptions.read([written]).subscriptions
    return found


def receiver(provider: str = "azure", *, project: str | None = "demo", name: str = "r", **options: str) -> Receiver:
    sender = PROVIDERS[provider]
    told = options or dict.fromkeys(sender.requires, "registry.example.com:5000")
    if provider in STAND_INS:
        provider, told = "generic", {"kargo-receivers/sender": provider, **told}
    return Receiver(provider=provider, name=name, project=project, source="test", options=told)


def generic(*criteria: Object) -> Receiver:
    actions = [{"action": "Refresh", "targetSelectionCriteria": [{"kind": "Warehouse", **each} for each in criteria]}]
    return Receiver(
        provider="generic",
        name="ci",
        project="demo",
        source="test",
        configuration=json.dumps({"actions": actions}).encode(),
    )


def by_name(selection: Selection, target: Target) -> bool:
    return selection.name in (None, target.name)


def among(*receivers: Receiver) -> Tellers:
    tellers = Tellers()
    for each in receivers:
        tellers.add(each)
    return tellers


def told(receivers: list[Receiver], written: object, target: Target = APP) -> list[str]:
    return [each.name for each in among(*receivers).of(target, subscription(written), means=by_name)]


def test_the_table_has_every_provider() -> None:
    assert set(TOLD) == set(PROVIDERS)


@pytest.mark.parametrize("provider", TOLD)
def test_a_receiver_tells_of_what_its_sender_speaks_for(provider: str) -> None:
    assert {place for place, written in PLACES.items() if told([receiver(provider)], written)} == TOLD[provider]


@pytest.mark.parametrize("provider", [name for name, told in TOLD.items() if told])
def test_a_receiver_tells_of_its_sender_s_home(provider: str) -> None:
    home = PROVIDERS[provider].home
    kind = "git" if "://" in home.repository else "image"
    options = {"registry": home.repository.partition("/")[0]} if home.named else {}
    assert told([receiver(provider, **options)], {kind: {"repoURL": home.repository}})


def test_those_of_the_project_come_before_those_of_the_cluster_and_others_do_not_count() -> None:
    found = [receiver(project=None, name="all"), receiver(name="ours"), receiver(project="other", name="theirs")]
    assert told(found, PLACES["acr"]) == ["ours", "all"]


def test_the_registry_that_a_receiver_names_is_the_only_one() -> None:
    named = [receiver("distribution", registry="registry.example.com:5000")]
    assert told(named, PLACES["own"]) == ["r"]
    assert told(named, PLACES["github-enterprise"]) == []
    charts = [receiver("nexus", registry="https://registry.example.com:5000/charts/")]
    assert told(charts, PLACES["own-charts"]) == ["r"]
    assert told(charts, PLACES["own"]) == []


@pytest.mark.parametrize(
    ("criterion", "tells"),
    [
        ({"name": "app"}, True),
        ({"name": "other"}, False),
        ({"name": "${{ request.body.name }}"}, True),
        ({"indexSelector": {"matchIndices": [index := {"key": "subscribedURLs", "operator": "Equals"}]}}, False),
        ({"indexSelector": {"matchIndices": [{**index, "value": "team/app"}]}}, True),
        ({"indexSelector": {"matchIndices": [{**index, "value": "docker.io/team/app"}]}}, True),
        ({"indexSelector": {"matchIndices": [{**index, "value": "team/other"}]}}, False),
        ({"indexSelector": {"matchIndices": [{**index, "value": "${{ request.body.image }}"}]}}, True),
        ({"indexSelector": {"matchIndices": [{**index, "operator": "NotEquals", "value": "team/other"}]}}, True),
    ],
)
def test_a_generic_receiver_tells_of_what_its_actions_may_select(criterion: Object, tells: bool) -> None:
    assert told([generic(criterion)], PLACES["dockerhub"]) == (["ci"] if tells else [])


def test_of_very_many_selections_the_first_are_looked_at() -> None:
    others = [{"name": f"other-{number}"} for number in range(limits.COVERAGE_SELECTIONS)]
    assert told([generic(*others[1:], {"name": "app"})], PLACES["acr"]) == ["ci"]
    assert told([generic(*others, {"name": "app"})], PLACES["acr"]) == []


def test_a_receiver_that_is_not_served_or_lacks_something_tells_of_nothing() -> None:
    unknown = Receiver(provider="unheard-of", name="r", project="demo", source="test")
    lacking = Receiver(provider="zot", name="r", project="demo", source="test")
    assert told([unknown, lacking], PLACES["own"]) == []


def mirrored(**warehouses: list[Object]) -> Mirror:
    store = WarehouseStore()
    for number, (name, wanted) in enumerate(warehouses.items()):
        metadata = {"name": name, "namespace": "demo", "uid": str(number), "generation": 1, "resourceVersion": "1"}
        written = {"metadata": metadata, "spec": {"subscriptions": wanted}}
        store.apply(msgspec.Raw(json.dumps(written).encode()))
    return cast("Mirror", SimpleNamespace(warehouses=store, index=store.index))


async def test_a_survey_has_those_first_that_nobody_tells_of_or_that_cannot_be_read() -> None:
    mirror = mirrored(
        sound=[PLACES["acr"]],
        polled=[PLACES["acr"], PLACES["dockerhub"]],
        broken=[PLACES["acr"], {"image": {"repoURL": "team/app", "allowTagsRegexes": ["("]}}],
    )
    found = await coverage.survey(mirror, await Tellers.among([receiver()]))
    assert [each.name for each in found.untold] == ["broken", "polled"]
    assert [each.name for each in found.told] == ["sound"]
    assert (found.subscriptions, found.only_polled, found.unreadable) == (4, 1, 1)
    assert await coverage.survey(mirror, Tellers(), project="other") == coverage.Survey()


async def test_a_look_tells_of_each_subscription() -> None:
    mirror = mirrored(app=[PLACES["acr"], PLACES["dockerhub"], {"image": {"repoURL": 7}}])
    seen = coverage.look(mirror, among(receiver(), receiver("dockerhub", project="other")), APP)
    assert [[each.name for each in by] for _, by in seen.told] == [["r"], []]
    assert [each.url for each in seen.untold] == ["team/app"]
    assert list(seen.faults) == [2]
    gone = coverage.look(mirror, Tellers(), Target("demo", "gone"))
    assert (gone.told, gone.faults) == ([], {})


@pytest.mark.parametrize(
    ("place", "provider"), [("acr", "azure"), ("own", ""), ("ghcr", "github"), ("gar", "gar"), ("devops", "azure")]
)
def test_a_host_is_that_of_its_provider(place: str, provider: str) -> None:
    wanted = subscription(PLACES[place])
    assert coverage.of_host(wanted.kind, repositories.registry(wanted.kind, wanted.url)) == provider
