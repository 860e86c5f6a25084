"""Nothing that must stay secret is ever written: everything is logged that any library can log, and searched."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO

import pytest

from receivers import limits
from testbed.fault_proxy import FaultProxy
from testbed.host import ready_url, stop
from testbed.objects import PROJECT, Hook, project_config, secret, warehouse
from testbed.servers import ApiServer
from tests.local.host.wire import Response, ask
from tests.service import AMPLE, ROOT, UNCONFIGURED, acr_push, until

# The local host quietens the worker library, which Azure does not.
PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from receivers.local.host import __main__, worker
worker.library_log = logging.getLogger("quiet")
sys.exit(__main__.main(sys.argv[1:]))
"""
BUDGET = "0.5"  # seconds; short, for the cluster fails here

HOOK = Hook(name="canary", secret="canary-secret-present")
PREVIOUS = Hook(name="canary", secret="canary-secret-previous")
STALE = Hook(name="stale", secret="canary-secret-stale")
STATIC = Hook(name="static", provider="quay", secret="canary-secret-static")
GUESSED = "c0ffee" * 10 + "c0de"
CANARIES = (
    "canary-",  # every secret, header, query and body
    *(hook.token for hook in (HOOK, PREVIOUS, STALE, STATIC)),
    GUESSED,
    "token-of-kargo-receivers",  # for the API server
)
HEADERS = {"Authorization": "canary-header", "X-Hub-Signature": "canary-signature", "Cookie": "canary-cookie"}


@dataclass
class Loud:
    """A service in a process of its own that logs all it can."""

    url: str = ""
    written: str = ""  # stdout and stderr, once it has ended
    answers: list[Response] = field(default_factory=list)

    async def post(self, path: str, body: object) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await ask(self.url, "POST", f"{path}?code=canary-query", headers=HEADERS.items(), body=content)
        self.answers.append(response)
        return response.status

    async def get(self, path: str) -> None:
        self.answers.append(await ask(self.url, "GET", path, headers=HEADERS.items()))

    async def works(self) -> bool:
        """Whether the receiver of the project is found."""
        return await self.post(HOOK.path, {"action": "ping"}) == HTTPStatus.OK

    @property
    def told(self) -> str:
        """All that anybody could read."""
        return self.written + "".join(f"{answer.headers} {answer.body!r}" for answer in self.answers)

    def found(self) -> list[str]:
        """The canaries that got out."""
        return [canary for canary in CANARIES if canary in self.told]


@contextmanager
def loud_service(settings: Mapping[str, str]) -> Iterator[Loud]:
    service = Loud()
    with tempfile.TemporaryFile("w+") as errors, process(settings, errors) as running:
        try:
            service.url = ready_url(running, errors)
            yield service
        finally:
            stop(running)
            assert running.stdout is not None
            errors.seek(0)
            service.written = running.stdout.read() + errors.read()


def process(settings: Mapping[str, str], errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--root", str(ROOT), "--port", "0"],
        cwd=ROOT,
        env={"PATH": "", "PYTHONASYNCIODEBUG": "1", **UNCONFIGURED, **settings},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        bufsize=1,
    )


@pytest.fixture
async def settings(api_server: ApiServer, fault_proxy: FaultProxy) -> dict[str, str]:
    """Settings for a project with a receiver in rotation, one with a stale path, and one in the settings."""
    await api_server.apply(
        project_config([HOOK, STALE]),
        secret(HOOK.secret_name, {"secret": HOOK.secret, "secret-previous": PREVIOUS.secret}),
        secret(STALE.secret_name, {"secret": "canary-secret-another"}),
        warehouse("app"),
    )
    await api_server.allow_secrets(PROJECT)
    static = {"provider": "quay", "name": STATIC.name, "project": PROJECT, "secret": STATIC.secret}
    return {
        "KUBECONFIG": str(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)),
        "RECEIVERS": json.dumps([static]),
        "ANSWER_BUDGET_SECONDS": BUDGET,
    }


def bodies() -> list[object]:
    """A push with text of the sender's own, and what is no push."""
    return [
        acr_push() | {"description": "canary-text"},
        {"action": "ping", "actor": {"name": "canary-actor"}},
        {"action": "delete", "target": {"repository": "canary-repository"}},
        b"canary-body is not JSON",
        b'{"action": ["canary-list"]}',
        b"canary-large".ljust(limits.BODY + 1),
        b"",
    ]


async def deliver_everything(service: Loud) -> set[int]:
    """Every body to every URL; the statuses that came."""
    paths = [
        HOOK.path,
        PREVIOUS.path,
        HOOK.path.replace("azure", "acr"),
        STALE.path,
        STATIC.path,
        f"/azure/{GUESSED}",
        f"/dockerhub/{GUESSED}",
        "/azure/canary-segment",
        f"{HOOK.path}/canary-segment",
    ]
    statuses = {await service.post(path, body) for path in paths for body in bodies()}
    await service.get("/readyz")
    await service.get(HOOK.path)
    return statuses


async def test_a_service_that_works_tells_no_secret(settings: dict[str, str]) -> None:
    with loud_service(settings | {"ANSWER_BUDGET_SECONDS": AMPLE}) as service:
        assert await deliver_everything(service) == {200, 400, 404, 413}
    assert service.found() == []
    assert "refreshed kargo-demo/app" in service.written
    assert "DEBUG:" in service.written


async def test_a_cluster_that_fails_makes_the_service_tell_no_secret(
    settings: dict[str, str], fault_proxy: FaultProxy
) -> None:
    with loud_service(settings) as service:
        await until(service.works)
        fault_proxy.answer(500, times=None, method="PATCH")
        fault_proxy.garble(times=None, path="/secrets/")
        assert {404, 413, 503} <= await deliver_everything(service)
        fault_proxy.clear()
    assert service.found() == []
    assert "not yet kargo-demo/app" in service.written


async def test_a_cluster_that_is_away_makes_the_service_tell_no_secret(
    settings: dict[str, str], fault_proxy: FaultProxy
) -> None:
    faults: list[Callable[[], object]] = [
        lambda: fault_proxy.answer(401, times=None),
        lambda: fault_proxy.garble(times=None),
        lambda: fault_proxy.reset(times=None),
        fault_proxy.hang,
    ]
    faults[0]()
    with loud_service(settings) as service:
        for fault in faults:
            fault_proxy.clear()
            fault()
            await service.post(HOOK.path, acr_push())
            await service.post(STATIC.path, {"docker_url": "r/app", "updated_tags": ["1"]})
            await service.get("/readyz")
    assert service.found() == []


@pytest.mark.parametrize(
    "broken",
    [
        {"RECEIVERS": '[{"secret": "canary-secret-broken"'},
        {"RECEIVERS": '[{"provider": "quay", "name": "x", "secret": ["canary-secret-broken"]}]'},
        {"RECEIVERS": '[{"provider": "canary-provider", "name": "x", "secret": "canary-secret-broken"}]'},
        {"ANSWER_BUDGET_SECONDS": "canary-number"},
        {"KUBECONFIG": "", "CLUSTER_SERVER": "canary-server", "CLUSTER_TOKEN": "canary-token"},
        {
            "KUBECONFIG": "",
            "CLUSTER_SERVER": "https://127.0.0.1:9",
            "CLUSTER_TOKEN": "canary-token",
            "CLUSTER_CA": "canary-ca",
        },
    ],
    ids="+".join,
)
async def test_settings_that_are_wrong_make_the_service_tell_no_secret(broken: dict[str, str]) -> None:
    with loud_service({"KUBECONFIG": "/no/such/file"} | broken) as service:
        assert await service.post(HOOK.path, acr_push()) == 503
        await service.get("/readyz")
    assert service.found() == []
    assert "not ready" in service.written


async def test_a_kubeconfig_that_is_wrong_makes_the_service_tell_no_secret(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("users: [{name: canary-user, user: {token: canary-token}}]\ncontexts: {{canary-yaml")
    with loud_service({"KUBECONFIG": str(kubeconfig)}) as service:
        assert await service.post(HOOK.path, acr_push()) == 503
    assert service.found() == []
