"""The embedded API answers as a real API server does: one table, asked of both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from testbed.servers import ApiServer, Json, Object, path_of

KARGO = "kargo.akuity.io/v1alpha1"
WAREHOUSES = path_of("Warehouse", None, "kargo-demo")
GUESTBOOK = path_of("Warehouse", "guestbook", "kargo-demo")
SECRETS = path_of("Secret", None, "kargo-demo")
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}


def warehouse(name: str | None = None, **more: Json) -> Object:
    return {
        "apiVersion": KARGO,
        "kind": "Warehouse",
        "metadata": {"labels": {"team": "a"}} | ({"name": name} if name else {}),
        "spec": {"interval": "5m0s", "subscriptions": [{"image": {"repoURL": "quay.io/example/app"}}]},
    } | more


def secret(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"secret": "hidden"}}


def failure(status: int, reason: str) -> Object:
    return {"kind": "Status", "status": "Failure", "reason": reason, "code": status}


def annotated(**annotations: str) -> Object:
    return {"metadata": {"annotations": annotations}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, and what the answer must be and contain."""

    method: str
    path: str
    status: int
    body: Json = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    contains: Json = None


CASES = {
    "get": Case(method="GET", path=GUESTBOOK, status=200, contains={"kind": "Warehouse", "apiVersion": KARGO}),
    "get a missing object": Case(
        method="GET", path=f"{WAREHOUSES}/missing", status=404, contains=failure(404, "NotFound")
    ),
    "get a missing namespace": Case(
        method="GET", path=path_of("Namespace", "missing"), status=404, contains=failure(404, "NotFound")
    ),
    "get an unknown resource": Case(method="GET", path=f"/apis/{KARGO}/nonsense", status=404),
    "get an unknown group": Case(method="GET", path="/apis/example.com/v1/nonsense", status=404),
    "get a kind of a namespace without one": Case(method="GET", path=f"/apis/{KARGO}/warehouses/guestbook", status=404),
    "get the metadata alone": Case(
        method="GET",
        path=GUESTBOOK,
        headers=METADATA_ONLY,
        status=200,
        contains={"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "guestbook"}},
    ),
    "list": Case(
        method="GET",
        path=WAREHOUSES,
        status=200,
        contains={"kind": "WarehouseList", "apiVersion": KARGO, "items": [{"kind": "Warehouse"}]},
    ),
    "list every namespace": Case(
        method="GET", path=path_of("Warehouse"), status=200, contains={"items": [{"metadata": {"name": "guestbook"}}]}
    ),
    "list the metadata alone": Case(
        method="GET",
        path=WAREHOUSES,
        headers={"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"},
        status=200,
        contains={"kind": "PartialObjectMetadataList", "items": [{"kind": "PartialObjectMetadata"}]},
    ),
    "list by a label": Case(
        method="GET", path=f"{WAREHOUSES}?labelSelector=team%3Da,team", status=200, contains={"items": [{}]}
    ),
    "list by a label that no object has": Case(
        method="GET", path=f"{WAREHOUSES}?labelSelector=team+notin+(a,b)", status=200, contains={"items": []}
    ),
    "list by a broken label selector": Case(
        method="GET", path=f"{WAREHOUSES}?labelSelector=a%3D%3D%3Db", status=400, contains=failure(400, "BadRequest")
    ),
    "list by a name": Case(
        method="GET", path=f"{WAREHOUSES}?fieldSelector=metadata.name%3Dother", status=200, contains={"items": []}
    ),
    "list by a field that nobody selects by": Case(
        method="GET", path=f"{WAREHOUSES}?fieldSelector=spec.shard%3Dx", status=400, contains=failure(400, "BadRequest")
    ),
    "create": Case(
        method="POST",
        path=WAREHOUSES,
        body=warehouse("new"),
        status=201,
        contains={"metadata": {"name": "new", "namespace": "kargo-demo", "generation": 1}},
    ),
    "create what exists": Case(
        method="POST",
        path=WAREHOUSES,
        body=warehouse("guestbook"),
        status=409,
        contains=failure(409, "AlreadyExists"),
    ),
    "create without a name": Case(
        method="POST", path=WAREHOUSES, body=warehouse(), status=422, contains=failure(422, "Invalid")
    ),
    "create without its namespace": Case(
        method="POST",
        path=path_of("Warehouse", None, "missing"),
        body=warehouse("new"),
        status=404,
        contains=failure(404, "NotFound"),
    ),
    "create with a body that is no JSON": Case(
        method="POST", path=WAREHOUSES, body=b'{"kind":', status=400, contains=failure(400, "BadRequest")
    ),
    "create a Secret from plain text": Case(
        method="POST",
        path=SECRETS,
        body=secret("new"),
        status=201,
        contains={"type": "Opaque", "data": {"secret": "aGlkZGVu"}},
    ),
    "annotate": Case(
        method="PATCH",
        path=GUESTBOOK,
        body=annotated(a="b"),
        content_type=MERGE,
        status=200,
        contains={"metadata": {"generation": 1, "annotations": {"a": "b"}, "labels": {"team": "a"}}},
    ),
    "annotate, and get the metadata alone": Case(
        method="PATCH",
        path=GUESTBOOK,
        body=annotated(a="b"),
        content_type=MERGE,
        headers=METADATA_ONLY,
        status=200,
        contains={"kind": "PartialObjectMetadata", "metadata": {"annotations": {"a": "b"}}},
    ),
    "patch the spec": Case(
        method="PATCH",
        path=GUESTBOOK,
        body={"spec": {"interval": "1m0s"}},
        content_type=MERGE,
        status=200,
        contains={"metadata": {"generation": 2}, "spec": {"interval": "1m0s", "subscriptions": [{}]}},
    ),
    "patch the status": Case(
        method="PATCH",
        path=f"{GUESTBOOK}/status",
        body={"status": {"lastHandledRefresh": "now"}, "spec": {"interval": "1m0s"}},
        content_type=MERGE,
        status=200,
        contains={
            "metadata": {"generation": 1},
            "status": {"lastHandledRefresh": "now"},
            "spec": {"interval": "5m0s"},
        },
    ),
    "patch with a resourceVersion of long ago": Case(
        method="PATCH",
        path=GUESTBOOK,
        body={"metadata": {"resourceVersion": "1", "annotations": {"a": "b"}}},
        content_type=MERGE,
        status=409,
        contains=failure(409, "Conflict"),
    ),
    "patch a missing object": Case(
        method="PATCH",
        path=f"{WAREHOUSES}/missing",
        body=annotated(a="b"),
        content_type=MERGE,
        status=404,
        contains=failure(404, "NotFound"),
    ),
    "patch a custom resource strategically": Case(
        method="PATCH",
        path=GUESTBOOK,
        body=annotated(a="b"),
        content_type=STRATEGIC,
        status=415,
        contains=failure(415, "UnsupportedMediaType"),
    ),
    "patch a Secret strategically": Case(
        method="PATCH",
        path=f"{SECRETS}/receiver",
        body=annotated(a="b"),
        content_type=STRATEGIC,
        status=200,
        contains={"metadata": {"annotations": {"a": "b"}}, "data": {"secret": "aGlkZGVu"}},
    ),
    "replace without a resourceVersion": Case(
        method="PUT", path=GUESTBOOK, body=warehouse("guestbook"), status=422, contains=failure(422, "Invalid")
    ),
    "replace with a resourceVersion of long ago": Case(
        method="PUT",
        path=GUESTBOOK,
        body=warehouse(metadata={"name": "guestbook", "resourceVersion": "1"}),
        status=409,
        contains=failure(409, "Conflict"),
    ),
    "delete": Case(method="DELETE", path=GUESTBOOK, status=200, contains={"kind": "Status", "status": "Success"}),
    "delete a missing object": Case(
        method="DELETE", path=f"{WAREHOUSES}/missing", status=404, contains=failure(404, "NotFound")
    ),
    "ask whether something is allowed": Case(
        method="POST",
        path="/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "patch", "group": "kargo.akuity.io", "resource": "warehouses"}},
        },
        status=201,
        contains={"kind": "SelfSubjectAccessReview", "status": {"allowed": True}},
    ),
    "version": Case(method="GET", path="/version", status=200, contains={"major": "1"}),
    "groups": Case(method="GET", path="/apis", status=200, contains={"kind": "APIGroupList"}),
    "resources of the core": Case(
        method="GET", path="/api/v1", status=200, contains={"kind": "APIResourceList", "groupVersion": "v1"}
    ),
    "resources of Kargo": Case(
        method="GET", path=f"/apis/{KARGO}", status=200, contains={"kind": "APIResourceList", "groupVersion": KARGO}
    ),
    "readiness": Case(method="GET", path="/readyz", status=200),
}


def in_namespace(each: Object) -> Object:
    return each | {"metadata": each["metadata"] | {"namespace": "kargo-demo"}}


def missing(expected: Json, actual: Json) -> Json:
    """What of the expected is not in the actual; None when nothing is missing."""
    match expected, actual:
        case dict(), dict():
            faults = {key: missing(value, actual.get(key)) for key, value in expected.items()}
            return {key: fault for key, fault in faults.items() if fault is not None} or None
        case list(), list() if len(expected) == len(actual):
            faults = {place: missing(*pair) for place, pair in enumerate(zip(expected, actual, strict=True))}
            return {place: fault for place, fault in faults.items() if fault is not None} or None
    return None if expected == actual else f"expected {expected!r}, not {actual!r}"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_the_answer_is_that_of_a_real_server(api_server: ApiServer, case: Case) -> None:
    await api_server.apply(in_namespace(warehouse("guestbook")), in_namespace(secret("receiver")))
    answer = await api_server.request(
        case.method, case.path, case.body, content_type=case.content_type, headers=case.headers
    )
    assert (answer.status, missing(case.contains, answer.body) if case.contains else None) == (case.status, None)


async def test_a_patch_that_changes_nothing_is_no_write(api_server: ApiServer) -> None:
    await api_server.apply(in_namespace(warehouse("guestbook")))
    first = await api_server.patch("Warehouse", "guestbook", "kargo-demo", annotated(a="b"))
    again = await api_server.patch("Warehouse", "guestbook", "kargo-demo", annotated(a="b"))
    assert again == first


async def test_a_status_that_stands_in_a_new_object_is_left_aside(api_server: ApiServer) -> None:
    await api_server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kargo-demo"}})
    body = warehouse("guestbook", status={"lastHandledRefresh": "before it was made"})
    created = (await api_server.request("POST", WAREHOUSES, body)).expect(201)
    assert "status" not in created


async def test_a_replacement_keeps_what_the_server_decides(api_server: ApiServer) -> None:
    (before,) = await api_server.apply(
        in_namespace(warehouse("guestbook")) | {"status": {"lastHandledRefresh": "kept"}}
    )
    metadata = {"name": "guestbook", "resourceVersion": before["metadata"]["resourceVersion"]}
    after = (await api_server.request("PUT", GUESTBOOK, warehouse(metadata=metadata, status={}))).expect(200)
    for key in ("uid", "creationTimestamp", "generation", "namespace"):
        assert after["metadata"][key] == before["metadata"][key]
    assert after["status"] == {"lastHandledRefresh": "kept"}
    assert "labels" not in after["metadata"]


async def test_a_null_in_a_merge_patch_removes(api_server: ApiServer) -> None:
    await api_server.apply(in_namespace(warehouse("guestbook")))
    patch = {"metadata": {"labels": {"team": None, "added": "yes"}}}
    patched = await api_server.patch("Warehouse", "guestbook", "kargo-demo", patch)
    assert patched["metadata"]["labels"] == {"added": "yes"}


async def test_pages_agree_with_each_other_whatever_is_written_meanwhile(api_server: ApiServer) -> None:
    await api_server.apply(*(in_namespace(warehouse(f"app-{number}")) for number in range(5)))
    first = (await api_server.request("GET", f"{WAREHOUSES}?limit=2")).expect(200)
    await api_server.apply(in_namespace(warehouse("app-3a")))
    await api_server.delete("Warehouse", "app-4", "kargo-demo")
    pages = [first]
    while token := pages[-1]["metadata"].get("continue"):
        pages.append((await api_server.request("GET", f"{WAREHOUSES}?limit=2&continue={token}")).expect(200))
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [each["metadata"]["name"] for page in pages for each in page["items"]] == [f"app-{n}" for n in range(5)]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1


async def test_a_deleted_namespace_takes_its_objects_along(embedded_api_server: ApiServer) -> None:
    await embedded_api_server.apply(in_namespace(warehouse("guestbook")), in_namespace(secret("receiver")))
    await embedded_api_server.delete("Namespace", "kargo-demo")
    assert await embedded_api_server.every("Warehouse") == await embedded_api_server.every("Secret") == []


async def events(server: ApiServer, query: str, count: int) -> list[Object]:
    """The first events of a watch."""
    async with server.session() as session, session.get(f"{path_of('Warehouse')}?watch=true&{query}") as response:
        assert response.status == 200
        return [json.loads(await response.content.readline()) for _ in range(count)]


def told(found: list[Object]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in found]


async def test_a_watch_tells_what_happened_since_a_resource_version(api_server: ApiServer) -> None:
    (guestbook,) = await api_server.apply(in_namespace(warehouse("guestbook")))
    await api_server.apply(in_namespace(warehouse("storefront")))
    await api_server.patch("Warehouse", "guestbook", "kargo-demo", annotated(a="b"))
    await api_server.patch("Warehouse", "guestbook", "kargo-demo", annotated(a="b"))
    await api_server.delete("Warehouse", "storefront", "kargo-demo")
    found = await events(api_server, f"resourceVersion={guestbook['metadata']['resourceVersion']}", 3)
    assert told(found) == [("ADDED", "storefront"), ("MODIFIED", "guestbook"), ("DELETED", "storefront")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in found]
    assert versions == sorted(set(versions))


async def test_a_watch_without_a_resource_version_begins_with_what_is_there(api_server: ApiServer) -> None:
    await api_server.apply(in_namespace(warehouse("guestbook")))
    assert told(await events(api_server, "resourceVersion=0", 1)) == [("ADDED", "guestbook")]


async def test_what_a_selector_no_longer_selects_counts_as_deleted(api_server: ApiServer) -> None:
    (guestbook,) = await api_server.apply(in_namespace(warehouse("guestbook")))
    await api_server.patch("Warehouse", "guestbook", "kargo-demo", {"metadata": {"labels": {"team": "b"}}})
    await api_server.patch("Warehouse", "guestbook", "kargo-demo", {"metadata": {"labels": {"team": "a"}}})
    since = guestbook["metadata"]["resourceVersion"]
    found = await events(api_server, f"resourceVersion={since}&labelSelector=team%3Da", 2)
    assert told(found) == [("DELETED", "guestbook"), ("ADDED", "guestbook")]


async def test_a_watch_can_tell_the_metadata_alone(api_server: ApiServer) -> None:
    await api_server.apply(in_namespace(warehouse("guestbook")))
    path = f"{path_of('Warehouse')}?watch=true&resourceVersion=0"
    async with api_server.session() as session, session.get(path, headers=METADATA_ONLY) as response:
        event = json.loads(await response.content.readline())
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert "spec" not in event["object"]


async def test_a_resource_version_that_is_forgotten_is_gone(api_server: ApiServer) -> None:
    (event,) = await events(api_server, "resourceVersion=1", 1)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_ends_when_its_time_is_over(api_server: ApiServer) -> None:
    path = f"{path_of('Warehouse')}?watch=true&timeoutSeconds=1"
    async with api_server.session() as session, session.get(path) as response:
        assert await response.content.read() == b""
