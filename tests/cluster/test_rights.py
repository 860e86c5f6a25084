"""The least-privilege user of rbac.yaml: what the service needs is allowed, and everything else is refused."""

import asyncio
import json
from typing import Any

import pytest

from receivers.cluster.api import KARGO
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import ANNOTATION, Refresher, Result
from receivers.cluster.secrets import SecretReader
from receivers.events import SecretReference, Target
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, cluster_config, project_config, secret, secret_of, warehouse
from testbed.servers import ApiServer, Object, RealServer
from testbed.waiting import eventually
from tests.cluster.conftest import connect

IN_PROJECT = f"{KARGO}/namespaces/{PROJECT}"
SECRETS = f"/api/v1/namespaces/{PROJECT}/secrets"
USER = "kargo-receivers"
KINDS = ("Warehouse", "Promotion", "ProjectConfig", "ClusterConfig", "Secret")


def promotion(name: str) -> Object:
    return {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": name, "namespace": PROJECT},
        "spec": {"stage": "test", "freight": "abc", "steps": [{"uses": "git-clone"}]},
    }


@pytest.fixture
async def cluster(api_server: ApiServer) -> ApiServer:
    """A project with one of everything; its Secrets may be read, those of another project may not."""
    await api_server.apply(
        warehouse("guestbook"),
        promotion("rollout"),
        project_config([Hook()]),
        cluster_config([Hook(name="all", project=None)]),
        secret_of(Hook()),
        secret("elsewhere", namespace="other"),
    )
    await api_server.allow_secrets(PROJECT)
    return api_server


@pytest.mark.parametrize("resource", ["projectconfigs", "clusterconfigs", "warehouses"])
async def test_what_is_mirrored_may_be_listed_and_watched(cluster: ApiServer, resource: str) -> None:
    for query in ("limit=500", "watch=1&timeoutSeconds=1"):
        assert (await cluster.request("GET", f"{KARGO}/{resource}?{query}", user=USER)).status == 200


async def test_the_warehouses_of_one_project_may_be_listed(cluster: ApiServer) -> None:
    assert (await cluster.request("GET", f"{IN_PROJECT}/warehouses", user=USER)).status == 200


async def test_a_secret_of_a_receiver_may_be_read(cluster: ApiServer) -> None:
    assert (await cluster.request("GET", f"{SECRETS}/builds-secret", user=USER)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", SECRETS, None),
        ("GET", f"{SECRETS}?watch=1", None),
        ("GET", "/api/v1/secrets", None),
        ("GET", "/api/v1/namespaces/other/secrets/elsewhere", None),
        ("PATCH", f"{SECRETS}/builds-secret", {"metadata": {"labels": {"a": "b"}}}),
        ("DELETE", f"{SECRETS}/builds-secret", None),
        ("POST", SECRETS, secret("new")),
        ("DELETE", f"{IN_PROJECT}/warehouses/guestbook", None),
        ("DELETE", f"{IN_PROJECT}/warehouses", None),
        ("POST", f"{IN_PROJECT}/warehouses", warehouse("new")),
        ("PUT", f"{IN_PROJECT}/warehouses/guestbook", warehouse("guestbook")),
        ("PATCH", f"{IN_PROJECT}/warehouses/guestbook/status", {"status": {"lastHandledRefresh": "x"}}),
        ("GET", f"{KARGO}/promotions", None),
        ("PATCH", f"{IN_PROJECT}/promotions/rollout", {"metadata": {"annotations": {ANNOTATION: "x"}}}),
        ("DELETE", f"{IN_PROJECT}/promotions/rollout", None),
        ("POST", f"{IN_PROJECT}/promotions", promotion("new")),
        ("PATCH", f"{IN_PROJECT}/projectconfigs/{PROJECT}", {"metadata": {"labels": {"a": "b"}}}),
        ("DELETE", f"{IN_PROJECT}/projectconfigs/{PROJECT}", None),
        ("PATCH", f"{KARGO}/clusterconfigs/cluster", {"metadata": {"labels": {"a": "b"}}}),
        ("GET", f"{KARGO}/projects", None),
        ("GET", f"{KARGO}/stages", None),
        ("GET", f"{KARGO}/freights", None),
        ("GET", "/api/v1/namespaces", None),
        ("GET", "/api/v1/configmaps", None),
        ("GET", "/api/v1/pods", None),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", None),
        ("POST", f"/api/v1/namespaces/{PROJECT}/serviceaccounts/default/token", {}),
    ],
)
async def test_everything_else_is_refused(
    real_api_server: RealServer, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await real_api_server.apply(
        warehouse("guestbook"), promotion("rollout"), project_config([Hook()]), secret_of(Hook())
    )
    await real_api_server.apply(secret("elsewhere", namespace="other"), cluster_config([]))
    await real_api_server.allow_secrets(PROJECT)
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = await real_api_server.request(method, path, body, user=USER, content_type=content)
    assert answer.status == 403


async def test_all_that_the_service_does_changes_the_refresh_annotation_and_nothing_else(cluster: ApiServer) -> None:
    await cluster.apply(warehouse("tictactoe"))
    before = await everything(cluster)
    async with FaultProxy(cluster.url, ca_file=cluster.ca_file) as proxy:
        outcomes = await work(cluster, proxy)
        sent = proxy.requests
    values = {target: value for target, value in outcomes.items() if value}
    assert len(values) == 2
    for target, value in values.items():
        before[target.kind, target.name]["metadata"]["annotations"] = {ANNOTATION: value}
    assert await everything(cluster) == before
    assert {each.method for each in sent} == {"GET", "PATCH"}
    for each in sent:
        if each.method == "PATCH":
            assert list(each.json) == ["metadata"]
            assert list(each.json["metadata"]) == ["annotations"]
            assert list(each.json["metadata"]["annotations"]) == [ANNOTATION]
    assert {each.status for each in sent} == {200}


async def work(cluster: ApiServer, proxy: FaultProxy) -> dict[Target, str]:
    """All parts of receivers/cluster/ at work, as the service uses them; returns what was refreshed."""
    api = connect(cluster, proxy.url)
    availability = Availability(api)
    mirror, secrets = Mirror(api, availability, system_resources_namespace=PROJECT), SecretReader(api, availability)
    refresher = Refresher(api, availability)
    mirror.start()
    await eventually(lambda: all(health.watching for health in mirror.health()))
    assert (await secrets.read(SecretReference(namespace=PROJECT, name="builds-secret"))).data
    targets = [Target(PROJECT, "guestbook"), Target(PROJECT, "tictactoe")]
    outcomes = await asyncio.gather(*(refresher.refresh(target) for target in targets))
    assert {outcome.result for outcome in outcomes} == {Result.REFRESHED}
    availability.suspect()
    *_, probe = await proxy.wait_for(3, "GET", "clusterconfigs")  # after list and watch
    await eventually(lambda: probe.ended)
    for part in (refresher, mirror, secrets, availability, api):
        await part.close()
    return {target: outcome.value for target, outcome in zip(targets, outcomes, strict=True)}


async def everything(cluster: ApiServer) -> dict[tuple[str, str], Object]:
    """Every object of the project's kinds, without what the API server counts."""
    found = {}
    for kind in KINDS:
        for each in await cluster.every(kind):
            kept = json.loads(json.dumps(each))
            kept["metadata"].pop("resourceVersion")
            kept["metadata"].pop("managedFields", None)
            found[kind, kept["metadata"]["name"]] = kept
    return found
