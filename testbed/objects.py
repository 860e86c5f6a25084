"""Kargo's objects as the tests put them into a cluster, and the URLs they give a receiver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from receivers.cluster.refresher import ANNOTATION
from receivers.kargo import paths
from testbed.servers import ApiServer

type Object = dict[str, Any]

KARGO = "kargo.akuity.io/v1alpha1"
PROJECT = "kargo-demo"
SECRET = "receiver-secret-value"  # what the receivers of these tests have, unless they say otherwise
IMAGE = "registry.azurecr.io/team/app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A receiver: what is configured, and what its URL then is."""

    provider: str = "azure"
    name: str = "builds"
    project: str | None = PROJECT
    secret: str = SECRET

    @property
    def secret_name(self) -> str:
        return f"{self.name}-secret"

    @property
    def token(self) -> str:
        return paths.token(project=self.project, name=self.name, secrets=(self.secret.encode(),))

    @property
    def path(self) -> str:
        return f"/{self.provider}/{self.token}"

    @property
    def configured(self) -> Object:
        """The entry in a config's spec."""
        return {"name": self.name, self.provider: {"secretRef": {"name": self.secret_name}}}

    @property
    def published(self) -> Object:
        """The entry in a config's status, as Kargo's management controller writes it."""
        return {"name": self.name, "path": self.path, "url": f"https://kargo.example.com{self.path}"}


def project_config(hooks: Sequence[Hook], *, published: Sequence[Hook] | None = None, project: str = PROJECT) -> Object:
    """A ProjectConfig with these receivers; its status publishes all of them unless told otherwise."""
    return {"kind": "ProjectConfig", "metadata": {"name": project, "namespace": project}} | _config(hooks, published)


def cluster_config(hooks: Sequence[Hook], *, published: Sequence[Hook] | None = None) -> Object:
    """The ClusterConfig with these receivers."""
    return {"kind": "ClusterConfig", "metadata": {"name": "cluster"}} | _config(hooks, published)


def _config(hooks: Sequence[Hook], published: Sequence[Hook] | None) -> Object:
    shown = hooks if published is None else published
    return {
        "apiVersion": KARGO,
        "spec": {"webhookReceivers": [hook.configured for hook in hooks]},
        "status": {"webhookReceivers": [hook.published for hook in shown]},
    }


def secret(name: str, data: Mapping[str, str] | None = None, *, namespace: str = PROJECT) -> Object:
    """A Secret; ``data`` as a person would write it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": dict(data if data is not None else {"secret": SECRET}),
    }


def secret_of(hook: Hook, *, namespace: str = PROJECT, key: str = "secret") -> Object:
    """The Secret that a receiver refers to."""
    return secret(hook.secret_name, {key: hook.secret}, namespace=namespace)


def warehouse(name: str, *, project: str = PROJECT, image: str = IMAGE, constraint: str = "") -> Object:
    """A Warehouse with one image subscription, by semver where a constraint is given, else any tag."""
    subscription: Object = {"repoURL": image, "imageSelectionStrategy": "SemVer", "constraint": constraint}
    if not constraint:
        subscription = {"repoURL": image, "imageSelectionStrategy": "NewestBuild"}
    return _warehouse(name, project, {"image": subscription})


def git_warehouse(name: str, *, project: str = PROJECT, repository: str, constraint: str = "", **fields: Any) -> Object:  # noqa: ANN401
    """A Warehouse with one Git subscription: to tags by semver where a constraint is given, else to a branch."""
    by_tag = {"commitSelectionStrategy": "SemVer", "semverConstraint": constraint, "strictSemvers": True}
    subscription = {"repoURL": repository, **(by_tag if constraint else {}), **fields}
    return _warehouse(name, project, {"git": subscription})


def _warehouse(name: str, project: str, subscription: Object) -> Object:
    return {
        "apiVersion": KARGO,
        "kind": "Warehouse",
        "metadata": {"name": name, "namespace": project},
        "spec": {"interval": "5m0s", "subscriptions": [subscription]},
    }


def promotion(name: str, *urls: str, project: str = PROJECT, phase: str = "Running") -> Object:
    """A Promotion that waits for these pull requests, one after the other, and has come to the last."""
    steps = [{"uses": "git-wait-for-pr", "as": f"wait-{position}"} for position, _ in enumerate(urls)]
    state = {f"wait-{position}": {"pr": {"id": position, "url": url}} for position, url in enumerate(urls)}
    return {
        "apiVersion": KARGO,
        "kind": "Promotion",
        "metadata": {"name": name, "namespace": project},
        "spec": {"stage": "test", "freight": "abc", "steps": [{"uses": "git-clone", "as": "clone"}, *steps]},
        "status": {"phase": phase, "currentStep": len(steps), "state": state},
    }


async def refresh_of(server: ApiServer, name: str, project: str = PROJECT, *, kind: str = "Warehouse") -> str:
    """The value of a Warehouse's refresh annotation, "" for none."""
    found = await server.get(kind, name, project)
    assert found is not None
    value: str = found["metadata"].get("annotations", {}).get(ANNOTATION, "")
    return value
