"""``kargo-receivers serve --embedded`` with a Storage account, so that it has a journal and a retry queue."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from receivers.local.azurite import Azurite, Unavailable
from testbed.processes import free_port
from tests.local.commands.running import Serving, serving


@dataclass(frozen=True, slots=True)
class Site:
    """A running service, and where it keeps its journal."""

    serving: Serving
    store: Azurite

    @property
    def url(self) -> str:
        return self.serving.url

    def receiver(self, provider: str) -> str:
        """The URL of a receiver, as the service printed it."""
        return next(curl.split()[-1] for curl in self.serving.curls if f"/{provider}/" in curl)


@contextmanager
def running_store(folder: Path) -> Iterator[Azurite]:
    """A Storage account that no other tests use. Skips the test where there can be none."""
    try:
        azurite = Azurite(folder)
    except Unavailable as unavailable:
        pytest.skip(str(unavailable))
    asyncio.run(azurite.start())
    yield azurite
    asyncio.run(azurite.kill())


@contextmanager
def running_site(folder: Path, store: Azurite, **settings: str) -> Iterator[Site]:
    """The sample, served and ready."""
    settings = {"AzureWebJobsStorage": store.connection_string, **settings}
    with serving(folder, "--embedded", "--port", str(free_port()), **settings) as running:
        running.line("ready on ")
        yield Site(running, store)
