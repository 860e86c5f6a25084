"""The shapes app, in this process: the worker library, a socket, and nothing pretended."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from receivers.local.host import FunctionHost
from testbed.host import SHAPES, SHAPES_SETTINGS, served


@pytest.fixture
def shapes_host() -> FunctionHost:
    """A host that is not started."""
    return FunctionHost(SHAPES, settings=SHAPES_SETTINGS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shapes() -> AsyncIterator[str]:
    """The URL of a host that serves."""
    async with served(FunctionHost(SHAPES, settings=SHAPES_SETTINGS)) as url:
        yield url
