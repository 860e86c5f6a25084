"""Which receiver a URL belongs to, asked of a cluster that changes, fails and denies."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from receivers import limits
from receivers.cluster import credentials
from receivers.cluster.api import Api, ClusterError
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror, NotReadyError
from receivers.cluster.secrets import SecretReader
from receivers.directory.addresses import addresses
from receivers.directory.directory import Directory, Verified, voucher_of
from receivers.directory.former import Standing, Why
from receivers.events import Receiver, UnknownReceiver
from receivers.providers import PROVIDERS
from receivers.settings import Settings, StaticReceiver
from receivers.wire.authentication import by_header
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, SECRET, Hook, Object, cluster_config, project_config, secret, secret_of
from testbed.servers import ApiServer
from testbed.waiting import eventually

HOOK = Hook()
NEW = replace(HOOK, secret="the new secret")
UNKNOWN = f"/azure/{'0' * 64}"
SYSTEM = "kargo-system-resources"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Known:
    """A directory, and what it asks."""

    mirror: Mirror
    directory: Directory
    clock: Clock = field(default_factory=Clock)

    async def find(self, path: str) -> Verified:
        return await self.directory.find(PROVIDERS[path.split("/")[-2]], path)

    async def knows(self, path: str) -> bool:
        try:
            return bool(await self.find(path))
        except UnknownReceiver:
            return False

    async def changed_since(self, version: int) -> None:
        """Wait until the mirror has seen a change of the receivers."""
        await eventually(lambda: self.mirror.version > version)


@asynccontextmanager
async def knowing(
    server: ApiServer,
    proxy: FaultProxy,
    *,
    static: Iterable[StaticReceiver] = (),
    read_secrets: bool = True,
    user: str = "kargo-receivers",
) -> AsyncIterator[Known]:
    settings = Settings(kubeconfig=str(server.kubeconfig(user, url=proxy.url)))
    api = Api(await credentials.connect(settings, {}))
    clock = Clock()
    availability = Availability(api)
    mirror = Mirror(api, availability, system_resources_namespace=SYSTEM)
    secrets = SecretReader(api, availability, clock=clock)
    mirror.start()
    try:
        directory = Directory(mirror, secrets, static=static, read_secrets=read_secrets, clock=clock)
        yield Known(mirror, directory, clock)
        await directory.close()
    finally:
        await mirror.close()
        await secrets.close()
        await availability.close()
        await api.close()


@pytest.fixture
async def known(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Known]:
    """A directory for a project with one receiver, which is published."""
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as directory:
        yield directory


def static(**changes: str | None) -> StaticReceiver:
    values = {"provider": "azure", "name": "static", "project": PROJECT, "secret": SECRET} | changes
    return StaticReceiver(**values)  # type: ignore[arg-type]  # mypy sees one type for all values


def hook_of(receiver: StaticReceiver) -> Hook:
    return Hook(provider=receiver.provider, name=receiver.name, project=receiver.project, secret=receiver.secret)


# The Secret decides


async def test_a_published_url_is_found_with_the_secret_that_proved_it(known: Known) -> None:
    verified = await known.find(HOOK.path)
    assert (verified.receiver.project, verified.receiver.name) == (PROJECT, "builds")
    assert verified.secrets == (SECRET.encode(),)
    assert SECRET not in repr(verified)


async def test_a_published_url_costs_one_read_of_one_secret(
    known: Known, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    version = known.mirror.version
    other = Hook(name="other")
    await api_server.apply(project_config([HOOK, other]), secret_of(other))
    await known.changed_since(version)
    for _ in range(3):
        await known.find(HOOK.path)
    assert len(fault_proxy.sent("GET", "/secrets/")) == 1


async def test_a_receiver_that_is_not_published_yet_is_found_by_its_secret(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.apply(project_config([HOOK], published=[]), secret_of(HOOK))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as known:
        assert await known.knows(HOOK.path)


async def test_a_published_url_that_the_secret_does_not_make_is_refused(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.apply(project_config([HOOK], published=[HOOK]), secret_of(NEW))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as known:
        assert not await known.knows(HOOK.path)
        assert await known.knows(NEW.path)


@pytest.mark.parametrize("data", [{"secret": ""}, {"secret": SECRET, "secret-previous": ""}, {"secret-previous": ""}])
async def test_an_empty_secret_makes_no_url(
    api_server: ApiServer, fault_proxy: FaultProxy, data: dict[str, str]
) -> None:
    """Anybody could compute it, whether Kargo has published it or not."""
    empty = Hook(secret="")
    await api_server.apply(project_config([empty]), secret(empty.secret_name, data))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as known:
        assert not await known.knows(empty.path)
        assert await known.knows(HOOK.path) is (data.get("secret") == SECRET)


async def test_an_empty_secret_of_the_settings_makes_no_url(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    receiver = static(previous_secret="")
    async with knowing(api_server, fault_proxy, static=[receiver]) as known:
        assert await known.knows(hook_of(receiver).path)
        assert not await known.knows(replace(hook_of(receiver), secret="").path)


async def test_a_receiver_that_is_removed_is_not_known_any_more(known: Known, api_server: ApiServer) -> None:
    assert await known.knows(HOOK.path)
    version = known.mirror.version
    await api_server.delete("ProjectConfig", PROJECT, PROJECT)
    await known.changed_since(version)
    assert not await known.knows(HOOK.path)


async def test_two_receivers_with_one_url_have_none(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    """Project and name are hashed without a separator, so that two may share a token."""
    one, other = Hook(project="ab", name="c"), Hook(project="a", name="bc")
    assert one.path == other.path
    for hook in (one, other):
        await api_server.apply(
            project_config([hook], project=str(hook.project)), secret_of(hook, namespace=str(hook.project))
        )
        await api_server.allow_secrets(str(hook.project))
    async with knowing(api_server, fault_proxy) as known:
        assert not await known.knows(one.path)
        version = known.mirror.version
        await api_server.delete("ProjectConfig", "a", "a")
        await known.changed_since(version)
        assert await known.knows(one.path)


async def test_a_receiver_of_the_cluster_has_its_secret_in_the_system_namespace(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    hook = Hook(project=None)
    await api_server.apply(cluster_config([hook]), secret_of(hook, namespace=SYSTEM))
    await api_server.allow_secrets(SYSTEM)
    async with knowing(api_server, fault_proxy) as known:
        verified = await known.find(hook.path)
    assert (verified.receiver.project, verified.receiver.source) == (None, "ClusterConfig")


# Rotation


async def test_rotating_the_secret_leaves_no_gap_for_either_url(
    known: Known, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    assert await known.knows(HOOK.path)
    await api_server.apply(secret(HOOK.secret_name, {"secret": NEW.secret, "secret-previous": HOOK.secret}))
    assert await known.knows(HOOK.path)
    assert await known.knows(NEW.path)
    assert await known.knows(HOOK.path)


async def test_a_url_published_right_after_a_rotation_works_though_unknown_ones_came_before(
    known: Known, api_server: ApiServer
) -> None:
    assert await known.knows(HOOK.path)
    assert not await known.knows(UNKNOWN)
    version = known.mirror.version
    await api_server.apply(secret_of(NEW), project_config([NEW]))
    await known.changed_since(version)
    assert await known.knows(NEW.path)


async def test_the_previous_url_ends_with_the_previous_secret(known: Known, api_server: ApiServer) -> None:
    await api_server.apply(secret(HOOK.secret_name, {"secret": NEW.secret, "secret-previous": HOOK.secret}))
    assert (await known.find(HOOK.path)).secrets == (NEW.secret.encode(), HOOK.secret.encode())
    await api_server.patch("Secret", HOOK.secret_name, PROJECT, {"data": {"secret-previous": None}})
    known.clock.now += limits.SECRET_FRESH
    assert not await known.knows(HOOK.path)
    assert await known.knows(NEW.path)


async def test_a_process_that_starts_after_a_rotation_takes_the_previous_url_too(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    rotated = secret(HOOK.secret_name, {"secret": NEW.secret, "secret-previous": HOOK.secret})
    await api_server.apply(project_config([NEW]), rotated)
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as known:
        assert await known.knows(HOOK.path)


async def test_a_url_works_on_with_what_was_known_while_the_cluster_is_away(
    known: Known, fault_proxy: FaultProxy
) -> None:
    assert not (await known.find(HOOK.path)).voucher
    fault_proxy.reset(times=None)
    known.clock.now += 24 * 3600
    assert (await known.find(HOOK.path)).voucher == voucher_of(HOOK.token)


async def test_what_vouches_for_a_url_is_confirmed_by_the_receiver_s_secret_alone(
    known: Known, fault_proxy: FaultProxy
) -> None:
    receiver = (await known.find(HOOK.path)).receiver

    async def confirms(provider: str = "azure", *, name: str = HOOK.name, token: str = HOOK.token) -> bool:
        return await known.directory.confirms(provider, source=receiver.source, name=name, voucher=voucher_of(token))

    assert await confirms() is await confirms("acr") is True
    assert await confirms(token=NEW.token) is False
    assert await confirms(name="another") is False
    assert await confirms("quay") is await confirms("nobody") is False
    fault_proxy.reset(times=None)
    known.clock.now += 24 * 3600
    for token in (HOOK.token, NEW.token):
        with pytest.raises(ClusterError):
            await confirms(token=token)


# Without rights on Secrets


@pytest.mark.parametrize("read_secrets", [True, False], ids=["denied", "told not to"])
async def test_where_secrets_cannot_be_read_the_published_url_decides(
    api_server: ApiServer, fault_proxy: FaultProxy, read_secrets: bool
) -> None:
    await api_server.apply(project_config([HOOK]), secret_of(NEW))
    fault_proxy.answer(403, times=None, path="/secrets/")
    async with knowing(api_server, fault_proxy, read_secrets=read_secrets) as known:
        assert (await known.find(HOOK.path)).secrets == ()
        assert await known.knows(HOOK.path.replace("azure", "acr"))
        assert not await known.knows(NEW.path)
        assert not await known.knows(HOOK.path.replace("azure", "quay"))
    assert bool(fault_proxy.sent(path="/secrets/")) is read_secrets


@pytest.mark.parametrize("read_secrets", [True, False], ids=["denied", "told not to"])
async def test_where_secrets_cannot_be_read_a_url_that_was_published_before_is_refused(
    api_server: ApiServer, fault_proxy: FaultProxy, read_secrets: bool
) -> None:
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    fault_proxy.answer(403, times=None, path="/secrets/")
    async with knowing(api_server, fault_proxy, read_secrets=read_secrets) as known:
        assert await known.knows(HOOK.path)
        version = known.mirror.version
        await api_server.apply(project_config([HOOK], published=[NEW]))
        await known.changed_since(version)
        assert not await known.knows(HOOK.path)
        assert await known.knows(NEW.path)


@pytest.mark.parametrize("read_secrets", [True, False], ids=["denied", "told not to"])
async def test_a_sender_that_signs_is_refused_where_its_signature_cannot_be_checked(
    api_server: ApiServer, fault_proxy: FaultProxy, read_secrets: bool
) -> None:
    signing = replace(PROVIDERS["azure"], authentication=by_header("x-tried", missing=""))
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    fault_proxy.answer(403, times=None, path="/secrets/")
    async with knowing(api_server, fault_proxy, read_secrets=read_secrets) as known:
        with pytest.raises(UnknownReceiver):
            await known.directory.find(signing, HOOK.path)


@pytest.mark.parametrize("way", ["basic", "header", "nonsense"])
@pytest.mark.parametrize("read_secrets", [True, False], ids=["denied", "told not to"])
async def test_a_receiver_that_demands_a_proof_is_not_served_by_its_url_where_the_proof_cannot_be_checked(
    api_server: ApiServer, fault_proxy: FaultProxy, read_secrets: bool, way: str
) -> None:
    plain, demanding = HOOK, Hook(name="demanding")
    config = project_config([plain, demanding])
    config["spec"]["webhookReceivers"][1]["azure"]["authentication"] = way
    await api_server.apply(config, secret_of(plain), secret_of(demanding))
    kept = await api_server.get("ProjectConfig", PROJECT, PROJECT)
    assert kept is not None
    if "authentication" not in kept["spec"]["webhookReceivers"][1]["azure"]:
        pytest.skip("Kargo's own CRD has no such option, and the API server drops it")
    fault_proxy.answer(403, times=None, path="/secrets/")
    async with knowing(api_server, fault_proxy, read_secrets=read_secrets) as known:
        assert await known.knows(plain.path)
        for provider in ("azure", "acr"):
            assert not await known.knows(demanding.path.replace("azure", provider))
        receiver = next(each for each in known.directory.receivers() if each.name == "demanding")
        voucher = voucher_of(demanding.token)
        assert receiver.options == {"authentication": way}
        assert not await known.directory.confirms("azure", source=receiver.source, name=receiver.name, voucher=voucher)


async def test_a_static_receiver_keeps_what_it_demands(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    demanding = replace(static(), options={"authentication": "basic"})
    async with knowing(api_server, fault_proxy, static=[demanding]) as known:
        for provider in ("azure", "acr"):
            found = await known.find(hook_of(demanding).path.replace("azure", provider))
            assert PROVIDERS[provider].needs_secret(found.receiver)


async def test_without_reading_secrets_an_unpublished_receiver_is_unknown(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.apply(project_config([HOOK], published=[]), secret_of(HOOK))
    async with knowing(api_server, fault_proxy, read_secrets=False) as known:
        assert not await known.knows(HOOK.path)
        assert not await known.knows(UNKNOWN)


async def test_a_real_role_without_rights_on_secrets_is_enough(real_api_server: ApiServer) -> None:
    hook = Hook(project="never-allowed")
    config = project_config([hook], project="never-allowed")
    await real_api_server.apply(config, secret_of(hook, namespace="never-allowed"))
    async with (
        FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy,
        knowing(real_api_server, proxy) as known,
    ):
        assert await known.knows(hook.path)
        assert proxy.sent(path="/secrets/")[0].status == 403


# ACR


async def test_a_receiver_of_kind_azure_is_reached_as_acr_too(known: Known) -> None:
    assert await known.knows(HOOK.path.replace("azure", "acr"))


@pytest.mark.parametrize("key", ["secret-token", "secret", "secret-token-previous", "secret-previous"])
async def test_acr_takes_the_secret_under_either_key(api_server: ApiServer, fault_proxy: FaultProxy, key: str) -> None:
    hook = replace(HOOK, provider="acr")
    await api_server.apply(project_config([HOOK], published=[]), secret_of(HOOK, key=key))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as known:
        assert await known.knows(hook.path)
        assert await known.knows(HOOK.path) is ("token" not in key)


async def test_a_static_receiver_of_kind_acr_is_not_reached_as_azure(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    receiver = static(provider="acr")
    async with knowing(api_server, fault_proxy, static=[receiver]) as known:
        assert await known.knows(hook_of(receiver).path)
        assert not await known.knows(hook_of(receiver).path.replace("acr", "azure"))


# Receivers in the settings


async def test_a_static_receiver_is_found_without_asking_the_cluster(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.hang()
    receiver = static(project=None, previous_secret="the old one")
    async with knowing(api_server, fault_proxy, static=[static(name="another"), receiver]) as known:
        found = await known.find(hook_of(receiver).path)
        assert (found.receiver.name, found.receiver.project, found.receiver.source) == ("static", None, "settings")
        assert found.secrets == (SECRET.encode(), b"the old one")
        assert await known.knows(replace(hook_of(receiver), secret="the old one").path)


async def test_where_project_configs_are_denied_nothing_can_be_said_of_an_unknown_url(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.answer(403, times=None, path="configs")
    async with knowing(api_server, fault_proxy) as known:
        with pytest.raises(NotReadyError):
            await known.find(UNKNOWN)


async def test_where_project_configs_are_denied_static_receivers_are_all_there_are(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.answer(403, times=None, path="configs")
    async with knowing(api_server, fault_proxy, static=[static()]) as known:
        assert await known.knows(hook_of(static()).path)
        assert not await known.knows(UNKNOWN)


async def test_all_receivers_are_listed_with_the_secrets_that_count(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    without_secret = Receiver(provider="azure", name="x", project=PROJECT, source="a test")
    await api_server.apply(project_config([HOOK]), secret_of(HOOK))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy, static=[static()]) as known:
        await known.find(HOOK.path)
        receivers = known.directory.receivers()
        assert [receiver.name for receiver in receivers] == ["static", "builds"]
        azure = PROVIDERS["azure"]
        assert [await known.directory.secrets_of(azure, each) for each in receivers] == [(SECRET.encode(),)] * 2
        assert await known.directory.secrets_of(azure, without_secret) == ()


# Unknown URLs


@pytest.mark.parametrize(
    "path",
    [
        "/azure/",
        "azure",
        "",
        "/",
        f"/azure/{'0' * 63}",
        f"/azure/{'G' * 64}",
        f"/azure/{'\N{ARABIC-INDIC DIGIT ZERO}' * 64}",
        f"/quay/{'0' * 64}",
        f"/azure/{'0' * 64}\n",
    ],
)
async def test_what_is_no_url_of_a_receiver_asks_the_cluster_nothing(
    known: Known, fault_proxy: FaultProxy, path: str
) -> None:
    with pytest.raises(UnknownReceiver):
        await known.directory.find(PROVIDERS["azure"], path)
    assert fault_proxy.sent(path="/secrets/") == []


async def test_the_path_of_the_base_url_plays_no_part(known: Known) -> None:
    assert (await known.directory.find(PROVIDERS["azure"], f"/kargo/hooks{HOOK.path}")).receiver.name == "builds"


async def test_unknown_urls_have_the_secrets_read_once_in_a_while(known: Known, fault_proxy: FaultProxy) -> None:
    unknown = [f"/azure/{number:064x}" for number in range(20)]
    assert not any(await asyncio.gather(*map(known.knows, unknown)))
    assert not await known.knows(UNKNOWN)
    assert len(fault_proxy.sent("GET", "/secrets/")) == 1
    known.clock.now += limits.UNKNOWN_AGAIN - 1
    assert not await known.knows(UNKNOWN)
    assert len(fault_proxy.sent("GET", "/secrets/")) == 1
    known.clock.now += 1
    assert not await known.knows(UNKNOWN)
    assert len(fault_proxy.sent("GET", "/secrets/")) == 2


async def test_a_new_receiver_is_found_at_once_though_unknown_urls_came_before(
    known: Known, api_server: ApiServer
) -> None:
    assert not await known.knows(UNKNOWN)
    version = known.mirror.version
    new = Hook(name="new")
    await api_server.apply(secret_of(new), project_config([HOOK, new], published=[]))
    await known.changed_since(version)
    assert await known.knows(new.path)


async def test_a_new_receiver_is_found_at_once_though_secrets_are_being_read_for_another(
    known: Known, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.hold(path=f"/secrets/{HOOK.secret_name}", times=1)
    unknown = asyncio.create_task(known.knows(UNKNOWN))
    await fault_proxy.wait_for(1, "GET", "/secrets/")
    version = known.mirror.version
    new = Hook(name="new")
    await api_server.apply(secret_of(new), project_config([HOOK, new], published=[]))
    await known.changed_since(version)
    finding = asyncio.create_task(known.knows(new.path))
    await fault_proxy.wait_for(2, "GET", "/secrets/")
    fault_proxy.release()
    assert await finding
    assert not await unknown


async def test_a_secret_that_cannot_be_read_hides_only_what_it_may_be_needed_for(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    other = Hook(name="other")
    await api_server.apply(project_config([HOOK, other], published=[]), secret_of(HOOK), secret_of(other))
    await api_server.allow_secrets(PROJECT)
    failing = fault_proxy.answer(500, times=None, path=f"/secrets/{other.secret_name}")
    async with knowing(api_server, fault_proxy) as known:
        for _ in range(3):
            with pytest.raises(ClusterError):
                await known.find(UNKNOWN)
        assert failing.used == 1
        assert await known.knows(HOOK.path)
        fault_proxy.clear()
        known.clock.now += limits.UNKNOWN_RETRY
        assert not await known.knows(UNKNOWN)
        assert await known.knows(other.path)


async def test_a_secret_that_is_not_named_is_told_from_one_that_is_missing_or_has_not_the_key(
    api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    hooks = [Hook(name=name) for name in ("empty", "keyless", "missing", "unnamed")]
    config = project_config(hooks)
    config["spec"]["webhookReceivers"][3]["azure"]["secretRef"]["name"] = ""
    await api_server.apply(config, secret("empty-secret", {"secret": ""}), secret("keyless-secret", {"password": "x"}))
    await api_server.allow_secrets(PROJECT)
    async with knowing(api_server, fault_proxy) as known:
        await known.mirror.receivers_ready()
        problems = {each.receiver.name: each.problem for each in await addresses(known.directory)}
    assert problems == {
        "empty": "its Secret kargo-demo/empty-secret has nothing under the key secret",
        "keyless": "its Secret kargo-demo/keyless-secret has nothing under the key secret",
        "missing": "there is no Secret kargo-demo/missing-secret",
        "unnamed": "it names no Secret",
    }


async def test_every_search_under_way_ends_with_the_directory(
    known: Known, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    """One begins while another still waits for a Secret."""
    hooks = [replace(HOOK, name=f"unpublished-{number}", secret=f"secret-{number}") for number in range(2)]
    fault_proxy.hang(path="/secrets/")
    searches = []
    for number, hook in enumerate(hooks, start=1):
        await api_server.apply(project_config([HOOK, *hooks[:number]], published=[HOOK]))
        await eventually(lambda: len(known.mirror.receivers()) == 1 + number)  # noqa: B023 - awaited at once
        searches.append(asyncio.create_task(known.find(UNKNOWN)))
        path = f"/secrets/{hook.secret_name}"
        await eventually(lambda: bool(fault_proxy.sent("GET", path)))  # noqa: B023 - awaited at once
    await known.directory.close()
    assert [each for each in asyncio.all_tasks() if "_read_all" in repr(each.get_coro())] == []
    assert await asyncio.gather(*searches, return_exceptions=True)


# What a receiver had before


type Lost = list[tuple[str, frozenset[str], Why]]


@pytest.fixture
def lost(known: Known) -> Lost:
    """What is told of URLs that receivers have no longer."""
    told: Lost = []
    known.directory.on_lost = lambda receiver, vouchers, why: told.append((receiver.name, vouchers, why))
    return told


def voucher(hook: Hook) -> frozenset[str]:
    return frozenset({voucher_of(hook.token)})


async def test_a_rotated_secret_takes_its_url_away_once(known: Known, lost: Lost, api_server: ApiServer) -> None:
    assert await known.knows(HOOK.path)
    await api_server.apply(secret_of(NEW))
    known.clock.now += limits.SECRET_FRESH
    for _ in range(2):
        assert not await known.knows(HOOK.path)
    assert lost == [(HOOK.name, voucher(HOOK), Why.ROTATED)]


async def test_the_url_before_is_not_lost_while_the_secret_keeps_it_as_previous(
    known: Known, lost: Lost, api_server: ApiServer
) -> None:
    assert await known.knows(HOOK.path)
    await api_server.apply(secret(HOOK.secret_name, {"secret": NEW.secret, "secret-previous": HOOK.secret}))
    known.clock.now += limits.SECRET_FRESH
    assert await known.knows(HOOK.path)
    version = known.mirror.version
    await api_server.apply(project_config([NEW]))
    await known.changed_since(version)
    assert lost == []


async def test_a_url_that_was_only_published_is_lost_with_its_path(
    known: Known, lost: Lost, api_server: ApiServer
) -> None:
    await eventually(lambda: known.directory.receivers() != [])
    version = known.mirror.version
    await api_server.apply(secret_of(NEW), project_config([NEW]))
    await known.changed_since(version)
    assert lost == [(HOOK.name, voucher(HOOK), Why.ROTATED)]


async def test_a_path_that_is_not_published_any_more_says_nothing(
    known: Known, lost: Lost, api_server: ApiServer
) -> None:
    await eventually(lambda: known.directory.receivers() != [])
    version = known.mirror.version
    await api_server.apply(project_config([HOOK], published=[]))
    await known.changed_since(version)
    assert lost == []


async def test_another_secret_takes_the_url_away_and_so_does_the_end_of_its_receiver(
    known: Known, lost: Lost, api_server: ApiServer
) -> None:
    assert await known.knows(HOOK.path)
    version = known.mirror.version
    config = project_config([HOOK])
    config["spec"]["webhookReceivers"][0]["azure"]["secretRef"]["name"] = "another"
    await api_server.apply(secret("another", {"secret": NEW.secret}), config)
    await known.changed_since(version)
    assert lost == [(HOOK.name, voucher(HOOK), Why.CHANGED)]
    assert await known.knows(NEW.path)
    version = known.mirror.version
    await api_server.apply(project_config([Hook(name="other")]))
    await known.changed_since(version)
    (_, last) = lost
    assert last == (HOOK.name, voucher(HOOK) | voucher(NEW), Why.DELETED)


# What there is of a receiver now


def configured(entries: object) -> Object:
    config = project_config([HOOK])
    config["spec"]["webhookReceivers"] = entries
    return config


@pytest.mark.parametrize(
    ("entries", "standing"),
    [
        ([], Standing.GONE),
        (None, Standing.GONE),
        ("oops", Standing.UNREADABLE),
        ([{"name": HOOK.name, "azure": "oops"}], Standing.UNREADABLE),
        ([{"name": HOOK.name, "azure": {"secretRef": "oops"}}], Standing.UNREADABLE),
        (["oops"], Standing.UNREADABLE),
        ([{"name": "other", "azure": "oops"}], Standing.GONE),
    ],
)
async def test_a_receiver_is_gone_only_where_its_config_can_be_read(
    embedded_api_server: ApiServer, entries: object, standing: Standing
) -> None:
    await embedded_api_server.apply(project_config([HOOK]), secret_of(HOOK))
    async with FaultProxy(embedded_api_server.url) as proxy, knowing(embedded_api_server, proxy) as known:
        assert await known.knows(HOOK.path)
        assert known.directory.standing(PROJECT, HOOK.name) is Standing.THERE
        version = known.mirror.version
        await embedded_api_server.apply(configured(entries))
        await known.changed_since(version)
        assert known.directory.standing(PROJECT, HOOK.name) is standing
        version = known.mirror.version
        await embedded_api_server.apply(project_config([NEW]))
        await known.changed_since(version)
        assert known.directory.standing(PROJECT, HOOK.name) is Standing.THERE
        assert known.directory.standing(None, HOOK.name) is Standing.GONE


async def test_of_receivers_that_may_not_be_read_nothing_is_said_but_of_those_in_the_settings(
    embedded_api_server: ApiServer,
) -> None:
    async with FaultProxy(embedded_api_server.url) as proxy:
        proxy.answer(403, times=None, path="/projectconfigs")
        async with knowing(embedded_api_server, proxy, static=[static()]) as known:
            assert not await known.knows(HOOK.path)
            assert known.directory.standing(PROJECT, HOOK.name) is Standing.UNKNOWN
            assert known.directory.standing(PROJECT, "static") is Standing.THERE
