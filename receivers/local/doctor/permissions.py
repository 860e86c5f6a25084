"""Whether this identity has the rights that the service needs, by asking the API server.

Rights on Secrets are not asked for: the Secrets are read, which is the surer test.
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

import json
from dataclasses import dataclass

import msgspec

from receivers.cluster.api import Api
from receivers.local.doctor.findings import Finding, Severity

GROUP = "kargo.akuity.io"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
CALL_TIMEOUT = 10.0  # seconds for one question to the API server


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A right in every namespace, and what is lost without it."""

    resource: str
    verbs: tuple[str, ...]
    loss: str
    severity: Severity = Severity.ERROR


NEEDED = (
    Permission(resource="projectconfigs", verbs=("list", "watch"), loss="the receivers of projects are not served"),
    Permission(
        resource="clusterconfigs",
        verbs=("list", "watch"),
        loss="the receivers of the ClusterConfig are not served",
        severity=Severity.WARNING,  # few clusters have any
    ),
    Permission(resource="warehouses", verbs=("list", "watch", "patch"), loss="Warehouses are not refreshed"),
)

NEEDED_FOR_PULL_REQUESTS = (
    Permission(
        resource="promotions",
        verbs=("list", "watch", "patch"),
        loss="Promotions that wait for a pull request are not refreshed",
        severity=Severity.WARNING,  # Kargo looks at the pull request by itself, later
    ),
    Permission(
        resource="stages",
        verbs=("promote",),
        loss="Kargo refuses to have Promotions refreshed",
        severity=Severity.WARNING,
    ),
)


async def missing(api: Api, needed: Permission) -> Finding | None:
    """What is missing of a permission, if anything. Raises ClusterError."""
    verbs = ", ".join([verb for verb in needed.verbs if not await _is_allowed(api, verb, needed.resource)])
    if not verbs:
        return None
    return Finding(
        severity=needed.severity,
        subject=f"permission on {needed.resource}.{GROUP}",
        problem=f"this identity may not {verbs} them, so {needed.loss}",
        remedy=f"allow {verbs} on {needed.resource} in a ClusterRole, and bind it by a ClusterRoleBinding",
    )


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status


async def _is_allowed(api: Api, verb: str, resource: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "group": GROUP, "resource": resource}},
    }
    answer = await api.post(REVIEWS, json.dumps(review).encode(), timeout=CALL_TIMEOUT)
    return msgspec.json.decode(answer, type=_Review).status.allowed
