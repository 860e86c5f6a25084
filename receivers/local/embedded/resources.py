"""The resources that the embedded API serves, and how it describes them to clients that ask."""

from dataclasses import dataclass
from typing import Any

type Object = dict[str, Any]  # as in JSON; never changed once it is stored

KARGO = "kargo.akuity.io"
AUTHORIZATION = "authorization.k8s.io"
VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0-embedded", "platform": "python"}
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object, and where it is served."""

    group: str  # "": the core group
    version: str
    plural: str
    kind: str
    namespaced: bool
    status: bool = False  # has the status subresource
    short_names: tuple[str, ...] = ()
    stored: bool = True  # False: a question that is answered and forgotten

    @property
    def api_version(self) -> str:
        """As an object of this kind says it: "v1", "kargo.akuity.io/v1alpha1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path under which the group's version is served, without a leading slash."""
        return f"apis/{self.api_version}" if self.group else f"api/{self.api_version}"

    @property
    def qualified(self) -> str:
        """As error messages name it: "secrets", "warehouses.kargo.akuity.io"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, short_names=("ns",))
SECRETS = Resource("", "v1", "secrets", "Secret", namespaced=True)
PROJECTS = Resource(KARGO, "v1alpha1", "projects", "Project", namespaced=False, status=True)
PROJECT_CONFIGS = Resource(KARGO, "v1alpha1", "projectconfigs", "ProjectConfig", namespaced=True, status=True)
CLUSTER_CONFIGS = Resource(KARGO, "v1alpha1", "clusterconfigs", "ClusterConfig", namespaced=False, status=True)
WAREHOUSES = Resource(KARGO, "v1alpha1", "warehouses", "Warehouse", namespaced=True, status=True)
PROMOTIONS = Resource(KARGO, "v1alpha1", "promotions", "Promotion", namespaced=True, status=True)
ACCESS_REVIEWS = Resource(
    AUTHORIZATION, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False, stored=False
)
RESOURCES = (
    NAMESPACES,
    SECRETS,
    PROJECTS,
    PROJECT_CONFIGS,
    CLUSTER_CONFIGS,
    WAREHOUSES,
    PROMOTIONS,
    ACCESS_REVIEWS,
)
BY_PATH = {(resource.root, resource.plural): resource for resource in RESOURCES}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def discovery() -> dict[str, Object]:
    """The documents from which clients learn what is served, by their path."""
    groups = {resource.group: resource for resource in RESOURCES if resource.group}
    documents: dict[str, Object] = {
        "version": VERSION,
        "api": {"kind": "APIVersions", "versions": ["v1"]},
        "apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in groups.values()]},
        "openapi/v3": {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root, _ in BY_PATH}},
    }
    for resource in RESOURCES:
        listed = documents.setdefault(resource.root, _resource_list(resource))
        listed["resources"] += _listing(resource)
        schema = documents.setdefault(f"openapi/v3/{resource.root}", {"openapi": "3.0.0", "paths": {}})
        schema["paths"] |= _patch_operation(resource)
    return documents


def _group(resource: Resource) -> Object:
    version = {"groupVersion": resource.api_version, "version": resource.version}
    return {"name": resource.group, "versions": [version], "preferredVersion": version}


def _resource_list(resource: Resource) -> Object:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": resource.api_version, "resources": []}


def _listing(resource: Resource) -> list[Object]:
    one = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "kind": resource.kind,
        "shortNames": resource.short_names,
        "namespaced": resource.namespaced,
        "verbs": VERBS if resource.stored else ["create"],
    }
    if not resource.status:
        return [one]
    return [one, one | {"name": f"{resource.plural}/status", "verbs": ["get", "patch", "update"]}]


def _patch_operation(resource: Resource) -> Object:
    """Tells ``kubectl apply`` that the server checks objects itself, so that it asks for no schema."""
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [{"name": "fieldValidation", "in": "query"}]
    return {
        f"/{resource.root}/{resource.plural}": {
            "patch": {"x-kubernetes-group-version-kind": kind, "parameters": parameters}
        }
    }
