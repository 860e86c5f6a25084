"""Objects that a tenant may store in a real cluster, and that are no pleasure to read."""

import io
import json

from receivers.cluster.api import METADATA_ONLY
from testbed.objects import PROJECT, Object, warehouse
from testbed.requests import MERGE, Answer
from testbed.servers import ApiServer

DEEPEST = 9_993  # levels below a subscription: kube-apiserver takes 10,000 in all
LARGEST = 1_500_000  # bytes: etcd takes 1.5 MiB, with what the API server adds


def deep_warehouse(name: str, *, depth: int = DEEPEST) -> bytes:
    """A Warehouse with a sound subscription, and one of an unknown kind that is nested so deep."""
    return _with(name, b'{"unknown":' + b"[" * depth + b"]" * depth + b"}")


def large_warehouse(name: str) -> bytes:
    """A Warehouse with a sound subscription, and one of an unknown kind that is as large as can be."""
    return _with(name, b'{"unknown":"' + b"x" * LARGEST + b'"}')


def wide_warehouse(name: str, *, subscriptions: int = 20_000) -> bytes:
    """A Warehouse that subscribes to so many images."""
    images = [json.dumps({"image": {"repoURL": f"r.example.com/app-{number}"}}) for number in range(subscriptions)]
    return _with(name, ",".join(images).encode())


def odd_text_warehouse(name: str) -> bytes:
    """A Warehouse with a sound subscription, and one with halves of characters and a key twice."""
    return _with(name, rb'{"unknown":"\ud800 \udc00\ud83d \u0000\u2028","n":1,"n":-0.0,"\ud800":""}')


def _with(name: str, subscription: bytes) -> bytes:
    made = warehouse(name)
    made["spec"]["subscriptions"].append("HERE")
    return json.dumps(made).encode().replace(b'"HERE"', subscription)


async def create(server: ApiServer, encoded: bytes, *, project: str = PROJECT) -> None:
    """Stores a Warehouse as it is."""
    await _write(server, "POST", f"/apis/kargo.akuity.io/v1alpha1/namespaces/{project}/warehouses", encoded)


async def replace(server: ApiServer, name: str, encoded: bytes, *, project: str = PROJECT) -> None:
    """Stores a Warehouse as it is in the place of the present one."""
    path = f"/apis/kargo.akuity.io/v1alpha1/namespaces/{project}/warehouses/{name}"
    found = await server.get("Warehouse", name, project)
    assert found is not None
    version = json.dumps({"resourceVersion": found["metadata"]["resourceVersion"]})[1:-1].encode()
    await _write(server, "PUT", path, encoded.replace(b'"metadata": {', b'"metadata": {' + version + b",", 1))


async def merge(server: ApiServer, name: str, change: Object) -> None:
    """Merges into a Warehouse, and does not read what it is then."""
    path = f"/apis/kargo.akuity.io/v1alpha1/namespaces/{PROJECT}/warehouses/{name}"
    await _write(server, "PATCH", path, json.dumps(change).encode(), content_type=MERGE)


async def _write(
    server: ApiServer, method: str, path: str, encoded: bytes, *, content_type: str = "application/json"
) -> None:
    async with server.session() as session:
        headers = {"Content-Type": content_type, "Accept": METADATA_ONLY}
        async with session.request(method, server.url + path, data=io.BytesIO(encoded), headers=headers) as response:
            Answer(response.status, await response.text()).expect(200, 201)
