"""The embedded cluster: a store filled from YAML, its API on a port, and the stand-in for Kargo's controllers."""

import asyncio
import socket
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import uvicorn
import yaml

from receivers.local.embedded.api import Api, Denial
from receivers.local.embedded.kargo import Controllers, Discover
from receivers.local.embedded.resources import BY_KIND, NAMESPACES
from receivers.local.embedded.store import Store

SAMPLES = Path(__file__).parent.parent / "sample"
DEMO = SAMPLES / "demo.yaml"  # a project with three receivers
BROKEN = SAMPLES / "broken.yaml"  # one with everything wrong that can be


class EmbeddedCluster:
    """A Kubernetes API for trying the service, without TLS and without users. Its objects live as long as it does.

    ``objects``: what it holds at first, status included; namespaces they need are made. ``base_url``: writes the status
    of webhook receivers as Kargo does, with URLs under this one. ``echo_after``: answers a refresh by
    ``status.lastHandledRefresh`` so many seconds later. ``discover``: what Warehouses then find. ``denied``: what
    nobody may do.

    Use it by ``async with``, or by :meth:`start` and :meth:`stop`.
    """

    def __init__(
        self,
        objects: Iterable[Mapping[str, Any]] = (),
        *,
        base_url: str | None = None,
        echo_after: float | None = None,
        discover: Discover | None = None,
        denied: Collection[Denial] = (),
    ) -> None:
        self.store = Store()
        self.url = ""
        self._app = Api(self.store, denied=denied)
        self._controllers = Controllers(self.store, base_url=base_url, echo_after=echo_after, discover=discover)
        self._running = AsyncExitStack()
        for each in objects:
            self._add(dict(each))

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serves; returns the URL. Port 0 takes a free one. Raises OSError when the port is taken."""
        listener = _listener(host, port)
        self.url = f"http://{host}:{listener.getsockname()[1]}"
        await self._running.enter_async_context(self._controllers)
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        return self.url

    async def stop(self) -> None:
        """Ends watches and connections, and returns when all is closed."""
        self.store.close()
        self._server.should_exit = True
        await self._serving
        await self._running.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _add(self, each: dict[str, Any]) -> None:
        try:
            resource = BY_KIND[each["apiVersion"], each["kind"]]
        except KeyError:
            raise ValueError(f"the embedded cluster has no {each.get('apiVersion')} {each.get('kind')}") from None
        namespace = each["metadata"].get("namespace", "") if resource.namespaced else ""
        for missing in {namespace} - {"", *(found["metadata"]["name"] for found in self.store.every(NAMESPACES))}:
            self.store.create(NAMESPACES, "", {"metadata": {"name": missing}})
        self.store.create(resource, namespace, each)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals to whoever runs the loop."""
        yield


def _listener(host: str, port: int) -> socket.socket:
    # asyncio turns off Nagle's algorithm, which delays answers by 40 ms, only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def documents(*files: Path) -> list[dict[str, Any]]:
    """The objects of YAML files. Raises OSError and yaml.YAMLError."""
    return [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each]
