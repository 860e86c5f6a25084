"""The service in the cluster itself: its manifests at a real API server, its image as far as it can be made here."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from receivers.cluster import credentials
from receivers.providers import PROVIDERS
from receivers.retries.queue import QUEUE
from receivers.settings import Settings
from scripts import package, prove_package
from testbed.objects import PROJECT, Hook, project_config, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer
from tests.cluster.kubectl import HOW_TO_GET_KUBECTL, Kubectl
from tests.infra.terraform import INFRA, ROOT
from tests.service import acr_push, running_service

NAMESPACE = "kargo-receivers"
NAME = "tried-kargo-receivers"  # the API server is shared with tests whose roles are named kargo-receivers
MANIFESTS = INFRA / "kubernetes"
HOOK = Hook(provider="azure", name="acr")
# What the Functions host reads, and the program that it runs.
# https://github.com/Azure/azure-functions-host/issues/11108
HOST = {"AzureFunctionsWebHost__hostid", "HOME"}


def manifest(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((MANIFESTS / name).read_text())
    return document


def pod() -> dict[str, Any]:
    template: dict[str, Any] = manifest("server/deployment.yaml")["spec"]["template"]
    return template


def container() -> dict[str, Any]:
    (found,) = pod()["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def admin(real_api_server: ApiServer) -> Kubectl:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip(HOW_TO_GET_KUBECTL)
    return Kubectl(program, real_api_server.kubeconfig("admin"))


# The manifests


@pytest.fixture
async def applied(admin: Kubectl, manifests: Path) -> AsyncIterator[None]:
    """As the guide does it, but for the names; an unknown field is an error."""
    await admin("apply", "--validate=strict", "-k", str(manifests / "server"))
    yield
    for what in ("deployment", "service", "poddisruptionbudget", "networkpolicy"):
        await admin("delete", "--ignore-not-found", "--namespace", NAMESPACE, what, NAME)
    for what in ("clusterrole", "clusterrolebinding"):
        await admin("delete", "--ignore-not-found", what, NAME)


@pytest.mark.usefixtures("applied")
async def test_the_api_server_takes_every_manifest_and_every_field(admin: Kubectl) -> None:
    found = await admin.json("get", "--namespace", NAMESPACE, "deployment,service,pdb,networkpolicy,serviceaccount")
    kinds = {each["kind"] for each in found["items"] if each["metadata"]["name"] == NAME}
    assert kinds == {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"}
    await admin("apply", "--validate=strict", "--dry-run=server", "-k", str(MANIFESTS / "ingress"))


@pytest.mark.usefixtures("applied")
async def test_a_field_that_there_is_not_is_refused(admin: Kubectl) -> None:
    document = manifest("server/deployment.yaml")
    document["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(AssertionError, match="readynessProbe"):
        await admin("apply", "--validate=strict", "--dry-run=server", "-f", "-", stdin=json.dumps(document))


@pytest.mark.usefixtures("applied")
async def test_its_pods_are_allowed_where_pods_are_restricted_most(admin: Kubectl) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards, level "restricted"."""
    restricted = {"apiVersion": "v1", "kind": "Pod", **pod()}
    restricted["metadata"] = {"name": "tried", "namespace": NAMESPACE}
    restricted["spec"]["serviceAccountName"] = NAME
    await admin("label", "--overwrite", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    try:
        await admin("create", "--dry-run=server", "-f", "-", stdin=json.dumps(restricted))
        del restricted["spec"]["securityContext"]["runAsNonRoot"]
        with pytest.raises(AssertionError, match="runAsNonRoot"):
            await admin("create", "--dry-run=server", "-f", "-", stdin=json.dumps(restricted))
    finally:
        await admin("label", "--overwrite", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce-")


@pytest.mark.usefixtures("applied")
async def test_the_service_runs_with_what_a_pod_of_it_has(
    real_api_server: ApiServer, admin: Kubectl, manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ServiceAccount's token and the authority, where the kubelet puts them, and the Deployment's settings."""
    await real_api_server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app"))
    await admin("apply", "-k", str(manifests / "secrets"), "--namespace", PROJECT)
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    assert real_api_server.ca_file is not None
    (tmp_path / "ca.crt").write_text(real_api_server.ca_file.read_text())
    (tmp_path / "token").write_text(await admin("create", "token", NAME, "--namespace", NAMESPACE))
    settings = {each["name"]: each["value"] for each in container()["env"] if "value" in each}
    given = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(real_api_server.port)}
    try:
        async with running_service(None, **settings, **given) as service:
            answer = await service.post(HOOK.path, acr_push())
        assert (answer.status, answer.body) == (200, b'{"msg":"refreshed 1 warehouse(s)"}\n')
        assert await refresh_of(real_api_server, "app")
    finally:
        for kind in ("role", "rolebinding"):
            await admin("delete", "--ignore-not-found", "--namespace", PROJECT, kind, f"{NAME}-secrets")


def test_every_variable_of_the_container_is_read_by_somebody() -> None:
    ours = {setting.metadata["variable"] for setting in fields(Settings)}
    assert {each["name"] for each in container()["env"]} <= ours | HOST
    assert all("value" in each or "secretKeyRef" in each["valueFrom"] for each in container()["env"])


def test_no_probe_asks_whether_the_cluster_answers() -> None:
    """While it does not, deliveries are taken all the same, by a pod that must stay where senders find it."""
    probes = {name: probe["httpGet"]["path"] for name, probe in container().items() if name.endswith("Probe")}
    assert probes == dict.fromkeys(("startupProbe", "readinessProbe", "livenessProbe"), "/healthz")


def test_what_stops_has_time_to_end_what_it_began() -> None:
    spec = pod()["spec"]
    (_, pause) = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert spec["terminationGracePeriodSeconds"] > int(pause) + 30  # a try of the retry queue, and its put back


def test_the_ingress_leads_to_every_provider_and_to_no_page() -> None:
    (rule,) = manifest("ingress/ingress.yaml")["spec"]["rules"]
    assert {each["path"] for each in rule["http"]["paths"]} == {f"/{name}" for name in PROVIDERS}


def test_keda_scales_what_there_is_by_the_queue_that_there_is() -> None:
    """The API server here has no KEDA: that its fields are these is read from https://keda.sh/docs/latest/scalers."""
    spec = manifest("keda/scaled-object.yaml")["spec"]
    assert spec["scaleTargetRef"]["name"] == manifest("server/deployment.yaml")["metadata"]["name"]
    queue, processor = spec["triggers"]
    assert queue["metadata"]["queueName"] == QUEUE
    assert queue["metadata"]["connectionFromEnv"] in {each["name"] for each in container()["env"]}
    assert processor["type"] == "cpu"
    assert "cpu" in container()["resources"]["requests"]
    assert spec["minReplicaCount"] >= manifest("server/pod-disruption-budget.yaml")["spec"]["minAvailable"] + 1


# The image


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: word and rest, with lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def sent_to_docker(paths: Iterator[PurePosixPath]) -> set[PurePosixPath]:
    """What ``docker build`` gets of these. https://docs.docker.com/build/concepts/context/#dockerignore-files"""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    rules = [(line.startswith("!"), re.compile(_expression(line.removeprefix("!")))) for line in lines]

    def is_sent(path: PurePosixPath) -> bool:
        sent = True
        for includes, expression in rules:
            if any(expression.fullmatch(str(each)) for each in (path, *path.parents)):
                sent = includes
        return sent

    return {path for path in paths if is_sent(path)}


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*)", pattern)
    return "".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)


def test_the_image_holds_the_files_that_the_package_holds() -> None:
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY"]
    names = {name for some in copied for name in some}
    sent = sent_to_docker(iter(package.listed(ROOT, "--cached")))
    assert sent == set(package.app_files(ROOT))
    assert names == {path.parts[0] for path in sent}


@pytest.mark.parametrize(
    "name",
    [".env", "kubeconfig", "receivers/.env", "receivers/pages/secret.tfvars", "receivers/local/cli.py", "infra/a.tf"],
)
def test_what_merely_lies_there_is_not_sent(name: str) -> None:
    assert sent_to_docker(iter([PurePosixPath(name)])) == set()


def test_the_image_is_of_the_python_that_the_app_is_made_for() -> None:
    (image,) = [rest for word, rest in instructions() if word == "FROM"]
    assert image == f"mcr.microsoft.com/azure-functions/python:4-python{package.PYTHON}"


def test_what_the_image_installs_runs_under_the_worker(tmp_path: Path) -> None:
    """Its steps with this machine's Python in place of the image's; then the worker library runs what is there."""
    arguments = {
        name: value for word, rest in instructions() if word == "ARG" for name, _, value in [rest.partition("=")]
    }
    for word, rest in instructions():
        match word:
            case "RUN":
                command = re.sub(r"\bpython (?=-)", f"{sys.executable} ", rest).replace(
                    "/home/site/wwwroot", str(tmp_path)
                )
                subprocess.run(["sh", "-c", command], check=True, capture_output=True, env=os.environ | arguments)
            case "COPY":
                for path in package.app_files(ROOT):
                    if path.parts[0] in rest.split()[:-1]:
                        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(ROOT / path, tmp_path / path)
            case _:
                continue
    assert prove_package.run_from(tmp_path) == 0


def test_the_container_listens_where_the_manifests_say() -> None:
    environment = shlex.split(next(rest for word, rest in instructions() if word == "ENV"))
    (port,) = container()["ports"]
    assert f"ASPNETCORE_URLS=http://+:{port['containerPort']}" in environment
    assert [rest for word, rest in instructions() if word == "EXPOSE"] == [str(port["containerPort"])]
    assert fnmatch.filter(environment, "AzureWebJobsScriptRoot=/home/site/wwwroot")
