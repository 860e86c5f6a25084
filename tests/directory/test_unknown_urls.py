"""What a URL that nobody knows costs the cluster, the event loop and everybody else, whatever tenants configure."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.events import UnknownReceiver
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, Object, project_config, secret_of
from testbed.servers import ApiServer
from tests.directory.test_directory import Known, knowing
from tests.loop_lag import HELD, loop_lag

HOOK = Hook()


def unknown(number: int) -> str:
    return f"/azure/{number:064x}"


def of_a_tenant(project: str, *, receivers: int, edit: int = 0) -> Object:
    """A config with many receivers, none of which is published and none of which has a Secret."""
    hooks = [Hook(name=f"r{edit}-{number}", project=project) for number in range(receivers)]
    return project_config(hooks, published=[], project=project)


@pytest.fixture
async def proxy(embedded_api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(embedded_api_server.url) as proxy:
        yield proxy


async def crowded(server: ApiServer, configs: Iterable[Object]) -> None:
    """A project with one receiver, which is published, among the projects of others."""
    await server.apply(*configs, project_config([HOOK]), secret_of(HOOK))


async def post(known: Known, urls: Iterable[str]) -> None:
    found = await asyncio.gather(*map(known.knows, urls))
    assert not any(found)


def reads(proxy: FaultProxy) -> int:
    return len(proxy.sent("GET", "/secrets/"))


async def test_one_unknown_url_costs_a_few_reads_however_many_receivers_there_are(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await crowded(embedded_api_server, [of_a_tenant("crowd", receivers=1000)])
    async with knowing(embedded_api_server, proxy) as known:
        await post(known, [unknown(0)])
        assert 0 < reads(proxy) <= limits.UNKNOWN_READS


async def test_a_burst_of_unknown_urls_costs_no_more_than_one(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await crowded(embedded_api_server, [of_a_tenant("crowd", receivers=1000)])
    async with knowing(embedded_api_server, proxy) as known:
        await post(known, [unknown(0)])
        first = reads(proxy)
        await post(known, map(unknown, range(1, 500)))
        assert reads(proxy) == first


async def test_unknown_urls_cost_a_bounded_number_of_reads_in_any_time(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    """The bound: 16 at once, and one each five seconds."""
    await crowded(embedded_api_server, [of_a_tenant("crowd", receivers=1000)])
    async with knowing(embedded_api_server, proxy) as known:
        for second in range(600):
            known.clock.now += 1
            await post(known, [unknown(2 * second), unknown(2 * second + 1)])
        assert reads(proxy) <= limits.UNKNOWN_READS + 600 * limits.UNKNOWN_READS_PER_SECOND + 1


async def test_edits_of_tenants_do_not_raise_what_unknown_urls_cost(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await crowded(embedded_api_server, [of_a_tenant("crowd", receivers=300)])
    async with knowing(embedded_api_server, proxy) as known:
        await post(known, [unknown(0)])
        for edit in range(1, 21):
            version = known.mirror.version
            await embedded_api_server.apply(of_a_tenant("crowd", receivers=300, edit=edit))
            await known.changed_since(version)
            await post(known, [unknown(edit)])
        assert reads(proxy) <= limits.UNKNOWN_READS


async def test_a_large_cluster_never_holds_the_event_loop(embedded_api_server: ApiServer, proxy: FaultProxy) -> None:
    configs = [of_a_tenant(f"crowd-{number}", receivers=1000) for number in range(12)]
    await crowded(embedded_api_server, configs)
    async with knowing(embedded_api_server, proxy) as known, loop_lag() as lag:
        await post(known, map(unknown, range(50)))
        assert await known.knows(HOOK.path)
        version = known.mirror.version
        await embedded_api_server.apply(of_a_tenant("crowd-0", receivers=1000, edit=1))
        await known.changed_since(version)
        await post(known, map(unknown, range(50)))
    assert lag.longest_computing < HELD


async def test_a_published_url_never_waits_behind_unknown_ones(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await crowded(embedded_api_server, [of_a_tenant("crowd", receivers=100)])
    proxy.hold(path="/namespaces/crowd/secrets/")
    async with knowing(embedded_api_server, proxy) as known:
        flood = [asyncio.create_task(known.knows(unknown(number))) for number in range(200)]
        await proxy.wait_for(limits.SECRET_READS_BEHIND, "GET", "/secrets/")
        assert await known.knows(HOOK.path)
        assert not any(each.done() for each in flood)
        proxy.release()
        proxy.clear()
        await asyncio.gather(*flood)


async def test_a_new_receiver_is_found_though_others_have_thousands_that_were_never_looked_at(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    new = Hook(name="new", project="honest")
    crowds = [of_a_tenant(f"crowd-{number}", receivers=500) for number in range(4)]
    await embedded_api_server.apply(
        *crowds, project_config([new], published=[], project="honest"), secret_of(new, namespace="honest")
    )
    async with knowing(embedded_api_server, proxy) as known:
        assert await known.knows(new.path)


async def test_a_secret_that_cannot_be_read_hides_no_other_receiver_with_the_same_path(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    """A tenant who may write a status can publish another's path; and may have Secrets that cannot be read."""
    thief = Hook(name="thief", project="crowd")
    config = project_config([thief], project="crowd")
    config["status"]["webhookReceivers"] = [{"name": thief.name, "path": HOOK.path}]
    await crowded(embedded_api_server, [config])
    proxy.answer(500, times=None, path="/namespaces/crowd/secrets/")
    async with knowing(embedded_api_server, proxy) as known:
        assert (await known.find(HOOK.path)).receiver.project == PROJECT


async def test_a_path_that_thousands_claim_costs_a_few_reads(embedded_api_server: ApiServer, proxy: FaultProxy) -> None:
    hooks = [Hook(name=f"thief-{number}", project="crowd") for number in range(1000)]
    config = project_config(hooks, project="crowd")
    for entry in config["status"]["webhookReceivers"]:
        entry["path"] = unknown(7)
    await crowded(embedded_api_server, [config])
    async with knowing(embedded_api_server, proxy) as known:
        assert not await known.knows(unknown(7))
        assert reads(proxy) <= limits.CANDIDATES + limits.UNKNOWN_READS


@pytest.mark.parametrize("name", ["x" * 1_100_000, "UPPER", "a/b", "", "?", "\N{SNOWMAN}"], ids=lambda name: name[:8])
async def test_a_secret_s_name_that_kubernetes_refuses_costs_no_call_and_hides_nobody(
    embedded_api_server: ApiServer, proxy: FaultProxy, name: str
) -> None:
    config = project_config([Hook(name="odd", project="crowd")], published=[], project="crowd")
    config["spec"]["webhookReceivers"][0]["azure"]["secretRef"]["name"] = name
    new = Hook(name="new")
    await embedded_api_server.apply(config, project_config([new], published=[]), secret_of(new))
    async with knowing(embedded_api_server, proxy) as known:
        with pytest.raises(UnknownReceiver):
            await known.find(unknown(0))
        assert await known.knows(new.path)
        assert proxy.sent("GET", "/namespaces/crowd/") == []


async def test_who_waits_for_secrets_to_be_read_and_leaves_costs_the_others_nothing(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await crowded(embedded_api_server, [of_a_tenant("crowd", receivers=8)])
    proxy.hold(path="/namespaces/crowd/secrets/")
    async with knowing(embedded_api_server, proxy) as known:
        waiting = [asyncio.create_task(known.knows(unknown(number))) for number in range(3000)]
        await proxy.wait_for(limits.SECRET_READS_BEHIND, "GET", "/secrets/")
        async with loop_lag() as lag:
            for batch in range(0, 2999, 100):  # what one turn of the loop cancels is the test's own doing
                for task in waiting[batch : min(batch + 100, 2999)]:
                    task.cancel()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        assert lag.longest_computing < HELD
        proxy.release()
        proxy.clear()
        assert await waiting[-1] is False


async def test_an_unknown_url_is_told_that_the_cluster_failed_while_that_may_be_why(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    new = Hook(name="new")
    await embedded_api_server.apply(project_config([new], published=[]), secret_of(new))
    proxy.answer(429, times=1, path="/secrets/")
    async with knowing(embedded_api_server, proxy) as known:
        with pytest.raises(ClusterError):
            await known.find(new.path)
        known.clock.now += limits.UNKNOWN_RETRY
        assert await known.knows(new.path)
