"""Warehouses as large clusters have them, of which everything but the identity and the repositories is alike.

One to three subscriptions, the managed fields of two writers, and a status that lists what was discovered: 20
references of each repository, with the annotations that images of usual build pipelines carry. 18 KB as JSON.
"""

import json
import random
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from testbed.objects import KARGO, Object

PER_PROJECT = 20
DISCOVERED = 20  # references of each repository: Kargo's default
CREATED = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
REFRESH = "1760000000.123456-0123456789abcdef"
STYLES = 200  # different compositions, in turn
CONSTRAINTS = ("^1.0.0", "~2.3", ">=1.0.0 <3.0.0", "^0.1.0", "")
EXPRESSIONS = (r"^v?[0-9]+\.[0-9]+\.[0-9]+$", "^main-[0-9a-f]{7}$", "^release-.*")
BRANCHES = ("main", "master", "release")


def image(number: int) -> str:
    """The first repository of a Warehouse, to which no other subscribes."""
    return f"registry.azurecr.io/team-{number // PER_PROJECT}/app-{number}"


def project(number: int) -> str:
    """Where a Warehouse is."""
    return f"project-{number // PER_PROJECT}"


def warehouse(number: int) -> Object:
    """A Warehouse with its status, as somebody would create it: the API server adds what it decides."""
    found: Object = json.loads(encoded(number))
    for decided in ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"):
        del found["metadata"][decided]
    return found


def encoded(number: int, *, version: int = 1) -> bytes:
    """A Warehouse as an API server sends it, in one of its versions."""
    values = {
        b"name": f"app-{number}",
        b"namespace": project(number),
        b"version": str(version),
        b"uid": f"0b7d9a52-6a0e-4b0e-9d0b-{number:012x}",
        b"image": image(number),
        b"number": str(number),
    }
    parts = _template(number % STYLES)
    return b"".join(part if position % 2 == 0 else values[part].encode() for position, part in enumerate(parts))


@cache
def _template(style: int) -> list[bytes]:
    """A Warehouse of one style: every second part is the name of what differs."""
    chance = random.Random(style)  # noqa: S311 - alike in each run
    subscriptions = [_subscription(chance, position) for position in range(chance.choice((1, 2, 2, 3)))]
    generation = chance.randrange(1, 9)
    found = {
        "apiVersion": KARGO,
        "kind": "Warehouse",
        "metadata": {
            "annotations": {"kargo.akuity.io/refresh": REFRESH},
            "creationTimestamp": CREATED,
            "generation": generation,
            "labels": {
                "app.kubernetes.io/part-of": f"team-{style % 10}",
                "argocd.argoproj.io/instance": "kargo-projects",
            },
            "managedFields": [_managed("argocd-controller", "spec"), _managed("kargo", "status")],
            "name": "@name@",
            "namespace": "@namespace@",
            "resourceVersion": "@version@",
            "uid": "@uid@",
        },
        "spec": {"freightCreationPolicy": "Automatic", "interval": "5m0s", "subscriptions": subscriptions},
        "status": {
            "conditions": [_condition("Healthy"), _condition("Ready"), _condition("Reconciling", "False")],
            "discoveredArtifacts": _discovered(chance, subscriptions),
            "lastFreightID": f"{chance.getrandbits(160):040x}",
            "lastHandledRefresh": REFRESH,
            "observedGeneration": generation,
        },
    }
    return re.split(rb"@(\w+)@", json.dumps(found, separators=(",", ":")).encode())


def _subscription(chance: random.Random, position: int) -> Object:
    where = "@image@" if position == 0 else f"registry.azurecr.io/parts/part-@number@-{position}"
    kind = "image" if position == 0 else chance.choice(("image", "git", "chart"))
    match kind:
        case "image":
            constraint = chance.choice(CONSTRAINTS)
            wanted: Object = {"discoveryLimit": DISCOVERED, "imageSelectionStrategy": "SemVer", "repoURL": where}
            if constraint:
                return {"image": wanted | {"constraint": constraint, "strictSemvers": True}}
            by_build = {"imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": [chance.choice(EXPRESSIONS)]}
            return {"image": wanted | by_build}
        case "git":
            return {
                "git": {
                    "branch": chance.choice(BRANCHES),
                    "commitSelectionStrategy": "NewestFromBranch",
                    "discoveryLimit": DISCOVERED,
                    "includePaths": ["apps/@number@/", "glob:charts/**"],
                    "repoURL": "https://github.com/organisation/deployments-@number@.git",
                    "strictSemvers": True,
                }
            }
        case _:
            return {"chart": {"discoveryLimit": DISCOVERED, "repoURL": f"oci://{where}", "semverConstraint": "^1.0.0"}}


def _discovered(chance: random.Random, subscriptions: list[Object]) -> Object:
    found: dict[str, Any] = {"charts": [], "discoveredAt": CREATED, "git": [], "images": []}
    for each in subscriptions:
        ((kind, wanted),) = each.items()
        match kind:
            case "image":
                references = [_reference(chance, number) for number in range(DISCOVERED)]
                found["images"].append({"references": references, "repoURL": "registry.azurecr.io/team/shown"})
            case "git":
                commits = [_commit(chance, number) for number in range(DISCOVERED)]
                found["git"].append({"commits": commits, "repoURL": wanted["repoURL"]})
            case _:
                versions = [f"1.{DISCOVERED - number}.0" for number in range(DISCOVERED)]
                found["charts"].append({"repoURL": "oci://registry.azurecr.io/shown", "versions": versions})
    return found


def _reference(chance: random.Random, number: int) -> Object:
    return {
        "annotations": {
            "org.opencontainers.image.created": CREATED,
            "org.opencontainers.image.revision": f"{chance.getrandbits(160):040x}",
            "org.opencontainers.image.source": "https://github.com/organisation/application-of-a-usual-length",
            "org.opencontainers.image.title": "application-of-a-usual-length",
            "org.opencontainers.image.version": f"1.{DISCOVERED - number}.0",
        },
        "createdAt": CREATED,
        "digest": f"sha256:{chance.getrandbits(256):064x}",
        "tag": f"1.{DISCOVERED - number}.0",
    }


def _commit(chance: random.Random, number: int) -> Object:
    return {
        "author": "A Person <a.person@example.com>",
        "branch": "main",
        "committer": "GitHub <noreply@github.com>",
        "creatorDate": CREATED,
        "id": f"{chance.getrandbits(160):040x}",
        "subject": f"Deploy version 1.{DISCOVERED - number}.0 of the application (#{number})",
    }


def _managed(manager: str, part: str) -> Object:
    fields: Object = {f"f:field-{number}": {"f:of-some-length": {}, ".": {}} for number in range(14)}
    return {
        "apiVersion": KARGO,
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:{part}": {".": {}} | fields},
        "manager": manager,
        "operation": "Update",
        "time": CREATED,
    }


def _condition(kind: str, status: str = "True") -> Object:
    return {
        "lastTransitionTime": CREATED,
        "message": "Successfully discovered artifacts from all 3 subscriptions",
        "observedGeneration": 1,
        "reason": "ReconciliationSucceeded",
        "status": status,
        "type": kind,
    }
