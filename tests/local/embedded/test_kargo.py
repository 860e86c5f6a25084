"""The stand-in for Kargo's controllers."""

from receivers.kargo import paths
from receivers.local.embedded import BROKEN, DEMO, EmbeddedCluster, documents
from receivers.local.embedded.resources import (
    CLUSTER_CONFIGS,
    PROJECT_CONFIGS,
    PROMOTIONS,
    SECRETS,
    WAREHOUSES,
    Object,
    Resource,
)
from testbed.waiting import eventually

BASE_URL = "https://kargo.example.com/webhooks"
REFRESH = "kargo.akuity.io/refresh"


def published(cluster: EmbeddedCluster, project: str) -> list[Object]:
    status = cluster.store.get(PROJECT_CONFIGS, project, project).get("status", {})
    found: list[Object] = status.get("webhookReceivers", [])
    return found


def annotate(cluster: EmbeddedCluster, value: str, *, name: str = "guestbook", resource: Resource = WAREHOUSES) -> None:
    def change(old: Object) -> Object:
        return old | {"metadata": old["metadata"] | {"annotations": {REFRESH: value}}}

    cluster.store.update(resource, "kargo-demo", name, change)


def handled(cluster: EmbeddedCluster, *, name: str = "guestbook", resource: Resource = WAREHOUSES) -> str | None:
    status = cluster.store.get(resource, "kargo-demo", name).get("status", {})
    found: str | None = status.get("lastHandledRefresh")
    return found


async def test_receivers_get_the_url_that_kargo_would_give_them() -> None:
    async with EmbeddedCluster(documents(DEMO), base_url=BASE_URL) as cluster:
        token = paths.token(project="kargo-demo", name="acr", secrets=[b"sample-secret-of-the-acr-receiver"])
        assert published(cluster, "kargo-demo")[0] == {
            "name": "acr",
            "path": f"/webhooks/azure/{token}",
            "url": f"{BASE_URL}/azure/{token}",
        }


async def test_a_receiver_without_its_secret_is_left_out() -> None:
    async with EmbeddedCluster(documents(BROKEN), base_url=BASE_URL) as cluster:
        assert [each["name"] for each in published(cluster, "kargo-broken")] == ["stale-status"]


async def test_a_rotated_secret_changes_the_url() -> None:
    async with EmbeddedCluster(documents(DEMO), base_url=BASE_URL) as cluster:
        before = published(cluster, "kargo-demo")
        cluster.store.update(SECRETS, "kargo-demo", "acr-receiver", lambda old: old | {"stringData": {"secret": "new"}})
        await eventually(lambda: published(cluster, "kargo-demo") != before)
        assert published(cluster, "kargo-demo")[1:] == before[1:]


async def test_receivers_of_the_cluster_have_no_project() -> None:
    config: Object = {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "ClusterConfig",
        "metadata": {"name": "cluster"},
        "spec": {"webhookReceivers": [{"name": "r", "azure": {"secretRef": {"name": "s"}}}]},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "kargo-system-resources"},
        "stringData": {"secret": "s"},
    }
    async with EmbeddedCluster([config, secret], base_url="https://k.example.com") as cluster:
        (receiver,) = cluster.store.get(CLUSTER_CONFIGS, "", "cluster")["status"]["webhookReceivers"]
    assert receiver["path"] == "/azure/571b0e35550136585f653a70460974d32f85879142300ecb361eff423ac62cd4"


async def test_without_a_base_url_the_status_stays_as_it_was_loaded() -> None:
    async with EmbeddedCluster(documents(BROKEN)) as cluster:
        (receiver,) = published(cluster, "kargo-broken")
        assert receiver["path"].endswith("/" + "0" * 64)


async def test_a_refresh_is_handled_after_a_while() -> None:
    async with EmbeddedCluster(documents(DEMO), echo_after=0.0) as cluster:
        annotate(cluster, "first")
        await eventually(lambda: handled(cluster) == "first")
        annotate(cluster, "second")
        await eventually(lambda: handled(cluster) == "second")


async def test_so_is_that_of_a_promotion_which_goes_on_waiting() -> None:
    name = "production.waits-for-a-pull-request"
    async with EmbeddedCluster(documents(DEMO), echo_after=0.0) as cluster:
        annotate(cluster, "first", name=name, resource=PROMOTIONS)
        await eventually(lambda: handled(cluster, name=name, resource=PROMOTIONS) == "first")
        assert cluster.store.get(PROMOTIONS, "kargo-demo", name)["status"]["phase"] == "Running"


async def test_a_warehouse_that_is_gone_is_not_handled() -> None:
    async with EmbeddedCluster(documents(DEMO), echo_after=0.0) as cluster:
        annotate(cluster, "first")
        cluster.store.delete(WAREHOUSES, "kargo-demo", "guestbook")
        annotate(cluster, "other", name="storefront")
        await eventually(lambda: handled(cluster, name="storefront") == "other")
