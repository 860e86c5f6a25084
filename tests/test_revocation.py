"""What a revoked URL can still do, and for how long, in each state of the cluster: the table in docs/security.md.

In every state but the first ten seconds: nothing. What may still be answered with success is never refreshed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from receivers import limits, runtime
from receivers.deliveries.answers import Answer
from receivers.directory.directory import voucher_of
from receivers.directory.known_receivers import TABLE
from receivers.journal.journal import State
from receivers.local.azurite import Azurite
from receivers.settings import Settings
from receivers.storage.tables import Table
from testbed.fault_proxy import FaultProxy
from testbed.objects import Hook, project_config, secret_of
from testbed.servers import ApiServer
from testbed.waiting import found_away
from tests.drill import HOOK, Drill, furnish, running
from tests.service import until

NEW = replace(HOOK, secret="what the receiver has now")
QUEUED = (202, {"msg": "queued until the cluster can be reached"})


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is due at once, and a cluster that is away is noticed and found again soon."""
    monkeypatch.setattr(limits, "RETRY_DELAYS", (0.0,))
    monkeypatch.setattr(limits, "RETRY_JITTER", 0.0)
    monkeypatch.setattr(limits, "CALL_SLOW", 0.1)
    monkeypatch.setattr(limits, "SECRET_WAIT", 0.1)
    monkeypatch.setattr(limits, "PROBE_INTERVAL", 0.1)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is well is never taken for one that is away, however busy the machine."""
    monkeypatch.setattr(limits, "CALL_SLOW", 30.0)
    monkeypatch.setattr(limits, "SECRET_WAIT", 30.0)


@pytest.fixture
async def proxy(embedded_api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(embedded_api_server.url) as proxy:
        yield proxy


@pytest.fixture
async def begin(
    embedded_api_server: ApiServer, proxy: FaultProxy, azurite: Azurite
) -> AsyncIterator[Callable[[], Awaitable[Drill]]]:
    """Starts the service; again and again: each one ends the one before."""
    await furnish(embedded_api_server)
    kubeconfig = embedded_api_server.kubeconfig("kargo-receivers", url=proxy.url)
    ended: list[asyncio.Event] = []
    tasks: list[asyncio.Task[None]] = []

    async def run(begun: "asyncio.Future[Drill]", end: asyncio.Event) -> None:
        async with running(kubeconfig, azurite) as drill:
            begun.set_result(drill)
            await end.wait()

    async def stop() -> None:
        for event in ended:
            event.set()
        await asyncio.gather(*tasks)

    async def begin() -> Drill:
        await stop()
        begun: asyncio.Future[Drill] = asyncio.get_running_loop().create_future()
        ended.append(asyncio.Event())
        tasks.append(asyncio.create_task(run(begun, ended[-1])))
        return await begun

    yield begin
    proxy.clear()
    await stop()


type Begin = Callable[[], Awaitable[Drill]]


@pytest.fixture
async def drill(begin: Begin) -> Drill:
    """A service that has refreshed by the URL, so that its process and the table know it."""
    drill = await begin()
    assert (await drill.deliver(tag="1.0.0")).status == 200
    assert drill.service.known is not None
    await drill.service.known.close()  # which writes what waits
    return drill


async def revoke(server: ApiServer) -> None:
    """Give the receiver another secret, and have Kargo publish the path that it makes."""
    await server.apply(secret_of(NEW), project_config([NEW]))


async def revoke_silently(server: ApiServer) -> None:
    """The same, before Kargo has published anything: the process is told nothing."""
    await server.apply(secret_of(NEW))


def pass_time(drill: Drill, seconds: float) -> None:
    """Let Secrets be older by so much than they are."""
    clock = drill.service.secrets._clock
    drill.service.secrets._clock = lambda: clock() + seconds


def told(answer: Answer) -> tuple[int, dict[str, object]]:
    return answer.status, dict(answer.body)


async def rows_of_the_table(drill: Drill) -> int:
    assert drill.service.storage is not None
    assert drill.service.known is not None
    await drill.service.known.close()
    return sum([len(page) async for page in Table(drill.service.storage, TABLE).pages("")])


async def is_refused_later(drill: Drill, proxy: FaultProxy, delivery: str) -> None:
    """The queued delivery is verified in the cluster, and refreshes nothing."""
    patches = len(proxy.sent("PATCH"))
    assert await drill.work_off() == 1
    assert len(proxy.sent("PATCH")) == patches
    assert (await drill.queues()).waiting == 0

    async def refused() -> bool:
        row = await drill.row(delivery)
        return row is not None and row.state == State.REFUSED

    await until(refused)
    assert await rows_of_the_table(drill) == 0


# While the cluster is well


@pytest.mark.usefixtures("patient")
async def test_while_the_cluster_is_well_it_ends_within_ten_seconds(
    drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    assert limits.SECRET_FRESH == 10
    await revoke_silently(embedded_api_server)
    assert (await drill.deliver()).status == 200
    pass_time(drill, limits.SECRET_FRESH)
    patches = len(proxy.sent("PATCH"))
    assert (await drill.deliver()).status == 404
    assert len(proxy.sent("PATCH")) == patches
    assert await rows_of_the_table(drill) == 0


@pytest.mark.usefixtures("patient")
async def test_it_ends_at_once_when_kargo_publishes_another(drill: Drill, embedded_api_server: ApiServer) -> None:
    version = drill.service.mirror.version
    await revoke(embedded_api_server)
    await until(lambda: changed(drill, version))
    assert (await drill.deliver()).status == 404
    assert (await drill.deliver(path=NEW.path)).status == 200


@pytest.mark.usefixtures("patient")
async def test_it_ends_at_once_with_its_receiver(drill: Drill, embedded_api_server: ApiServer) -> None:
    version = drill.service.mirror.version
    await embedded_api_server.apply(project_config([Hook(name="another")]))
    await until(lambda: changed(drill, version))
    assert (await drill.deliver()).status == 404
    assert await rows_of_the_table(drill) == 0


async def changed(drill: Drill, version: int) -> bool:
    return drill.service.mirror.version > version


# What is told of it, and not to the sender


def reason(drill: Drill) -> str:
    """Of the last delivery, without when it ended."""
    former = drill.told[-1].former
    return drill.told[-1].error.replace(f"{former.former.until:%Y-%m-%d %H:%M}", "NOW") if former else ""


ROTATED = (
    "this was the URL of receiver acr of project kargo-demo until NOW UTC; its Secret was rotated: "
    "register the new URL with the sender"
)
DELETED = (
    "this was the URL of receiver acr of project kargo-demo until NOW UTC; it was deleted: "
    "remove the webhook at the sender"
)


def hears_nothing(drill: Drill) -> None:
    """As if the process had ended already."""
    drill.service.directory.on_vouchers = drill.service.directory.on_lost = None


async def is_told(drill: Drill, expected: str) -> None:
    """Those who may see the pages; the sender is answered as to a URL that never was one."""
    unknown = await drill.deliver(path=replace(HOOK, secret="never was one").path)
    assert drill.told[-1].former is None
    answer = await drill.deliver()
    assert reason(drill) == expected
    assert (
        (told(answer), set(answer.headers)) == (told(unknown), set(unknown.headers)) == ((404, {}), {"X-Delivery-Id"})
    )
    assert [each.name for each in await drill.service.former.lately()] == [HOOK.name]


async def test_whose_it_was_is_told_once_its_secret_was_rotated(drill: Drill, embedded_api_server: ApiServer) -> None:
    await revoke_silently(embedded_api_server)
    pass_time(drill, limits.SECRET_FRESH)
    await is_told(drill, ROTATED)
    delivery = drill.told[-1].id

    async def recorded() -> object:
        return await drill.row(delivery)

    await until(recorded)
    row = await drill.row(delivery)
    assert row is not None
    assert (row.state, row.project, row.receiver, row.reason) == (
        State.REFUSED,
        "kargo-demo",
        HOOK.name,
        drill.told[-1].error,
    )
    assert (await drill.deliver()).status == 404
    assert await drill.row(drill.told[-1].id) is None


async def test_whose_it_was_is_told_once_its_receiver_was_deleted(drill: Drill, embedded_api_server: ApiServer) -> None:
    version = drill.service.mirror.version
    await embedded_api_server.apply(project_config([Hook(name="another")]))
    await until(lambda: changed(drill, version))
    await is_told(drill, DELETED)


async def test_whose_it_was_is_told_though_it_was_rotated_while_no_process_was_there(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer
) -> None:
    hears_nothing(drill)
    await revoke(embedded_api_server)
    started = await begin()
    assert started.service.known is not None
    await started.service.known.warm_up()
    await is_told(started, ROTATED)
    again = await begin()
    await again.service.former.warm_up()
    await is_told(again, ROTATED)


async def test_whose_it_was_is_told_though_it_was_deleted_while_no_process_was_there(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer
) -> None:
    hears_nothing(drill)
    await embedded_api_server.apply(project_config([Hook(name="another")]))
    started = await begin()
    assert started.service.known is not None
    await started.service.known.warm_up()
    await is_told(started, DELETED)


async def test_a_url_that_counts_again_is_refreshed_and_told_no_more(
    drill: Drill, embedded_api_server: ApiServer
) -> None:
    await revoke_silently(embedded_api_server)
    pass_time(drill, limits.SECRET_FRESH)
    await is_told(drill, ROTATED)
    await embedded_api_server.apply(secret_of(HOOK))
    pass_time(drill, limits.SECRET_FRESH)
    assert (await drill.deliver(path=NEW.path)).status == 404
    assert reason(drill) == ROTATED
    assert (await drill.deliver()).status == 200
    assert [each.voucher for each in await drill.service.former.lately()] == [voucher_of(NEW.token)]


# While the API server answers, but not everything


async def test_where_its_secret_cannot_be_read_a_process_that_knew_it_refreshes_nothing(
    drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await revoke_silently(embedded_api_server)
    pass_time(drill, limits.SECRET_FRESH)
    proxy.answer(500, times=None, path="/secrets/")
    assert told(await drill.deliver()) == QUEUED
    proxy.clear()
    await is_refused_later(drill, proxy, drill.told[-1].id)


async def test_where_its_secret_is_slow_to_read_a_process_that_knew_it_refreshes_nothing(
    drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await revoke_silently(embedded_api_server)
    pass_time(drill, limits.SECRET_FRESH)
    proxy.hold(path="/secrets/")
    assert told(await drill.deliver()) == QUEUED
    proxy.release()
    proxy.clear()
    await is_refused_later(drill, proxy, drill.told[-1].id)


@pytest.mark.parametrize("fault", ["fails", "hangs"])
async def test_where_no_secret_can_be_read_the_table_of_known_receivers_says_nothing(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy, fault: str
) -> None:
    """Known and unknown URLs get one answer, and nothing waits to be refreshed."""
    await revoke_silently(embedded_api_server)
    if fault == "fails":
        proxy.answer(500, times=None, path="/secrets/")
    else:
        proxy.hang(path="/secrets/")
    started = await begin()
    started.hurry()
    answers = [await started.deliver(), await started.deliver(path=replace(HOOK, secret="never was one").path)]
    assert {told(each)[0] for each in answers} <= {404, 503}
    assert (await started.queues()).waiting == 0


async def test_a_tenant_with_a_monstrous_name_for_a_secret_revives_nothing(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer
) -> None:
    """The API server would answer 431 to who asked for it."""
    config = project_config([Hook(name="odd", project="crowd")], published=[], project="crowd")
    config["spec"]["webhookReceivers"][0]["azure"]["secretRef"]["name"] = "x" * 1_100_000
    await embedded_api_server.apply(config)
    await revoke_silently(embedded_api_server)
    started = await begin()
    assert (await started.deliver()).status == 404


# While the cluster is away


async def test_while_the_cluster_is_away_a_process_that_knew_it_queues_and_nothing_is_refreshed(
    drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await revoke_silently(embedded_api_server)
    pass_time(drill, limits.SECRET_FRESH)
    proxy.reset(times=None)
    assert told(await drill.deliver()) == QUEUED
    proxy.clear()
    await is_refused_later(drill, proxy, drill.told[-1].id)


async def test_while_the_cluster_is_away_a_new_process_queues_and_nothing_is_refreshed(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await revoke_silently(embedded_api_server)
    proxy.reset(times=None)
    started = await begin()
    assert told(await started.deliver()) == QUEUED
    proxy.clear()
    await is_refused_later(started, proxy, started.told[-1].id)


async def test_what_waits_is_refused_again_and_again_until_the_receiver_can_be_read(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.3)
    await revoke_silently(embedded_api_server)
    proxy.reset(times=None)
    started = await begin()
    assert told(await started.deliver()) == QUEUED
    proxy.clear()
    proxy.answer(500, times=None, path="/secrets/")
    patches = len(proxy.sent("PATCH"))
    assert await started.work_off() == 1
    (waiting,) = (await started.queues()).due
    assert waiting.attempts[-1].error
    assert waiting.voucher
    assert len(proxy.sent("PATCH")) == patches
    proxy.clear()
    await is_refused_later(started, proxy, started.told[-1].id)


async def test_delivering_it_again_by_hand_verifies_it_too(
    begin: Begin, drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await revoke_silently(embedded_api_server)
    proxy.reset(times=None)
    started = await begin()
    await started.deliver()
    row = await started.row(started.told[-1].id)
    assert row is not None
    assert started.service.redelivery is not None
    again = await started.service.redelivery.redeliver(row)
    assert again.answer is not None
    assert told(again.answer) == QUEUED
    proxy.clear()
    await started.service.availability.back()
    await until(lambda: ready(started))
    again = await started.service.redelivery.redeliver(row)
    assert again.answer is not None
    assert again.answer.status == 404


async def ready(drill: Drill) -> bool:
    return drill.service.readiness().ready


# What was not revoked


async def test_a_url_that_still_counts_is_refreshed_once_the_cluster_is_back(
    begin: Begin, drill: Drill, proxy: FaultProxy
) -> None:
    proxy.reset(times=None)
    started = await begin()
    assert told(await started.deliver()) == QUEUED
    proxy.clear()
    patches = len(proxy.sent("PATCH"))
    assert await started.work_off() == 1
    assert len(proxy.sent("PATCH")) == patches + 1
    assert await rows_of_the_table(started) == 1


async def test_a_delivery_that_the_cluster_verified_on_arrival_counts_though_its_url_was_revoked_since(
    drill: Drill, embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    proxy.answer(422, times=None, method="PATCH")
    assert told(await drill.deliver()) == (202, {"msg": "queued 1 of 1 refresh(es)"})
    await revoke(embedded_api_server)
    proxy.clear()
    patches = len(proxy.sent("PATCH"))
    assert await drill.work_off() == 1
    assert len(proxy.sent("PATCH")) == patches + 1


async def test_a_cluster_that_is_away_is_told_from_one_that_is_slow_in_time_for_the_answer(
    begin: Begin, drill: Drill, proxy: FaultProxy
) -> None:
    """Nothing answers, so that it takes a probe's patience to know: the known URL is queued all the same."""
    proxy.hang()
    started = await begin()
    started.hurry()
    began = time.monotonic()
    assert told(await started.deliver()) == QUEUED
    assert time.monotonic() - began < limits.ANSWER_BUDGET + limits.QUEUE_GRACE + 5  # on a busy machine
    with started.service.availability.gone() as gone:
        assert gone.done()


async def test_without_a_storage_account_nothing_is_vouched_for(
    embedded_api_server: ApiServer, proxy: FaultProxy
) -> None:
    await furnish(embedded_api_server)
    kubeconfig = embedded_api_server.kubeconfig("kargo-receivers", url=proxy.url)
    service = await runtime.start(Settings(kubeconfig=str(kubeconfig), answer_budget=30.0), {})
    drill = Drill(service)
    assert (await drill.deliver()).status == 200
    proxy.reset(times=None)
    service.availability.suspect()
    await found_away(service.availability)
    pass_time(drill, limits.SECRET_FRESH)
    answer = await drill.deliver()
    assert (answer.status, answer.headers["Retry-After"]) == (503, str(limits.RETRY_AFTER))
    await service.close()
