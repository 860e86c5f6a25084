"""A secret is rotated with Terraform, and no delivery is lost: each step applied, its setting given to the service."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from receivers.settings import from_environment
from tests.cluster.servers import ApiServer
from tests.infra.terraform import State, Terraform, copy_of
from tests.objects import warehouse
from tests.service import acr_push, running_service

BEFORE = "the_url_follows_kargos_rule"
DURING = "a_rotation_begins_with_both_secrets_accepted"
AFTER = "a_rotation_ends_with_the_new_secret_alone"
PROJECT = "shop"


@pytest.fixture(scope="module")
def steps(terraform: Terraform, infra: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, State]:
    """What each step leaves. The steps share their state, as three applies do."""
    module = copy_of(infra, tmp_path_factory.mktemp("rotation") / "infra")
    with (module / "outputs.tf").open("a") as outputs:
        outputs.write('output "document" {\n  value     = local.receivers_document\n  sensitive = true\n}\n')
    tests = module / "tests" / "secrets.tftest.hcl"
    header, *runs = tests.read_text().split("\nrun ")
    tests.write_text("\nrun ".join([header, *(run for run in runs if run.split('"')[1] in (BEFORE, DURING, AFTER))]))
    return terraform.states(module, "secrets")


def path(step: State) -> str:
    url: str = step.outputs["receiver_urls"]["acr"]
    return urlsplit(url).path


def test_the_application_reads_both_secrets_as_the_module_writes_them(steps: Mapping[str, State]) -> None:
    (receiver,) = from_environment({"RECEIVERS": steps[DURING].outputs["document"]}).receivers
    secrets = {resource.key: resource.values["result"] for resource in steps[DURING].of("random_password")}
    assert (receiver.provider, receiver.name, receiver.project) == ("azure", "acr", PROJECT)
    assert (receiver.secret, receiver.previous_secret) == (secrets["acr-2"], secrets["acr-1"])


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [(BEFORE, 200, 404), (DURING, 200, 200), (AFTER, 404, 200)],
    ids=["before", "during", "after"],
)
async def test_the_urls_that_work(
    steps: Mapping[str, State], embedded_api_server: ApiServer, step: str, old: int, new: int
) -> None:
    await embedded_api_server.apply(warehouse("app", project=PROJECT))
    kubeconfig = embedded_api_server.kubeconfig("kargo-receivers")
    async with running_service(kubeconfig, RECEIVERS=steps[step].outputs["document"]) as service:
        answers = [await service.post(path(steps[which]), acr_push()) for which in (BEFORE, AFTER)]
    assert [answer.status for answer in answers] == [old, new]
