"""Kubeconfigs as people have them: tokens, token files, client certificates, exec plugins, contexts, and mistakes."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from receivers import limits
from receivers.cluster import credentials, kubeconfig
from receivers.cluster.api import KARGO, Api, RefusedError
from receivers.cluster.credentials import Connection, CredentialsError
from receivers.settings import Settings
from testbed.certificates import Authority
from testbed.fault_proxy import FaultProxy
from testbed.servers import ApiServer, RealServer
from testbed.waiting import eventually

WAREHOUSES = f"{KARGO}/warehouses"
TIMEOUT = 20.0  # seconds, for calls that are answered
CANARY = "canary-secret"

type User = dict[str, Any]


def write(folder: Path, cluster: dict[str, Any], user: User | None, *, context: str = "tests") -> Path:
    """A kubeconfig with one context."""
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}] if user is not None else [],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def plugin(folder: Path, *, prints: str = "", fails: bool = False) -> User:
    """A user whose exec plugin prints the content of the file ``credential``, and counts its runs in ``runs``."""
    program = folder / "plugin"
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "with (folder / 'runs').open('a') as runs: runs.write('.')\n"
        f"print({prints!r} or (folder / 'credential').read_text())\n"
        f"print({CANARY!r}, file=sys.stderr)\n"
        f"sys.exit({int(fails)})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}}


def give(folder: Path, **status: str) -> None:
    """What the plugin prints from now on."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    (folder / "credential").write_text(json.dumps(credential))


def runs(folder: Path) -> int:
    """How often the plugin ran."""
    return len((folder / "runs").read_text())


async def lists_warehouses(connection: Connection) -> bool:
    """Whether the connection's user may list Warehouses."""
    api = Api(connection)
    try:
        await api.get(WAREHOUSES, timeout=TIMEOUT)
    except RefusedError:
        return False
    finally:
        await api.close()
    return True


async def refusal(path: Path, *, context: str | None = None) -> str:
    """The text of the error that the file makes; it quotes nothing secret."""
    with pytest.raises(CredentialsError) as refused:
        await kubeconfig.connect(str(path), context=context)
    assert CANARY not in str(refused.value)
    return str(refused.value)


# Who one is


async def test_a_token(api_server: ApiServer) -> None:
    connection = await kubeconfig.connect(str(api_server.kubeconfig("kargo-receivers")), context=None)
    assert await connection.authorization.header() == "Bearer token-of-kargo-receivers"
    assert await lists_warehouses(connection)


async def test_a_token_of_somebody_without_rights(real_api_server: RealServer) -> None:
    connection = await kubeconfig.connect(str(real_api_server.kubeconfig("nobody")), context=None)
    assert not await lists_warehouses(connection)


async def test_a_client_certificate(real_api_server: RealServer) -> None:
    path = real_api_server.kubeconfig("kargo-receivers", certificate=True)
    connection = await kubeconfig.connect(str(path), context=None)
    assert await connection.authorization.header() is None
    assert await lists_warehouses(connection)


async def test_a_client_certificate_of_somebody_without_rights(real_api_server: RealServer) -> None:
    path = real_api_server.kubeconfig("nobody", certificate=True)
    assert not await lists_warehouses(await kubeconfig.connect(str(path), context=None))


async def test_a_token_file_is_read_again(
    real_api_server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KUBECONFIG_FRESH", -1.0)
    (tmp_path / "token").write_text("token-of-kargo-receivers")
    cluster = {"server": real_api_server.url, "certificate-authority": str(real_api_server.ca_file)}
    path = write(tmp_path, cluster, {"tokenFile": "token"})
    connection = await kubeconfig.connect(str(path), context=None)
    assert await connection.authorization.header() == "Bearer token-of-kargo-receivers"
    (tmp_path / "token").write_text("token-of-nobody")
    assert await connection.authorization.header() == "Bearer token-of-nobody"


async def test_a_user_name_and_password(tmp_path: Path) -> None:
    path = write(tmp_path, {"server": "https://127.0.0.1:6443"}, {"username": "u", "password": "p"})
    connection = await kubeconfig.connect(str(path), context=None)
    assert await connection.authorization.header() == "Basic dTpw"


async def test_no_user_at_all_over_plain_http(tmp_path: Path, embedded_api_server: ApiServer) -> None:
    path = write(tmp_path, {"server": embedded_api_server.url + "/"}, None)
    connection = await kubeconfig.connect(str(path), context=None)
    assert connection.server == embedded_api_server.url
    assert connection.tls is None
    assert await lists_warehouses(connection)


# Exec plugins


async def test_an_exec_plugin_is_asked_once_for_all_the_connection_needs(
    real_api_server: RealServer, tmp_path: Path
) -> None:
    give(tmp_path, token="token-of-kargo-receivers")
    cluster = {"server": real_api_server.url, "certificate-authority": str(real_api_server.ca_file)}
    connection = await kubeconfig.connect(str(write(tmp_path, cluster, plugin(tmp_path))), context=None)
    assert await lists_warehouses(connection)
    assert runs(tmp_path) == 1


async def test_an_exec_plugin_is_asked_again_when_its_token_is_rejected(
    real_api_server: RealServer, tmp_path: Path
) -> None:
    give(tmp_path, token="expired")
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        path = write(tmp_path, {"server": proxy.url}, plugin(tmp_path))
        connection = await kubeconfig.connect(str(path), context=None)
        give(tmp_path, token="token-of-kargo-receivers")
        assert await lists_warehouses(connection)
        assert [each.user for each in proxy.requests] == ["expired", "token-of-kargo-receivers"]
    assert runs(tmp_path) == 2


async def test_an_exec_plugin_is_asked_again_in_time_and_no_request_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KUBECONFIG_FRESH", 1e-9)
    give(tmp_path, token="first")
    connection = await kubeconfig.connect(
        str(write(tmp_path, {"server": "https://127.0.0.1:1"}, plugin(tmp_path))), context=None
    )
    monkeypatch.setattr(limits, "KUBECONFIG_FRESH", 3600.0)
    give(tmp_path, token="second")
    user = connection.authorization
    user._expires_at = float("inf")  # type: ignore[attr-defined] # the first one is old, and still good
    assert await user.header() == "Bearer first"
    await eventually(lambda: runs(tmp_path) == 2)
    await user._renewal.result()  # type: ignore[attr-defined] # what runs behind the scenes
    assert await user.header() == "Bearer second"


async def test_a_client_certificate_from_an_exec_plugin(real_api_server: RealServer, tmp_path: Path) -> None:
    certificate, key = real_api_server._authority.client("kargo-receivers")
    give(tmp_path, clientCertificateData=certificate.read_text(), clientKeyData=key.read_text())
    cluster = {"server": real_api_server.url, "certificate-authority": str(real_api_server.ca_file)}
    connection = await kubeconfig.connect(str(write(tmp_path, cluster, plugin(tmp_path))), context=None)
    assert await lists_warehouses(connection)


@pytest.mark.parametrize(
    ("prints", "fails"),
    [
        (json.dumps({"status": {"token": CANARY}}), True),
        (json.dumps({"status": {"token": CANARY}}), False),
        (json.dumps({"apiVersion": "v1", "kind": "ExecCredential", "status": {"token": CANARY}}), False),
        (json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {}}), False),
        (CANARY, False),
    ],
    ids=["fails", "no version", "another version", "no token", "no JSON"],
)
async def test_an_exec_plugin_that_gives_no_credential(tmp_path: Path, prints: str, *, fails: bool) -> None:
    path = write(tmp_path, {"server": "https://127.0.0.1:6443"}, plugin(tmp_path, prints=prints, fails=fails))
    text = await refusal(path)
    assert text == "KUBECONFIG: the context's user yields no credential; its exec plugin may have failed"


async def test_an_exec_plugin_that_does_not_exist(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(tmp_path / "none")}}
    assert "exec plugin" in await refusal(write(tmp_path, {"server": "https://127.0.0.1:6443"}, user))


async def test_an_exec_plugin_that_fails_later_leaves_the_credential_that_is_still_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    give(tmp_path, token="first")
    path = write(tmp_path, {"server": "https://127.0.0.1:6443"}, plugin(tmp_path))
    connection = await kubeconfig.connect(str(path), context=None)
    plugin(tmp_path, fails=True)
    user = connection.authorization
    user._renew_at = 0.0  # type: ignore[attr-defined] # half its time is over
    headers = [await user.header() for _ in range(20)]
    await user._renewal.ended()  # type: ignore[attr-defined] # what runs behind the scenes
    headers += [await user.header() for _ in range(20)]
    assert set(headers) == {"Bearer first"}
    assert runs(tmp_path) == 2
    assert [each.message for each in caplog.records if each.name == "receivers.cluster.credentials"] == [
        "cannot renew the cluster credential: KUBECONFIG: the context's user yields no credential; "
        "its exec plugin may have failed"
    ]


# Which cluster


async def test_the_context_can_be_chosen(tmp_path: Path) -> None:
    document = {
        "current-context": "one",
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in ("one", "two")],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com"}} for name in ("one", "two")],
        "users": [{"name": name, "user": {"token": name}} for name in ("one", "two")],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    chosen = [await kubeconfig.connect(str(path), context=context) for context in (None, "one", "two")]
    assert [each.server for each in chosen] == [f"https://{name}.example.com" for name in ("one", "one", "two")]
    assert [await each.authorization.header() for each in chosen] == ["Bearer one", "Bearer one", "Bearer two"]


async def test_a_proxy_and_a_server_name_are_taken_over(tmp_path: Path) -> None:
    cluster = {
        "server": "https://10.0.0.1",
        "proxy-url": "http://proxy.example.com:3128",
        "tls-server-name": "kubernetes",
    }
    connection = await kubeconfig.connect(str(write(tmp_path, cluster, {"token": "t"})), context=None)
    assert connection.proxy == "http://proxy.example.com:3128"
    assert connection.tls_server_name == "kubernetes"


async def test_a_certificate_need_not_be_trusted_where_the_file_says_so(
    real_api_server: RealServer, tmp_path: Path
) -> None:
    cluster = {"server": real_api_server.url, "insecure-skip-tls-verify": True}
    connection = await kubeconfig.connect(
        str(write(tmp_path, cluster, {"token": "token-of-kargo-receivers"})), context=None
    )
    assert await lists_warehouses(connection)


@pytest.mark.parametrize(
    "cluster",
    [
        {"server": "http://api.example.com:6443"},
        {"server": "http://localhost.example:8001"},
        {"server": "http://127.0.0.1:8001", "proxy-url": "http://proxy.example.com:3128"},
    ],
)
async def test_a_token_is_not_sent_in_clear(tmp_path: Path, cluster: dict[str, Any]) -> None:
    """Neither kubectl does it: it goes on without."""
    assert await refusal(write(tmp_path, cluster, {"token": CANARY})) == (
        "KUBECONFIG: the server's URL must start with https://, since the user's token is sent there; "
        "http:// is for this machine alone"
    )
    anonymous = await kubeconfig.connect(str(write(tmp_path, cluster, {})), context=None)
    assert await anonymous.authorization.header() is None


async def test_a_token_that_comes_later_is_not_sent_to_where_there_was_no_need_of_one(tmp_path: Path) -> None:
    path = write(tmp_path, {"server": "http://api.example.com:6443"}, {})
    connection = await kubeconfig.connect(str(path), context=None)
    write(tmp_path, {"server": "https://api.example.com:6443"}, {"token": CANARY})
    user = connection.authorization
    user._expires_at = 0.0  # type: ignore[attr-defined] # its time is over
    with pytest.raises(CredentialsError, match="sent there"):
        await user.header()


async def test_a_token_may_go_to_a_process_of_this_machine(tmp_path: Path) -> None:
    for server in ("http://127.0.0.1:8001", "http://[::1]:8001", "http://localhost:8001"):
        connection = await kubeconfig.connect(str(write(tmp_path, {"server": server}, {"token": "t"})), context=None)
        assert await connection.authorization.header() == "Bearer t"


# Mistakes


async def test_a_file_that_is_missing(tmp_path: Path) -> None:
    assert await refusal(tmp_path / "missing") == f"KUBECONFIG: there is no such file: {tmp_path / 'missing'}"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a: [",
        CANARY,
        "[]",
        "\x00",
        f"users: [{{name: u, user: {{token: {CANARY}}}}}]",
        f"current-context: a\ncontexts: {CANARY}",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c}]",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: 7}]",
    ],
)
async def test_a_file_that_is_garbled(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    assert (await refusal(path)).startswith("KUBECONFIG: ")


async def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    assert (await refusal(path)).startswith("KUBECONFIG: ")


async def test_a_context_that_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, {"server": "https://127.0.0.1"}, {"token": CANARY})
    assert "other" in await refusal(path, context="other")


async def test_a_user_that_is_missing(tmp_path: Path) -> None:
    assert (await refusal(write(tmp_path, {"server": "https://127.0.0.1"}, None))).startswith("KUBECONFIG: ")


@pytest.mark.parametrize("key", ["certificate-authority", "certificate-authority-data"])
async def test_an_authority_that_is_none(tmp_path: Path, key: str) -> None:
    (tmp_path / "ca").write_text(CANARY)
    value = "ca" if key == "certificate-authority" else "Y2FuYXJ5LXNlY3JldA=="
    path = write(tmp_path, {"server": "https://127.0.0.1", key: value}, {"token": CANARY})
    assert (await refusal(path)).startswith("KUBECONFIG: ")


@pytest.mark.parametrize(
    "user", [{"client-certificate": "none", "client-key": "none"}, {"client-certificate-data": "QQ=="}]
)
async def test_a_client_certificate_that_is_none(tmp_path: Path, user: User) -> None:
    path = write(tmp_path, {"server": "https://127.0.0.1"}, user)
    assert (await refusal(path)).startswith("KUBECONFIG: ")


async def test_an_encrypted_key_is_not_asked_for_at_the_terminal(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(CANARY.encode()),
    )
    certificate, _ = Authority(tmp_path).client("u")
    (tmp_path / "key").write_bytes(encrypted)
    user = {"client-certificate": str(certificate), "client-key": str(tmp_path / "key")}
    text = await refusal(write(tmp_path, {"server": "https://127.0.0.1"}, user))
    assert text == "KUBECONFIG: a certificate or a key cannot be read as PEM"


# Where it is


async def test_of_several_files_those_that_are_there_count(api_server: ApiServer, tmp_path: Path) -> None:
    there = api_server.kubeconfig("kargo-receivers")
    connection = await kubeconfig.connect(f"{tmp_path / 'missing'}:{there}", context=None)
    assert await lists_warehouses(connection)


async def test_without_any_setting_it_is_looked_for_where_kubectl_looks(api_server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(api_server.kubeconfig("kargo-receivers").read_text())
    assert await lists_warehouses(await credentials.connect(Settings(), {"HOME": str(tmp_path)}))


async def test_nothing_is_found_in_an_empty_home(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="no cluster is configured"):
        await credentials.connect(Settings(), {"HOME": str(tmp_path)})
