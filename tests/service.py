"""The whole service as Azure runs it: this project's function_app.py under the real worker library, in this process.

One service at a time: a process has one runtime, as an instance in the cloud has.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from receivers import runtime
from receivers.local.host import FunctionHost
from receivers.pages import openness
from receivers.runtime import Runtime
from testbed.host import served
from tests.local.host.wire import Response, ask

ROOT = Path(__file__).parent.parent
UNCONFIGURED = {"KUBECONFIG": "", "CLUSTER_SERVER": "", "CLUSTER_AUTHENTICATION": "", "KUBERNETES_SERVICE_HOST": ""}
AMPLE = "30"  # seconds of answer budget, for tests that are not about it: the machine may be busy


PATIENCE = 60.0  # seconds that a condition is waited for


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, as its clients see it."""

    url: str
    host: FunctionHost

    async def post(self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Response:
        """Deliver: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", path, headers=(headers or {}).items(), body=content)

    async def ask(
        self, method: str, path: str, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        """One request, sent as it is written here."""
        return await ask(self.url, method, path, headers=headers, body=body)

    async def runtime(self) -> Runtime:
        """What serves it."""
        return await runtime.current()


@asynccontextmanager
async def running_service(
    kubeconfig: Path | None = None, /, *, listening_on: str | None = "", **settings: str
) -> AsyncIterator[Service]:
    """A service that answers; with no kubeconfig it is not configured unless the settings say how.

    Its pages believe that it listens there, by default where it does: on loopback. None: they are told nothing.
    """
    cluster = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
    environment = {**UNCONFIGURED, "ANSWER_BUDGET_SECONDS": AMPLE, **cluster, **settings}
    host = FunctionHost(ROOT, settings=environment)
    async with served(host) as url:
        with nullcontext() if listening_on is None else openness.listening_on(listening_on or url):
            yield Service(url, host)
    await end_runtime()


async def end_runtime() -> None:
    """Close this process's runtime, so that the next service starts its own."""
    started, runtime._started = runtime._started, None
    if started is not None and started.succeeded:
        await (await started.result()).close()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until something is so. The deadline only ends a test that fails."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - any condition can be waited for
            await asyncio.sleep(0.01)


def acr_push(repository: str = "registry.azurecr.io/team/app", tag: str = "1.2.3") -> dict[str, object]:
    """What Azure Container Registry posts after a push; only what counts."""
    host, _, path = repository.partition("/")
    return {
        "id": "d2d1f2ab-0000-4a5b-8c1d-000000000001",
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "repository": path,
            "tag": tag,
            "digest": "sha256:" + "0" * 64,
        },
        "request": {"host": host},
    }
