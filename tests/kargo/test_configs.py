"""Receivers, from whatever a config's lists hold."""

import json

import msgspec
import pytest

from receivers import limits
from receivers.events import Receiver, SecretReference
from receivers.kargo import configs


def read(configured: object, published: object = None) -> list[Receiver]:
    return configs.receivers(
        decoded(configured),
        decoded(published),
        project="kargo-demo",
        secrets_namespace="kargo-demo",
        source="ProjectConfig kargo-demo",
    )


def decoded(value: object) -> configs.Decoded:
    return configs.decode(msgspec.Raw(json.dumps(value).encode()))


REFERENCE = "builds-secret"
# Kargo's kinds, in the order in which it looks for them.
KINDS = ("artifactory", "azure", "bitbucket", "dockerhub", "generic", "gitea", "github", "gitlab", "harbor", "quay")


def entry(name: object = "builds", key: str = "azure", reference: object = REFERENCE) -> dict[str, object]:
    return {"name": name, key: {"secretRef": {"name": reference}}}


def test_a_receiver_has_its_secret_and_its_published_path() -> None:
    published = [{"name": "another", "path": "/azure/1"}, {"name": "builds", "path": "/azure/2", "url": "https://x"}]
    assert read([entry()], published) == [
        Receiver(
            provider="azure",
            name="builds",
            project="kargo-demo",
            source="ProjectConfig kargo-demo",
            secret=SecretReference(namespace="kargo-demo", name="builds-secret"),
            status_path="/azure/2",
            configuration=b'{"secretRef": {"name": "builds-secret"}}',
        )
    ]


def test_the_cluster_s_receivers_belong_to_no_project() -> None:
    (receiver,) = configs.receivers(
        decoded([entry()]), configs.NOTHING, project=None, secrets_namespace="system", source="ClusterConfig"
    )
    assert receiver.project is None
    assert receiver.secret == SecretReference(namespace="system", name="builds-secret")


@pytest.mark.parametrize("key", KINDS)
def test_every_kind_of_kargo_is_read(key: str) -> None:
    assert [receiver.provider for receiver in read([entry(key=key)])] == [key]


def test_of_several_kinds_in_one_entry_the_first_of_kargo_s_order_counts() -> None:
    (receiver,) = read([entry(key="quay") | entry(key="github", reference="github-secret")])
    assert receiver.provider == "github"
    assert receiver.secret == SecretReference(namespace="kargo-demo", name="github-secret")


@pytest.mark.parametrize("rank", range(len(KINDS)))
def test_the_order_is_kargo_s_whatever_the_entry_s_is(rank: int) -> None:
    for kinds in (KINDS[rank:], KINDS[rank:][::-1]):
        (receiver,) = read([{"name": "builds"} | {kind: {} for kind in kinds}])
        assert receiver.provider == KINDS[rank]


def test_of_two_entries_with_one_name_the_first_counts() -> None:
    assert [receiver.provider for receiver in read([entry(), entry(key="quay"), entry(name="other")])] == [
        "azure",
        "azure",
    ]


@pytest.mark.parametrize("path", [None, 1, {}, ["/azure/1"]])
def test_a_published_path_that_is_none_is_left_out(path: object) -> None:
    (receiver,) = read([entry()], [{"name": "builds", "path": path}])
    assert receiver.status_path == ""


@pytest.mark.parametrize("nonsense", [None, "text", 1, {}, [None], ["text"], [{}], [{"azure": {}}], [entry(name=1)]])
def test_what_makes_no_sense_is_left_out(nonsense: object) -> None:
    assert read(nonsense, nonsense) == []


@pytest.mark.parametrize("nonsense", [None, "text", [], 1])
def test_an_entry_of_no_known_kind_is_left_out(nonsense: object) -> None:
    assert read([{"name": "builds", "azure": nonsense}, {"name": "unknown", "zot": {}}, entry(name="sound")]) == read(
        [entry(name="sound")]
    )


@pytest.mark.parametrize(
    "configuration", [{}, {"secretRef": None}, {"secretRef": "x"}, {"secretRef": {}}, {"secretRef": {"name": 1}}]
)
def test_a_receiver_without_a_secret_s_name_has_an_empty_one(configuration: object) -> None:
    (receiver,) = read([{"name": "builds", "azure": configuration}])
    assert receiver.secret == SecretReference(namespace="kargo-demo", name="")


def test_what_stands_beside_the_secret_is_kept_as_far_as_it_is_short_text() -> None:
    beside = {"virtualRepoName": "docker", "number": 1, "list": ["a"], "flag": True, "empty": "", "long": "x" * 254}
    (receiver,) = read([{"name": "a", "artifactory": {"secretRef": {"name": "s"}} | beside}])
    assert receiver.options == {"virtualRepoName": "docker"}
    assert receiver.secret == SecretReference(namespace="kargo-demo", name="s")


def test_the_whole_configuration_is_kept_as_it_stands() -> None:
    actions = {
        "secretRef": {"name": "s"},
        "actions": [{"action": "Refresh", "whenExpression": "request.body.n == 1.0"}],
    }
    (receiver,) = read([{"name": "a", "generic": actions}])
    assert json.loads(receiver.configuration) == actions


def test_of_a_large_configuration_only_the_secret_s_name_is_kept() -> None:
    for beside in ({f"name-{number}": "x" for number in range(2_000)}, {"actions": [{"a": "x" * 20_000}], "b": "c"}):
        (receiver,) = read([{"name": "a", "generic": {"secretRef": {"name": "s"}} | beside}])
        assert receiver.options == {}
        assert receiver.configuration == configs.LARGE
        assert receiver.secret == SecretReference(namespace="kargo-demo", name="s")


def test_of_many_texts_beside_the_secret_the_first_are_kept() -> None:
    beside = {f"name-{number}": "x" for number in range(20)}
    (receiver,) = read([{"name": "a", "artifactory": {"secretRef": {"name": "s"}} | beside}])
    assert list(receiver.options) == list(beside)[: limits.RECEIVER_OPTIONS]


@pytest.mark.parametrize(
    ("actions", "options"),
    [
        (
            [{"parameters": {"kargo-receivers/sender": "zot", "registry": "zot.example.com", "empty": ""}}],
            {"registry": "zot.example.com"},
        ),
        ([{"parameters": {"kargo-receivers/sender": "zot"}}, {"parameters": {"registry": "x"}}], {}),
        ([{"parameters": {"kargo-receivers/sender": "zot", "long": "x" * 254, "number": 1}}], {}),
    ],
)
def test_a_sender_in_generic_s_place_has_the_parameters_of_the_first_action(
    actions: object, options: dict[str, str]
) -> None:
    (receiver,) = read([{"name": "a", "generic": {"secretRef": {"name": "s"}, "actions": actions}}])
    assert receiver.provider == "generic"
    assert receiver.options == {"kargo-receivers/sender": "zot"} | options


@pytest.mark.parametrize("name", ["", "x" * 254, 1, None])
def test_a_sender_without_a_name_is_an_empty_one(name: object) -> None:
    (receiver,) = read([{"name": "a", "generic": {"actions": [{"parameters": {"kargo-receivers/sender": name}}]}}])
    assert receiver.options == {"kargo-receivers/sender": ""}


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"kargo-receivers/sender": "zot"},
        {"actions": None},
        {"actions": []},
        {"actions": [1]},
        {"actions": [{}]},
        {"actions": [{"parameters": []}]},
        {"actions": [{"parameters": {"registry": "x"}}]},
        {"actions": [{}, {"parameters": {"kargo-receivers/sender": "zot"}}]},
    ],
)
def test_what_names_no_sender_is_generic_and_has_no_options(configuration: object) -> None:
    (receiver,) = read([{"name": "a", "generic": configuration}])
    assert receiver.options == {}
    (of_artifactory,) = read(
        [{"name": "a", "artifactory": {"actions": [{"parameters": {"kargo-receivers/sender": "zot"}}]}}]
    )
    assert of_artifactory.options == {}


def test_of_very_many_receivers_the_first_are_taken() -> None:
    configured = [entry(name=f"hook-{number}") for number in range(limits.RECEIVERS + 7)]
    assert decoded(configured).more
    assert len(read(configured)) == limits.RECEIVERS
    assert not decoded([entry()]).more


def test_names_and_paths_that_are_longer_than_any_are_none() -> None:
    long = "x" * (limits.OBJECT_NAME + 1)
    published = [{"name": "builds", "path": "/" + "x" * limits.PUBLISHED_PATH}]
    (receiver,) = read([entry(name=long), entry(reference=long)], published)
    assert receiver.status_path == ""
    assert receiver.secret == SecretReference(namespace="kargo-demo", name="")


@pytest.mark.parametrize(
    ("configured", "unread"),
    [
        (None, frozenset()),
        ([], frozenset()),
        ([entry()], frozenset()),
        ([entry(), {"name": "odd", "azure": "oops"}], frozenset({"odd"})),
        ([entry(), "oops"], None),
        ("oops", None),
        ([entry(str(number)) for number in range(limits.RECEIVERS + 1)], None),
    ],
)
def test_which_receivers_cannot_be_read_is_told(configured: object, unread: frozenset[str] | None) -> None:
    assert decoded(configured).unread == unread


def test_a_list_that_is_not_there_hides_nothing() -> None:
    assert configs.decode(msgspec.Raw()) == configs.NOTHING


@pytest.mark.parametrize(("project", "source"), [(None, "ClusterConfig"), ("kargo-demo", "ProjectConfig kargo-demo")])
def test_where_receivers_are_configured_is_told(project: str | None, source: str) -> None:
    assert configs.source_of(project) == source
