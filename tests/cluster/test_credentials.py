"""Ways to the cluster: which one is taken, and how each renews itself."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from receivers import limits
from receivers.cluster import credentials
from receivers.cluster.api import KARGO, Api, RefusedError, UnreachableError
from receivers.cluster.credentials import (
    AzureIdentity,
    Connection,
    CredentialsError,
    FixedHeader,
    RenewedHeader,
    TokenFile,
    connect,
)
from receivers.settings import AKS_SERVER_APPLICATION, Settings
from testbed.fault_proxy import FaultProxy
from testbed.servers import ApiServer, RealServer
from testbed.waiting import eventually, turns
from tests.cluster.identity_endpoint import SECRET_HEADER, IdentityEndpoint

WAREHOUSES = f"{KARGO}/warehouses"
TIMEOUT = 20.0  # seconds, for calls that are answered
TOKEN = "token-of-kargo-receivers"


async def reads(connection: Connection) -> bool:
    """Whether the connection's user may list Warehouses."""
    api = Api(connection)
    try:
        await api.get(WAREHOUSES, timeout=TIMEOUT)
    except RefusedError:
        return False
    finally:
        await api.close()
    return True


class Now:
    """time.time() as the credentials see it."""

    now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    now = Now()
    monkeypatch.setattr(credentials, "time", now)
    return now


# Which way


async def test_a_kubeconfig_comes_first(api_server: ApiServer) -> None:
    settings = Settings(
        kubeconfig=str(api_server.kubeconfig("kargo-receivers")), cluster_server="https://x", cluster_token="t"
    )
    connection = await connect(settings, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert connection.server == api_server.url
    assert await reads(connection)


async def test_a_server_and_a_token(real_api_server: RealServer) -> None:
    authority = real_api_server.ca_file
    assert authority is not None
    pem = authority.read_text()
    for text in (pem, pem.replace("\n", "\\n"), base64.b64encode(pem.encode()).decode()):
        settings = Settings(cluster_server=real_api_server.url, cluster_token=TOKEN, cluster_ca=text)
        assert await reads(await connect(settings, {}))


async def test_a_token_that_is_not_known(real_api_server: RealServer) -> None:
    authority = real_api_server.ca_file
    assert authority is not None
    settings = Settings(cluster_server=real_api_server.url, cluster_token="wrong", cluster_ca=authority.read_text())
    assert not await reads(await connect(settings, {}))


async def test_a_server_without_an_authority_is_trusted_as_the_system_says(real_api_server: RealServer) -> None:
    api = Api(await connect(Settings(cluster_server=real_api_server.url, cluster_token=TOKEN), {}))
    with pytest.raises(UnreachableError, match="not trusted"):
        await api.get(WAREHOUSES, timeout=TIMEOUT)
    await api.close()


async def test_a_server_alone_means_aks_with_a_managed_identity() -> None:
    connection = await connect(Settings(cluster_server="https://aks.example.com"), {})
    assert isinstance(connection.authorization, AzureIdentity)


@pytest.mark.parametrize("authority", ["no PEM", "bm8gUEVN", "w6k=", "-----BEGIN CERTIFICATE-----\nx"])
async def test_an_authority_that_is_none(authority: str) -> None:
    settings = Settings(cluster_server="https://127.0.0.1", cluster_token=TOKEN, cluster_ca=authority)
    with pytest.raises(CredentialsError) as refused:
        await connect(settings, {})
    assert str(refused.value) == "CLUSTER_CA: neither a PEM certificate nor base64 of one"


async def test_a_plain_http_server_needs_no_authority(embedded_api_server: ApiServer) -> None:
    connection = await connect(Settings(cluster_server=embedded_api_server.url, cluster_token=TOKEN), {})
    assert connection.tls is None
    assert await reads(connection)


async def test_nothing_configured_names_the_settings() -> None:
    with pytest.raises(CredentialsError, match=r"KUBECONFIG.*CLUSTER_SERVER.*CLUSTER_TOKEN"):
        await connect(Settings(), {})


async def test_a_connection_does_not_show_its_token() -> None:
    connection = await connect(Settings(cluster_server="http://x", cluster_token="canary"), {})
    assert "canary" not in repr(connection)


# In a pod


@pytest.fixture
def pod(real_api_server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a pod, whose ServiceAccount's files are in ``tmp_path``."""
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    assert real_api_server.ca_file is not None
    (tmp_path / "ca.crt").write_text(real_api_server.ca_file.read_text())
    (tmp_path / "token").write_text(TOKEN + "\n")
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(real_api_server.port)}


async def test_a_pod_uses_its_service_account(pod: dict[str, str]) -> None:
    assert await reads(await connect(Settings(), pod))


async def test_a_pod_reads_its_token_again(pod: dict[str, str], tmp_path: Path, now: Now) -> None:
    connection = await connect(Settings(), pod)
    assert await connection.authorization.header() == f"Bearer {TOKEN}"
    (tmp_path / "token").write_text("newer")
    now.now += limits.TOKEN_FILE_FRESH
    assert await connection.authorization.header() == "Bearer newer"


async def test_a_pod_reads_its_token_again_when_it_is_rejected(pod: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("expired")
    connection = await connect(Settings(cluster_authentication="in-cluster"), pod)
    assert await connection.authorization.header() == "Bearer expired"
    (tmp_path / "token").write_text(TOKEN)
    assert await reads(connection)


async def test_a_pod_of_which_the_token_vanishes(pod: dict[str, str], tmp_path: Path) -> None:
    connection = await connect(Settings(), pod)
    (tmp_path / "token").unlink()
    api = Api(connection)
    with pytest.raises(UnreachableError, match="the ServiceAccount token of this pod cannot be read"):
        await api.get(WAREHOUSES, timeout=TIMEOUT)
    await api.close()


async def test_a_pod_without_an_authority(pod: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(CredentialsError, match=r"no ca\.crt"):
        await connect(Settings(), pod)


async def test_a_pod_in_a_network_of_ipv6(pod: dict[str, str]) -> None:
    connection = await connect(Settings(), pod | {"KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert connection.server == f"https://[fd00::1]:{pod['KUBERNETES_SERVICE_PORT']}"


async def test_what_is_no_pod() -> None:
    with pytest.raises(CredentialsError, match="not a pod"):
        await connect(Settings(cluster_authentication="in-cluster"), {})


# Renewal


class Source(RenewedHeader):
    """A header that the test provides."""

    def __init__(self, now: Now) -> None:
        super().__init__()
        self._now = now
        self.fetched: list[bool] = []  # of each fetch, whether the one before was rejected
        self.lifetime = 100.0
        self.fails: Exception | None = None
        self.provides = asyncio.Event()
        self.provides.set()

    async def fetch(self, *, rejected: bool) -> tuple[str | None, float]:
        self.fetched.append(rejected)
        number = len(self.fetched)
        await self.provides.wait()
        if self.fails is not None:
            raise self.fails
        return f"Bearer {number}", self._now.now + self.lifetime


@pytest.fixture
async def source(now: Now) -> AsyncIterator[Source]:
    source = Source(now)
    yield source
    await source.close()


async def test_a_header_is_fetched_once_for_all_who_need_it(source: Source) -> None:
    assert set(await asyncio.gather(*(source.header() for _ in range(50)))) == {"Bearer 1"}
    assert source.fetched == [False]


async def test_who_leaves_does_not_take_the_fetch_from_others(source: Source) -> None:
    source.provides.clear()
    leaves, stays = (asyncio.create_task(source.header()) for _ in range(2))
    await turns()
    leaves.cancel()
    await asyncio.wait([leaves])
    source.provides.set()
    assert await stays == "Bearer 1"


async def test_before_it_expires_it_is_renewed_and_nobody_waits(source: Source, now: Now) -> None:
    await source.header()
    now.now += 51
    source.provides.clear()
    assert [await source.header() for _ in range(10)] == ["Bearer 1"] * 10
    await turns()
    assert source.fetched == [False, False]
    source.provides.set()
    await turns()
    assert await source.header() == "Bearer 2"


async def test_an_expired_header_is_waited_for(source: Source, now: Now) -> None:
    await source.header()
    now.now += 100
    assert await source.header() == "Bearer 2"


async def test_a_rejected_header_is_fetched_once_though_many_were_rejected(source: Source) -> None:
    await source.header()
    renewed = await asyncio.gather(*(source.header(rejected="Bearer 1") for _ in range(50)))
    assert set(renewed) == {"Bearer 2"}
    assert await source.header(rejected="Bearer 1") == "Bearer 2"
    assert source.fetched == [False, True]


async def test_while_renewal_fails_the_old_header_goes_on_and_the_source_is_spared(
    source: Source, now: Now, caplog: pytest.LogCaptureFixture
) -> None:
    await source.header()
    now.now += 51
    source.fails = RuntimeError("canary")
    for _ in range(100):
        assert await source.header() == "Bearer 1"
        await turns(3)
    assert len(source.fetched) == 2
    assert caplog.text.count("cannot renew the cluster credential") == 1
    assert "canary" not in caplog.text
    now.now += limits.CREDENTIAL_RETRY
    source.fails = None
    await source.header()
    await turns()
    assert await source.header() == "Bearer 3"


async def test_without_a_good_header_every_call_tries_again(source: Source) -> None:
    source.fails = RuntimeError("canary")
    for _ in range(3):
        with pytest.raises(CredentialsError) as failed:
            await source.header()
        assert str(failed.value) == "no credential for the cluster: RuntimeError"
    source.fails = None
    assert await source.header() == "Bearer 4"


async def test_a_source_that_hangs_is_asked_again(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CREDENTIAL_TIMEOUT", 0.05)
    source.provides.clear()
    with pytest.raises(CredentialsError, match="TimeoutError"):
        await source.header()
    source.provides.set()
    assert await source.header() == "Bearer 2"


async def test_closing_stops_a_renewal(source: Source) -> None:
    source.provides.clear()
    waiting = asyncio.create_task(source.header())
    await turns()
    await source.close()
    await asyncio.wait([waiting])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_fixed_header_stays_though_it_is_rejected() -> None:
    header = FixedHeader("Bearer x")
    assert await header.header(rejected="Bearer x") == "Bearer x"
    await header.close()


async def test_a_token_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialsError, match="no credential for the cluster: UnicodeDecodeError"):
        await TokenFile(tmp_path / "token").header()


def test_a_source_must_say_how_to_fetch() -> None:
    with pytest.raises(NotImplementedError):
        asyncio.run(RenewedHeader().fetch(rejected=False))


# AKS with a managed identity: the real library, and a simulated endpoint, because the real one is in Azure only


@pytest.fixture
async def endpoint(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IdentityEndpoint]:
    async with IdentityEndpoint() as endpoint:
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
async def aks_server() -> AsyncIterator[FaultProxy]:
    """A server that takes any token: what it is asked with is what these tests look at."""
    async with FaultProxy("http://nobody.invalid") as server:
        server.answer(200, times=None)
        yield server


type Connect = Callable[..., Awaitable[Api]]


@pytest.fixture
async def aks(aks_server: FaultProxy) -> AsyncIterator[Connect]:
    """Makes an API as the settings of an AKS cluster make it."""
    apis: list[Api] = []

    async def make(**settings: Any) -> Api:  # noqa: ANN401 - whatever a setting takes
        apis.append(Api(await connect(Settings(cluster_server=aks_server.url, **settings), {})))
        return apis[-1]

    yield make
    for api in apis:
        await api.close()


async def ask(api: Api) -> None:
    await api.get(WAREHOUSES, timeout=TIMEOUT)


async def test_the_token_is_one_for_the_api_server_of_aks(
    endpoint: IdentityEndpoint, aks: Connect, aks_server: FaultProxy
) -> None:
    await ask(await aks())
    (question,) = endpoint.asked
    assert question["resource"] == AKS_SERVER_APPLICATION
    assert "client_id" not in question
    assert [each.user for each in aks_server.requests] == ["token-1"]


async def test_a_user_assigned_identity_is_named(endpoint: IdentityEndpoint, aks: Connect) -> None:
    await ask(await aks(azure_client_id="11111111-2222"))
    assert endpoint.asked[0]["client_id"] == "11111111-2222"


async def test_requests_at_the_same_time_share_one_question(
    endpoint: IdentityEndpoint, aks: Connect, aks_server: FaultProxy
) -> None:
    api = await aks()
    await asyncio.gather(*(ask(api) for _ in range(20)))
    assert len(endpoint.asked) == 1
    assert {each.user for each in aks_server.requests} == {"token-1"}


async def test_the_token_is_renewed_before_it_expires_while_requests_go_on_with_the_old_one(
    endpoint: IdentityEndpoint, aks: Connect, aks_server: FaultProxy
) -> None:
    endpoint.lifetime = 200  # so near its end that the library asks for a new one as soon as it may
    api = await aks()
    await ask(api)
    endpoint.answers.clear()
    api._authorization._renew_at = 0.0  # type: ignore[attr-defined] # half its time is over
    identity: Any = api._authorization
    identity._credential._credential._last_request_time = 0  # the library asks twice a minute at most
    for _ in range(5):
        await ask(api)
    await eventually(lambda: len(endpoint.asked) == 2)
    assert {each.user for each in aks_server.requests} == {"token-1"}
    endpoint.answers.set()
    await identity._renewal.result()
    await ask(api)
    assert aks_server.requests[-1].user == "token-2"


async def test_a_token_that_the_cluster_rejects_is_replaced_though_it_would_be_good_for_a_day(
    endpoint: IdentityEndpoint, aks: Connect, aks_server: FaultProxy
) -> None:
    api = await aks()
    await ask(api)
    aks_server.clear()
    aks_server.answer(401)
    aks_server.answer(200, times=None)
    await ask(api)
    assert [each.user for each in aks_server.requests] == ["token-1", "token-1", "token-2"]
    assert len(endpoint.asked) == 2


async def test_an_endpoint_that_is_down_makes_the_cluster_unreachable_until_it_is_back(
    endpoint: IdentityEndpoint, aks: Connect, aks_server: FaultProxy
) -> None:
    await endpoint.stop()
    api = await aks()
    with pytest.raises(UnreachableError):
        await api.get(WAREHOUSES, timeout=0.2)
    assert aks_server.requests == []
    await endpoint.start()
    await ask(api)
    assert [each.user for each in aks_server.requests] == ["token-1"]


async def test_an_endpoint_that_refuses_is_told_without_its_words(
    endpoint: IdentityEndpoint, aks: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.status = 400
    with pytest.raises(UnreachableError) as failed:
        await ask(await aks())
    assert str(failed.value).startswith("no credential for the cluster: ")
    assert SECRET_HEADER not in str(failed.value) + caplog.text


async def test_an_endpoint_that_hangs_is_given_up(
    endpoint: IdentityEndpoint, aks: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CREDENTIAL_TIMEOUT", 0.2)
    endpoint.answers.clear()
    api = await aks()
    with pytest.raises(UnreachableError):
        await ask(api)
    endpoint.answers.set()
    monkeypatch.setattr(limits, "CREDENTIAL_TIMEOUT", TIMEOUT)
    await ask(api)
