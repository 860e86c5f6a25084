"""What the tests of cluster/ share: the API as the service uses it, through the proxy with faults."""

import ssl
from collections.abc import AsyncIterator

import pytest

from receivers.cluster.api import Api
from receivers.cluster.availability import Availability
from receivers.cluster.credentials import Connection, FixedHeader
from receivers.cluster.refresher import Refresher
from testbed.fault_proxy import FaultProxy
from testbed.servers import ApiServer, RealServer


def connect(server: ApiServer, url: str, *, user: str = "kargo-receivers") -> Api:
    """The API as a user of the server, over plain HTTP to a proxy in front of it."""
    return Api(Connection(server=url, tls=None, authorization=FixedHeader(f"Bearer {server.token(user)}")))


@pytest.fixture
async def api(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Api]:
    """The API with the least privileges, through ``fault_proxy``."""
    api = connect(api_server, fault_proxy.url)
    yield api
    await api.close()


@pytest.fixture
async def real_api(real_api_server: RealServer) -> AsyncIterator[Api]:
    """The API of a real server with the least privileges, and nothing in between."""
    tls = ssl.create_default_context(cafile=real_api_server.ca_file)
    authorization = FixedHeader(f"Bearer {real_api_server.token('kargo-receivers')}")
    api = Api(Connection(server=real_api_server.url, tls=tls, authorization=authorization))
    yield api
    await api.close()


@pytest.fixture
async def availability(api: Api) -> AsyncIterator[Availability]:
    """Whether the cluster is there, as far as the test's calls tell."""
    availability = Availability(api)
    yield availability
    await availability.close()


@pytest.fixture
async def refresher(api: Api, availability: Availability) -> AsyncIterator[Refresher]:
    """A refresher that stops with the test."""
    refresher = Refresher(api, availability)
    yield refresher
    await refresher.close(grace=0)
