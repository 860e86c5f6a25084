"""Receivers as a ProjectConfig or the ClusterConfig defines them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.events import Receiver, SecretReference
from receivers.kargo import configs

patient = settings(deadline=None)  # the machine may be busy

scalars = st.none() | st.booleans() | st.integers() | st.text(st.characters())
keys = st.sampled_from([*configs.KEYS, "name", "path", "secretRef"])
any_json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def receivers(configured: object, published: object = None) -> list[Receiver]:
    return configs.receivers(
        configured, published, project="demo", secrets_namespace="demo", source="ProjectConfig demo"
    )


def entry(name: str, provider: str = "azure") -> dict[str, object]:
    return {"name": name, provider: {"secretRef": {"name": "s"}}}


def test_a_receiver_has_its_secret_and_the_path_that_kargo_published() -> None:
    published = [{"name": "other", "path": "/x"}, {"name": "acr", "path": "/azure/0f", "url": "https://k/azure/0f"}]
    assert receivers([entry("acr")], published) == [
        Receiver(
            provider="azure",
            name="acr",
            project="demo",
            source="ProjectConfig demo",
            secret=SecretReference(namespace="demo", name="s"),
            status_path="/azure/0f",
        )
    ]


@pytest.mark.parametrize(
    "published", [None, {}, [], [None], [{"name": "acr"}], [{"name": "acr", "path": 1}], [{"path": "/x"}]]
)
def test_a_receiver_may_have_no_published_path_yet(published: object) -> None:
    [receiver] = receivers([entry("acr")], published)
    assert receiver.status_path == ""


def test_of_two_receivers_with_one_name_the_first_counts() -> None:
    assert [each.provider for each in receivers([entry("r", "quay"), entry("r", "azure")])] == ["quay"]


def test_of_two_keys_in_one_entry_kargos_order_decides_and_null_is_no_key() -> None:
    both = {**entry("r", "quay"), **entry("r", "azure"), "artifactory": None}
    assert [each.provider for each in receivers([both])] == ["azure"]


@pytest.mark.parametrize(
    "configured", [None, {}, "x", [None], ["x"], [{"name": 1, "azure": {}}], [{"name": "r"}], [entry("r", "acr")]]
)
def test_what_makes_no_sense_is_left_out(configured: object) -> None:
    assert receivers(configured) == []


@pytest.mark.parametrize("configuration", [{}, {"secretRef": None}, {"secretRef": {}}, {"secretRef": {"name": 1}}])
def test_a_receiver_without_a_secrets_name_is_kept(configuration: object) -> None:
    [receiver] = receivers([{"name": "r", "azure": configuration}])
    assert receiver.secret == SecretReference(namespace="demo", name="")


@patient
@given(any_json, any_json)
def test_any_json_can_be_read(configured: object, published: object) -> None:
    assert isinstance(receivers(configured, published), list)
