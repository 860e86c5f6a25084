"""Fixtures that more than one folder of tests needs: API servers, a proxy with faults, kubectl, Azurite.

Their methods are described in testbed/servers.py, testbed/fault_proxy.py and
receivers/local/azurite/emulator.py.
"""

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from receivers.local.azurite import Azurite, Unavailable
from receivers.settings import Settings
from receivers.storage.account import Storage
from testbed.fault_proxy import FaultProxy
from testbed.servers import (
    HOW_TO_GET_A_REAL_SERVER,
    ApiServer,
    embedded_server,
    real_programs,
    real_server,
)
from tests import sharing
from tests.asyncio_log import AsyncioLog
from tests.cluster.kubectl import HOW_TO_GET_KUBECTL, Kubectl
from tests.time_limit import TimeLimit


def pytest_configure(config: pytest.Config) -> None:
    # Programs that tests end by Ctrl-C inherit that it is ignored, as it is in what a shell runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same below nohup
    config.pluginmanager.register(TimeLimit())
    config.pluginmanager.register(AsyncioLog())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sharing.prepare(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> sharing.Shares:
    config.option.loadscopereorder = False
    return sharing.Shares(config, log)


@pytest.fixture(scope="session")
def running_embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = embedded_server(tmp_path_factory.mktemp("embedded"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def running_real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    programs = real_programs()
    if programs is None:
        pytest.skip(HOW_TO_GET_A_REAL_SERVER)
    server = real_server(tmp_path_factory.mktemp("real"), programs)
    yield server
    server.close()


@pytest.fixture(params=["embedded", "real"])
def chosen_server(request: pytest.FixtureRequest) -> ApiServer:
    server: ApiServer = request.getfixturevalue(f"running_{request.param}_server")
    return server


@pytest.fixture
async def api_server(chosen_server: ApiServer) -> ApiServer:
    """An empty API server; the test runs against the embedded one and against the real one."""
    await chosen_server.clean()
    return chosen_server


@pytest.fixture
async def real_api_server(running_real_server: ApiServer) -> ApiServer:
    """An empty kube-apiserver."""
    await running_real_server.clean()
    return running_real_server


@pytest.fixture
async def embedded_api_server(running_embedded_server: ApiServer) -> ApiServer:
    """An empty embedded API server."""
    await running_embedded_server.clean()
    return running_embedded_server


@pytest.fixture
async def fault_proxy(api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    """A proxy in front of ``api_server``, which does as the test tells it."""
    async with FaultProxy(api_server.url, ca_file=api_server.ca_file) as proxy:
        yield proxy


@pytest.fixture
def kubectl(api_server: ApiServer) -> Kubectl:
    """kubectl with the admin's rights on ``api_server``."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip(HOW_TO_GET_KUBECTL)
    return Kubectl(program, api_server.kubeconfig("admin"))


@pytest.fixture(scope="session")
def running_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    try:
        azurite = Azurite(tmp_path_factory.mktemp("azurite"))
    except Unavailable as unavailable:
        pytest.skip(str(unavailable))
    yield azurite
    asyncio.run(azurite.kill())


@pytest.fixture
async def azurite(running_azurite: Azurite) -> Azurite:
    """An emulated Storage account without queues and tables; ``connection_string`` tells where. It runs."""
    from testbed.storage import empty  # noqa: PLC0415 - Azure's libraries take half a second to import

    await running_azurite.start()
    await empty(running_azurite.connection_string)
    return running_azurite


@pytest.fixture
async def storage(azurite: Azurite) -> AsyncIterator[Storage]:
    """An empty Storage account, as the service uses it."""
    storage = Storage(Settings(storage_connection=azurite.connection_string))
    yield storage
    await storage.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, object, object]:
    """Says in the last lines what did not run here, and how to have it run."""
    result = yield
    reasons = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    if reasons:
        terminalreporter.section("not run here", yellow=True)
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count} skipped: {reason}")
    return result


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
