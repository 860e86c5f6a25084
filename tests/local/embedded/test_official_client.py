"""The official Python client works with the embedded API as it does with a real one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from kubernetes import client, config, watch

from testbed.servers import ApiServer, Object

WAREHOUSES = {"group": "kargo.akuity.io", "version": "v1alpha1", "plural": "warehouses"}


def warehouse(name: str) -> Object:
    return {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": {"name": name, "namespace": "kargo-demo"},
        "spec": {"interval": "5m0s", "subscriptions": [{"image": {"repoURL": "quay.io/example/app"}}]},
    }


@pytest.fixture
async def api(api_server: ApiServer) -> AsyncIterator[client.ApiClient]:
    await api_server.apply(warehouse("guestbook"), warehouse("storefront"))
    settings = client.Configuration()
    await call(config.load_kube_config, str(api_server.kubeconfig("admin")), client_configuration=settings)
    connected = client.ApiClient(settings)
    yield connected
    await call(connected.close)


async def call(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the client is untyped
    """The client blocks: it gets a thread."""
    return await asyncio.to_thread(method, *arguments, **options)


async def test_custom_objects_can_be_listed_in_pages_and_patched(api: client.ApiClient) -> None:
    custom = client.CustomObjectsApi(api)
    first = await call(custom.list_cluster_custom_object, **WAREHOUSES, limit=1)
    second = await call(custom.list_cluster_custom_object, **WAREHOUSES, _continue=first["metadata"]["continue"])
    assert [each["metadata"]["name"] for each in first["items"] + second["items"]] == ["guestbook", "storefront"]
    patch = {"metadata": {"annotations": {"a": "b"}}}
    patched = await call(
        custom.patch_namespaced_custom_object, **WAREHOUSES, namespace="kargo-demo", name="guestbook", body=patch
    )
    assert patched["metadata"]["annotations"] == {"a": "b"}


async def test_a_missing_object_raises_404(api: client.ApiClient) -> None:
    custom = client.CustomObjectsApi(api)
    with pytest.raises(client.ApiException) as raised:
        await call(custom.get_namespaced_custom_object, **WAREHOUSES, namespace="kargo-demo", name="missing")
    assert raised.value.status == 404


async def test_secrets_can_be_made_and_read(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    secret = client.V1Secret(metadata=client.V1ObjectMeta(name="receiver"), string_data={"secret": "hidden"})
    await call(core.create_namespaced_secret, "kargo-demo", secret)
    found = await call(core.read_namespaced_secret, "receiver", "kargo-demo")
    assert found.data == {"secret": "aGlkZGVu"}


async def test_a_watch_sees_what_is_there(api: client.ApiClient) -> None:
    custom = client.CustomObjectsApi(api)
    stream: Callable[..., Any] = watch.Watch().stream  # type: ignore[no-untyped-call]  # the client is untyped

    def seen() -> list[str]:
        events = stream(custom.list_cluster_custom_object, **WAREHOUSES, timeout_seconds=1)
        return sorted(event["object"]["metadata"]["name"] for event in events)

    assert await call(seen) == ["guestbook", "storefront"]


async def test_it_can_ask_what_is_allowed(api: client.ApiClient) -> None:
    attributes = client.V1ResourceAttributes(verb="patch", group="kargo.akuity.io", resource="warehouses")
    spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
    review = client.V1SelfSubjectAccessReview(spec=spec)
    answer = await call(client.AuthorizationV1Api(api).create_self_subject_access_review, review)
    assert answer.status.allowed is True
