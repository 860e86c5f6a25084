"""The servers of the tests themselves."""

from tests.cluster.servers import ApiServer, Object


async def test_stored_objects_can_be_read(api_server: ApiServer) -> None:
    warehouse: Object = {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": {"name": "guestbook", "namespace": "kargo-demo"},
        "spec": {"interval": "5m0s", "subscriptions": [{"image": {"repoURL": "quay.io/example/app"}}]},
    }
    await api_server.apply(warehouse)
    found = await api_server.get("Warehouse", "guestbook", "kargo-demo")
    assert found is not None
    assert found["spec"]["subscriptions"] == warehouse["spec"]["subscriptions"]
