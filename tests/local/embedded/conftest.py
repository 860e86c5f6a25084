"""The embedded API in a thread of the test run, so that what its tests reach is counted."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from receivers.local.embedded import EmbeddedCluster
from testbed.servers import ApiServer


class EmbeddedInThread(ApiServer):
    """An embedded API that no test can stop or pause."""

    name = "embedded"
    supports = frozenset[str]()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._cluster = EmbeddedCluster()
        self.url = asyncio.run_coroutine_threadsafe(self._cluster.start(port=self.port), self._loop).result()

    def launch(self) -> None:
        """It runs already."""

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cluster.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="session")
def running_embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = EmbeddedInThread(tmp_path_factory.mktemp("embedded-in-thread"))
    yield server
    server.close()
