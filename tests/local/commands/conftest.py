"""The sample, served for as long as a file of tests takes, and commands that know of it."""

from collections.abc import Iterator

import pytest

from testbed.processes import free_port
from tests.local.commands.running import NOTHING_SET, Serving, serving
from tests.pages.sites import Site, running_site, running_store


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """``kargo-receivers serve --embedded``, ready."""
    with serving(tmp_path_factory.mktemp("serve"), "--embedded", "--port", str(free_port())) as sample:
        sample.line("ready on ")
        yield sample


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of this process, without any setting; the test sets what it needs."""
    for variable, nothing in NOTHING_SET.items():
        monkeypatch.setenv(variable, nothing)
    return monkeypatch


@pytest.fixture
def in_sample(sample: Serving, settings: pytest.MonkeyPatch) -> Serving:
    """The sample, as the cluster and the service of commands in this process."""
    settings.setenv("KUBECONFIG", sample.kubeconfig)
    settings.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", sample.url)
    return sample


@pytest.fixture(scope="package")
def running_recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The sample with a journal, behind a key."""
    with (
        running_store(tmp_path_factory.mktemp("azurite")) as store,
        running_site(tmp_path_factory.mktemp("serve"), store, PAGES_KEY="key-of-the-pages") as site,
    ):
        yield site


@pytest.fixture
def recorder(running_recorder: Site, settings: pytest.MonkeyPatch) -> Site:
    """The same, as the service of commands in this process."""
    settings.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", running_recorder.url)
    settings.setenv("PAGES_KEY", "key-of-the-pages")
    return running_recorder
