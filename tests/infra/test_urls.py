"""The URLs that Terraform derives are the application's."""

from collections.abc import Mapping

import pytest

from receivers.kargo import paths
from tests.infra.terraform import EXAMPLES, State

BASE_URL = "https://kargo-hooks.azurewebsites.net"

# Provider, project and name of each receiver of each example.
RECEIVERS: Mapping[str, Mapping[str, tuple[str, str | None, str]]] = {
    "cosmos": {
        "acr": ("azure", None, "acr"),
        "quay": ("quay", None, "quay"),
        "hub": ("dockerhub", None, "hub"),
    },
    "eventgrid": {"acr": ("azure", "shop", "acr")},
    "existing-cluster-without-azure-rbac": {
        "quay": ("quay", "shop", "quay"),
        "hub": ("dockerhub", "shop", "hub"),
    },
    "minimal": {"acr": ("azure", "shop", "acr")},
    "private-cluster": {"acr": ("azure", "shop", "acr")},
    "registry-in-another-subscription": {"acr": ("azure", "shop", "acr")},
}


def expected_urls(example: str, state: State) -> dict[str, str]:
    """The URLs as the application derives them from the generated secrets."""
    secrets = {str(resource.key): str(resource.values["result"]) for resource in state.of("random_password")}
    urls = {}
    for key, (provider, project, name) in RECEIVERS[example].items():
        token = paths.token(project=project, name=name, secrets=(secrets[f"{key}-1"].encode(),))
        urls[key] = paths.url(BASE_URL, provider, token)
    return urls


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_url_of_every_example_is_the_applications(examples: Mapping[str, State], example: str) -> None:
    assert examples[example].outputs["receiver_urls"] == expected_urls(example, examples[example])


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_registries_are_told_is_such_a_url(examples: Mapping[str, State], example: str) -> None:
    state = examples[example]
    told = [hook.values["service_uri"] for hook in state.of("azurerm_container_registry_webhook")]
    for subscription in state.of("azurerm_eventgrid_system_topic_event_subscription"):
        told += [endpoint["url"] for endpoint in subscription.values["webhook_endpoint"]]
    assert set(told) <= set(state.outputs["receiver_urls"].values())
    assert len(told) == (0 if example == "existing-cluster-without-azure-rbac" else 1)
