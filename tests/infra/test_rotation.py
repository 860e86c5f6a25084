"""A secret is rotated with Terraform, and no delivery is lost: each step applied, its setting given to the service."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from receivers.kargo import paths
from receivers.settings import from_environment
from testbed.objects import warehouse
from testbed.servers import ApiServer
from tests.infra.terraform import State, Terraform, copy_of
from tests.service import acr_push, running_service

BEFORE = "before"
NEXT = "first_the_next_secret_is_accepted"
SWITCHED = "then_registries_use_its_url"
AFTER = "last_the_old_secret_is_gone"
STEPS = (BEFORE, NEXT, SWITCHED, AFTER)
PROJECT = "shop"


@pytest.fixture(scope="module")
def steps(terraform: Terraform, infra: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, State]:
    """What each step leaves. The steps share their state, as applies do."""
    module = copy_of(infra, tmp_path_factory.mktemp("rotation") / "infra")
    with (module / "outputs.tf").open("a") as outputs:
        outputs.write('output "document" {\n  value     = local.receivers_document\n  sensitive = true\n}\n')
    return terraform.states(module, "rotation")


def path(step: State) -> str:
    url: str = step.outputs["receiver_urls"]["acr"]
    return urlsplit(url).path


def told(step: State) -> set[str]:
    """The paths that registries use."""
    hooks = [hook.values["service_uri"] for hook in step.of("azurerm_container_registry_webhook")]
    for subscription in step.of("azurerm_eventgrid_system_topic_event_subscription"):
        hooks += [endpoint["url"] for endpoint in subscription.values["webhook_endpoint"]]
    return {urlsplit(url).path for url in hooks}


def accepted(step: State) -> set[str]:
    """The paths that the service accepts with the setting of this step."""
    (receiver,) = from_environment({"RECEIVERS": step.outputs["document"]}).receivers
    secrets = [secret for secret in (receiver.secret, receiver.previous_secret) if secret]
    tokens = [paths.token(project=PROJECT, name=receiver.name, secrets=(secret.encode(),)) for secret in secrets]
    return {paths.path("", receiver.provider, token) for token in tokens}


def test_the_application_reads_both_secrets_as_the_module_writes_them(steps: Mapping[str, State]) -> None:
    (receiver,) = from_environment({"RECEIVERS": steps[SWITCHED].outputs["document"]}).receivers
    secrets = {resource.key: resource.values["result"] for resource in steps[SWITCHED].of("random_password")}
    assert (receiver.provider, receiver.name, receiver.project) == ("azure", "acr", PROJECT)
    assert (receiver.secret, receiver.previous_secret) == (secrets["acr-2"], secrets["acr-1"])


def test_registries_use_only_what_was_accepted_before_and_still_is(steps: Mapping[str, State]) -> None:
    assert told(steps[BEFORE]) != told(steps[AFTER])
    for before, after in pairwise(STEPS):
        assert told(steps[after]) <= accepted(steps[before]), after
        assert told(steps[before]) <= accepted(steps[after]), after
        assert told(steps[after]) <= accepted(steps[after]), after


def test_nothing_restarts_while_registries_change_over(steps: Mapping[str, State]) -> None:
    assert steps[NEXT].outputs["document"] == steps[SWITCHED].outputs["document"]
    assert steps[NEXT].app_settings == steps[SWITCHED].app_settings


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [(BEFORE, 200, 404), (NEXT, 200, 200), (SWITCHED, 200, 200), (AFTER, 404, 200)],
    ids=["before", "next accepted", "changed over", "after"],
)
async def test_the_urls_that_work(
    steps: Mapping[str, State], embedded_api_server: ApiServer, step: str, old: int, new: int
) -> None:
    await embedded_api_server.apply(warehouse("app", project=PROJECT))
    kubeconfig = embedded_api_server.kubeconfig("kargo-receivers")
    async with running_service(kubeconfig, RECEIVERS=steps[step].outputs["document"]) as service:
        answers = [await service.post(path(steps[which]), acr_push()) for which in (BEFORE, AFTER)]
    assert [answer.status for answer in answers] == [old, new]
