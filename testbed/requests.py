"""Requests to an API server, and the paths of the kinds that the tests use."""

import http.client
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

type Object = dict[str, Any]
type Json = Any  # whatever JSON can say

MERGE = "application/merge-patch+json"
KARGO = "/apis/kargo.akuity.io/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = {  # kind: root, plural
    "Namespace": ("/api/v1", "namespaces"),
    "Secret": ("/api/v1", "secrets"),
    "Project": (KARGO, "projects"),
    "ProjectConfig": (KARGO, "projectconfigs"),
    "ClusterConfig": (KARGO, "clusterconfigs"),
    "Warehouse": (KARGO, "warehouses"),
    "Promotion": (KARGO, "promotions"),
    "Role": (RBAC, "roles"),
    "RoleBinding": (RBAC, "rolebindings"),
    "ClusterRole": (RBAC, "clusterroles"),
    "ClusterRoleBinding": (RBAC, "clusterrolebindings"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
}
WITH_STATUS = ("ProjectConfig", "ClusterConfig", "Warehouse", "Promotion", "Project")
# Of these, a clean server has none; the service's own rights are of other kinds.
EMPTIED = ("Warehouse", "Promotion", "ProjectConfig", "ClusterConfig", "Project", "Secret", "RoleBinding")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered."""

    status: int
    body: Json

    def expect(self, *statuses: int) -> Json:
        """The body, when the status is one of these. Otherwise the test fails with the answer."""
        assert self.status in statuses, f"{self.status} {self.body}"
        return self.body


def documents(*files: Path) -> list[Object]:
    """The objects of YAML files."""
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]


def path_of(kind: str, name: str | None = None, namespace: str | None = None) -> str:
    """The path of an object, or of all objects of its kind."""
    root, plural = KINDS[kind]
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{inside}/{plural}" + (f"/{name}" if name else "")


def type_of(kind: str) -> Object:
    """What an object of this kind says of itself; the items of a list do not say it."""
    return {"kind": kind, "apiVersion": KINDS[kind][0].removeprefix("/apis/").removeprefix("/api/")}


def collection_of(kind: str, each: Object) -> str:
    """The path of all objects of this kind in the object's namespace."""
    return path_of(kind, None, each["metadata"].get("namespace"))


LARGE = 1_000_000  # bytes


async def send(
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    body: Json = None,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request. ``body`` is sent as JSON, bytes as they are."""
    encoded = body if body is None or isinstance(body, bytes) else json.dumps(body, default=str).encode()
    data = encoded if encoded is None or len(encoded) < LARGE else io.BytesIO(encoded)  # as aiohttp wants it
    everything = {"Content-Type": content_type, "Accept": "application/json", **(headers or {})}
    async with session.request(method, path, data=data, headers=everything) as response:
        text = await response.text()
        is_json = "json" in response.content_type
        return Answer(response.status, json.loads(text) if is_json else text)


async def apply(session: aiohttp.ClientSession, each: Mapping[str, Any]) -> Object:
    """Creates the object, or merges it into the one that is there, and writes its status."""
    kind, metadata = each["kind"], each["metadata"]
    path = path_of(kind, metadata["name"], metadata.get("namespace"))
    answer = await send(session, "POST", path.rpartition("/")[0], each)
    if answer.status == http.client.CONFLICT:
        answer = await send(session, "PATCH", path, each, content_type=MERGE)
    result: Object = answer.expect(200, 201)
    if each.get("status") and kind in WITH_STATUS:
        status = {"status": each["status"]}
        result = (await send(session, "PATCH", f"{path}/status", status, content_type=MERGE)).expect(200)
    return result


async def remove_namespace(session: aiohttp.ClientSession, name: str) -> None:
    """Does for a namespace what the controller does that is not here: finalise it."""
    if name == "default" or name.startswith("kube-"):
        return
    answer = await send(session, "DELETE", f"/api/v1/namespaces/{name}")
    if answer.body.get("kind") == "Namespace":
        final = answer.body | {"spec": {"finalizers": []}}
        (await send(session, "PUT", f"/api/v1/namespaces/{name}/finalize", final)).expect(200, 404)
