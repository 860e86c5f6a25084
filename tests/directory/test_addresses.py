"""The URLs of receivers, and why some have none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from receivers.directory.addresses import Address, addresses, masked, ordered
from receivers.events import Receiver
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, cluster_config, project_config, secret, secret_of
from testbed.servers import ApiServer
from tests.directory.test_directory import SYSTEM, Known, knowing

HOOK = Hook()
BASE = "https://kargo.example.com/base"


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """Addresses do not care which API server it is."""
    return running_embedded_server


@asynccontextmanager
async def reading(server: ApiServer, proxy: FaultProxy, *, read_secrets: bool = True) -> AsyncIterator[Known]:
    """A directory that knows the receivers."""
    async with knowing(server, proxy, read_secrets=read_secrets) as known:
        await known.mirror.receivers_ready()
        yield known


@pytest.fixture
async def known(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Known]:
    """A directory for a project with one receiver."""
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    async with reading(api_server, fault_proxy) as directory:
        yield directory


async def only(known: Known) -> Address:
    (found,) = await addresses(known.directory)
    return found


async def test_a_receivers_url_ends_in_its_token(known: Known) -> None:
    address = await only(known)
    assert address.url(BASE) == BASE + HOOK.path
    assert address.url(BASE, provider="acr") == BASE + HOOK.path.replace("azure", "acr")
    assert address.secret == HOOK.secret.encode()
    assert address.problem == ""
    assert HOOK.token not in repr(address)
    assert HOOK.secret not in repr(address)


async def test_during_a_rotation_it_is_the_url_of_the_present_secret(known: Known, api_server: ApiServer) -> None:
    await api_server.apply(secret(HOOK.secret_name, {"secret": "present", "secret-previous": HOOK.secret}))
    address = await only(known)
    assert address.url(BASE) == BASE + replace(HOOK, secret="present").path
    assert address.secret == b"present"


async def test_the_cluster_s_own_receivers_come_first(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    everywhere, last = Hook(name="z", project=None), Hook(name="z")
    await api_server.apply(
        cluster_config([everywhere]), secret_of(everywhere, namespace=SYSTEM), project_config([last, HOOK])
    )
    async with reading(api_server, fault_proxy) as known:
        found = [Address(receiver=each).name for each in ordered(known.directory)]
        assert found == ["(cluster)/z", f"{PROJECT}/builds", f"{PROJECT}/z"]


async def test_where_secrets_may_not_be_read_the_url_is_the_published_one(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.apply(project_config([HOOK, Hook(name="new")], published=[HOOK]))
    async with reading(api_server, fault_proxy, read_secrets=False) as known:
        published, new = await addresses(known.directory)
    assert (published.url(BASE), published.secret, published.problem) == (BASE + HOOK.path, b"", "")
    assert new.url(BASE) == ""
    assert new.problem == "its Secret may not be read, and Kargo has published no URL"


async def test_a_secret_that_cannot_be_read_says_why(known: Known, fault_proxy: FaultProxy) -> None:
    fault_proxy.answer(422, times=None, path="/secrets/")
    address = await only(known)
    assert address.url(BASE) == ""
    assert address.problem == "its Secret cannot be read: 422 told by the test"


async def test_a_secret_is_waited_for_as_long_as_there_is_time(known: Known, fault_proxy: FaultProxy) -> None:
    fault_proxy.hang(path="/secrets/")
    (address,) = await addresses(known.directory, within=0.1)
    assert address.problem == "its Secret could not be read in time"


async def test_a_kind_that_is_not_served_has_no_url(known: Known) -> None:
    stranger = Receiver(provider="nobody", name="builds", project=PROJECT, source="ProjectConfig kargo-demo")
    (address,) = await addresses(known.directory, [stranger])
    assert address.problem == "receivers of kind nobody are not served"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://kargo.example.com/azure/0123456789", "https://kargo.example.com/azure/0123…"),
        ("https://kargo.example.com/azure/0123456789/?a=/b#c", "https://kargo.example.com/azure/0123…"),
        ("https://kargo.example.com/azure/0123456789#a?b", "https://kargo.example.com/azure/0123…"),
        ("0123456789", "0123…"),
        ("", ""),
    ],
)
def test_of_a_url_that_is_shown_the_token_is_not(url: str, shown: str) -> None:
    assert masked(url) == shown
