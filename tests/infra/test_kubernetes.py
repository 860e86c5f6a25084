"""The manifests of infra/kubernetes, applied to a real API server and tried with the ServiceAccount's own token."""

import asyncio
import secrets
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
import yaml

from testbed.objects import PROJECT, Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.cluster.kubectl import HOW_TO_GET_KUBECTL, Kubectl
from tests.infra.terraform import INFRA, ROOT
from tests.service import acr_push, running_service

NAMESPACE = "kargo-receivers"
KARGO = "/apis/kargo.akuity.io/v1alpha1"
ELSEWHERE = "somebody-elses"  # a namespace that has no receivers
HOOK = Hook(provider="azure", name="acr")

READ, WRITE = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")
VERBS = (*READ, *WRITE, "promote", "escalate", "bind", "impersonate")

RIGHTS = {
    *((verb, "projectconfigs.kargo.akuity.io") for verb in READ),
    *((verb, "clusterconfigs.kargo.akuity.io") for verb in READ),
    *((verb, "warehouses.kargo.akuity.io") for verb in (*READ, "patch")),
}


def rules(file: Path) -> object:
    return yaml.safe_load(file.read_text())["rules"]


def test_every_other_test_runs_with_these_rights() -> None:
    roles = [each for each in yaml.safe_load_all((ROOT / "testbed/rbac.yaml").read_text()) if "rules" in each]
    tested = {each["metadata"]["name"]: each["rules"] for each in roles}
    assert tested == {
        "kargo-receivers": rules(INFRA / "kubernetes/base/cluster-role.yaml"),
        "kargo-receivers-secrets": rules(INFRA / "kubernetes/secrets/role.yaml"),
        "kargo-receivers-promotions": rules(INFRA / "kubernetes/promotions/cluster-role.yaml"),
    }


@dataclass(frozen=True, slots=True)
class Identity:
    """A ServiceAccount, and what it can do."""

    server: ApiServer
    token: str

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        context = ssl.create_default_context(cafile=self.server.ca_file)
        headers = {"Authorization": f"Bearer {self.token}"}
        connector = aiohttp.TCPConnector(ssl=context, limit=16)
        async with aiohttp.ClientSession(self.server.url, connector=connector, headers=headers) as session:
            yield session

    async def patch(self, name: str, patch: object) -> int:
        """The status of a merge patch of a Warehouse."""
        return await self.status("PATCH", f"{KARGO}/namespaces/{PROJECT}/warehouses/{name}", patch)

    async def status(self, method: str, path: str, body: object = None) -> int:
        """The status of a request."""
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with (
            self.session() as session,
            session.request(method, path, json=body, headers={"Content-Type": media_type}) as response,
        ):
            return response.status

    async def allowed(self, resources: Mapping[str, str], *, namespace: str) -> set[tuple[str, str]]:
        """Which verbs the API server allows on which resources, of those named "<plural>.<group>"."""

        async def ask(session: aiohttp.ClientSession, verb: str, resource: str, group: str) -> tuple[str, str] | None:
            attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource.partition(".")[0]}
            review = {"spec": {"resourceAttributes": attributes}}
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            async with session.post(path, json=review) as response:
                return (verb, resource) if (await response.json())["status"]["allowed"] else None

        async with self.session() as session:
            answers = await asyncio.gather(
                *(ask(session, verb, resource, group) for verb in VERBS for resource, group in resources.items())
            )
        return {answer for answer in answers if answer}

    @property
    def settings(self) -> dict[str, str]:
        """The application's settings to run as this identity."""
        assert self.server.ca_file
        return {
            "CLUSTER_AUTHENTICATION": "token",
            "CLUSTER_SERVER": self.server.url,
            "CLUSTER_CA": self.server.ca_file.read_text(),
            "CLUSTER_TOKEN": self.token,
        }


@pytest.fixture
async def admin(real_api_server: ApiServer) -> Kubectl:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip(HOW_TO_GET_KUBECTL)
    return Kubectl(program, real_api_server.kubeconfig("admin"))


@pytest.fixture
async def identity(real_api_server: ApiServer, admin: Kubectl, manifests: Path) -> AsyncIterator[Identity]:
    """The ServiceAccount with the base manifests applied, as the guide does it."""
    await real_api_server.apply(
        warehouse("app"), warehouse("other", project=ELSEWHERE), secret_of(HOOK, namespace=ELSEWHERE)
    )
    await real_api_server.apply(project_config([HOOK]), secret_of(HOOK))
    await admin("apply", "-k", str(manifests / "base"))
    token = await admin("create", "token", "tried-kargo-receivers", "--namespace", NAMESPACE)
    yield Identity(real_api_server, token.strip())
    # Not its namespace: nobody here finishes the deletion of a namespace.
    for kind in ("clusterrole", "clusterrolebinding"):
        await admin("delete", "--ignore-not-found", kind, "tried-kargo-receivers")
    for kind in ("role", "rolebinding"):
        await admin("delete", "--ignore-not-found", "--namespace", PROJECT, kind, "tried-kargo-receivers-secrets")


async def every_resource(admin: Kubectl) -> dict[str, str]:
    """Every resource the API server has, and its group; and Stages, which these tests' cluster lacks."""
    names = (await admin("api-resources", "--no-headers", "-o", "name")).split()
    return {name: name.partition(".")[2] for name in [*names, "stages.kargo.akuity.io"]}


async def granted(identity: Identity, admin: Kubectl, *, namespace: str) -> set[tuple[str, str]]:
    """What this identity may do beyond what every ServiceAccount may."""
    resources = await every_resource(admin)
    anybody = (await admin("create", "token", "anybody", "--namespace", NAMESPACE)).strip()
    everybody_may = await Identity(identity.server, anybody).allowed(resources, namespace=namespace)
    return await identity.allowed(resources, namespace=namespace) - everybody_may


@pytest.fixture
async def anybody(identity: Identity, admin: Kubectl) -> AsyncIterator[None]:
    await admin("create", "serviceaccount", "anybody", "--namespace", NAMESPACE)
    yield
    await admin("delete", "--ignore-not-found", "serviceaccount", "anybody", "--namespace", NAMESPACE)


@pytest.mark.usefixtures("anybody")
async def test_the_rights_are_these_and_no_others(identity: Identity, admin: Kubectl) -> None:
    assert await granted(identity, admin, namespace=PROJECT) == RIGHTS


@pytest.mark.usefixtures("anybody")
async def test_secrets_can_be_read_in_the_named_namespace_only(
    identity: Identity, admin: Kubectl, manifests: Path
) -> None:
    await admin("apply", "-k", str(manifests / "secrets"), "--namespace", PROJECT)
    assert await granted(identity, admin, namespace=PROJECT) == RIGHTS | {("get", "secrets")}
    assert await granted(identity, admin, namespace=ELSEWHERE) == RIGHTS


async def test_what_is_allowed_works_and_the_rest_is_refused(identity: Identity) -> None:
    in_project = f"{KARGO}/namespaces/{PROJECT}"
    expected = {
        ("GET", f"{KARGO}/warehouses"): HTTPStatus.OK,
        ("GET", f"{KARGO}/projectconfigs"): HTTPStatus.OK,
        ("GET", f"{KARGO}/clusterconfigs"): HTTPStatus.OK,
        ("PATCH", f"{in_project}/warehouses/app"): HTTPStatus.OK,
        ("GET", f"{KARGO}/promotions"): HTTPStatus.FORBIDDEN,
        ("PATCH", f"{in_project}/promotions/rollout"): HTTPStatus.FORBIDDEN,
        ("PATCH", f"{in_project}/warehouses/app/status"): HTTPStatus.FORBIDDEN,
        ("DELETE", f"{in_project}/warehouses/app"): HTTPStatus.FORBIDDEN,
        ("POST", f"{in_project}/warehouses"): HTTPStatus.FORBIDDEN,
        ("PATCH", f"{in_project}/projectconfigs/{PROJECT}"): HTTPStatus.FORBIDDEN,
        ("GET", f"/api/v1/namespaces/{PROJECT}/secrets/{HOOK.secret_name}"): HTTPStatus.FORBIDDEN,
        ("GET", f"/api/v1/namespaces/{PROJECT}/secrets"): HTTPStatus.FORBIDDEN,
        ("GET", "/api/v1/secrets"): HTTPStatus.FORBIDDEN,
        ("GET", "/api/v1/pods"): HTTPStatus.FORBIDDEN,
        ("GET", "/api/v1/namespaces"): HTTPStatus.FORBIDDEN,
    }
    body = {"metadata": {"annotations": {"kargo.akuity.io/refresh": "tried"}}}
    tried = {
        (method, path): await identity.status(method, path, None if method == "GET" else body)
        for method, path in expected
    }
    assert tried == expected


@pytest.mark.usefixtures("anybody")
async def test_a_rule_that_is_wider_is_noticed(identity: Identity, admin: Kubectl, manifests: Path) -> None:
    role = manifests / "kubernetes/base/cluster-role.yaml"
    role.write_text(
        role.read_text().replace("verbs: [get, list, watch, patch]", "verbs: [get, list, watch, patch, update]")
    )
    await admin("apply", "-k", str(manifests / "base"))
    wider = await granted(identity, admin, namespace=PROJECT) - RIGHTS
    assert wider == {("update", "warehouses.kargo.akuity.io")}


async def test_the_service_works_with_these_rights(identity: Identity, admin: Kubectl, manifests: Path) -> None:
    await admin("apply", "-k", str(manifests / "secrets"), "--namespace", PROJECT)
    async with running_service(None, **identity.settings) as service:
        answer = await service.post(HOOK.path, acr_push())
    assert (answer.status, answer.body) == (200, b'{"msg":"refreshed 1 warehouse(s)"}\n')


async def test_the_service_works_without_any_right_on_secrets(identity: Identity) -> None:
    async with running_service(None, **identity.settings, READ_SECRETS="false") as service:
        answer = await service.post(HOOK.path, acr_push())
    assert (answer.status, answer.body) == (200, b'{"msg":"refreshed 1 warehouse(s)"}\n')


async def test_a_rule_that_is_missing_is_missed(identity: Identity, admin: Kubectl, manifests: Path) -> None:
    role = manifests / "kubernetes/base/cluster-role.yaml"
    role.write_text(role.read_text().replace("verbs: [get, list, watch, patch]", "verbs: [get, list, watch]"))
    await admin("apply", "-k", str(manifests / "base"))
    async with running_service(None, **identity.settings, READ_SECRETS="false", ANSWER_BUDGET_SECONDS="2") as service:
        answer = await service.post(HOOK.path, acr_push())
    assert answer.status == 503, "without the right to patch nothing can be refreshed"


async def test_the_policy_leaves_the_refresh_annotation_and_nothing_else(
    identity: Identity, admin: Kubectl, tmp_path: Path
) -> None:
    text = (INFRA / "kubernetes/refresh-only/policy.yaml").read_text()
    policy = tmp_path / "policy.yaml"
    policy.write_text(text.replace(f"{NAMESPACE}:kargo-receivers", f"{NAMESPACE}:tried-kargo-receivers"))
    refresh = {"metadata": {"annotations": {"kargo.akuity.io/refresh": "now"}}}
    try:
        await admin("apply", "-f", str(policy))
        # A policy counts a moment after it was made: until then this patch is allowed.
        async with asyncio.timeout(30):
            allowed: int = HTTPStatus.OK
            while allowed == HTTPStatus.OK:
                allowed = await identity.patch("app", {"metadata": {"labels": {"tried": secrets.token_hex(4)}}})
        refused = {
            "spec": {"spec": {"interval": "1h0m0s"}},
            "label": {"metadata": {"labels": {"mine": "yes"}}},
            "finalizer": {"metadata": {"finalizers": ["example.com/mine"]}},
            "annotation": {"metadata": {"annotations": {"mine": "yes"}}},
            "annotation beside": {"metadata": {"annotations": {"kargo.akuity.io/refresh": "x", "mine": "yes"}}},
        }
        tried = {what: await identity.patch("app", patch) for what, patch in refused.items()}
        assert tried == dict.fromkeys(refused, HTTPStatus.UNPROCESSABLE_ENTITY)
        assert await identity.patch("app", refresh) == HTTPStatus.OK
        assert await identity.patch("app", refresh) == HTTPStatus.OK
    finally:
        await admin("delete", "--ignore-not-found", "-f", str(policy))
