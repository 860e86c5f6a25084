"""Which certificates of an API server are trusted: those that kubectl trusts, and no others."""

from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import yaml

from receivers.cluster.api import Api, UnreachableError
from receivers.cluster.credentials import Connection, connect
from receivers.settings import Settings
from testbed.servers import PLAIN_NAME, RealServer

TIMEOUT = 20.0  # seconds, for calls that are answered
TOKEN = "token-of-kargo-receivers"


class Way(Protocol):
    """A way to an API server."""

    def __call__(self, server: RealServer, *, authority: Path, name: str, folder: Path) -> Awaitable[Connection]:
        """The connection, for a server of this name that this authority vouches for."""


async def by_settings(server: RealServer, *, authority: Path, name: str, folder: Path) -> Connection:
    """A connection as CLUSTER_SERVER, CLUSTER_TOKEN and CLUSTER_CA make it, for a server of this name."""
    settings = Settings(cluster_server=server.url, cluster_token=TOKEN, cluster_ca=authority.read_text())  # noqa: ASYNC240 - one small file
    return replace(await connect(settings, {}), tls_server_name=name)


async def by_kubeconfig(server: RealServer, *, authority: Path, name: str, folder: Path) -> Connection:
    """The same by a kubeconfig."""
    file = kubeconfig(server, authority=authority, name=name, folder=folder)
    return await connect(Settings(kubeconfig=str(file)), {})


WAYS = pytest.mark.parametrize("way", [by_settings, by_kubeconfig])


def kubeconfig(server: RealServer, *, authority: Path, name: str, folder: Path) -> Path:
    document = yaml.safe_load(server.kubeconfig("kargo-receivers").read_text())
    cluster = {"server": server.url, "certificate-authority": str(authority), "tls-server-name": name}
    document["clusters"] = [{"name": "tests", "cluster": cluster}]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


async def version(connection: Connection) -> bytes:
    api = Api(connection)
    try:
        return await api.get("/version", timeout=TIMEOUT)
    finally:
        await api.close()


@WAYS
async def test_an_authority_without_key_identifiers_is_trusted(
    real_api_server: RealServer, tmp_path: Path, way: Way
) -> None:
    authority = real_api_server.plain_authority.certificate
    connection = await way(real_api_server, authority=authority, name=PLAIN_NAME, folder=tmp_path)
    assert b"gitVersion" in await version(connection)


@WAYS
async def test_a_certificate_of_another_authority_is_not(real_api_server: RealServer, tmp_path: Path, way: Way) -> None:
    authority = real_api_server.plain_authority.certificate
    connection = await way(real_api_server, authority=authority, name="localhost", folder=tmp_path)
    with pytest.raises(UnreachableError, match="not trusted"):
        await version(connection)


@WAYS
async def test_a_certificate_for_another_name_is_not(real_api_server: RealServer, tmp_path: Path, way: Way) -> None:
    authority = real_api_server.ca_file
    assert authority is not None
    connection = await way(real_api_server, authority=authority, name="elsewhere.test", folder=tmp_path)
    with pytest.raises(UnreachableError, match="not trusted"):
        await version(connection)
