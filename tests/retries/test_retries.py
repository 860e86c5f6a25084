"""Deliveries that could not be refreshed in time: they wait, and are refreshed later."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from receivers import limits
from receivers.cluster import refresher
from receivers.deliveries.answers import Answer
from receivers.directory.directory import voucher_of
from receivers.events import Target, TargetKind
from receivers.journal.journal import State
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from receivers.retries import messages
from receivers.retries.messages import Attempt, Message
from receivers.retries.queue import PARKED, RetryQueue
from receivers.retries.retries import REFUTED, Retries
from receivers.storage.account import StorageError
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, project_config, promotion, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer
from tests.drill import HOOK, Drill, furnish, running
from tests.examples import push
from tests.service import acr_push, until


@pytest.fixture
async def proxy(embedded_api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(embedded_api_server.url) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is due at once, and a cluster that is away is noticed and found again soon."""
    monkeypatch.setattr(limits, "RETRY_DELAYS", (0.0,))
    monkeypatch.setattr(limits, "CALL_SLOW", 0.1)
    monkeypatch.setattr(limits, "PROBE_TIMEOUT", 0.2)
    monkeypatch.setattr(limits, "PROBE_INTERVAL", 0.1)


@pytest.fixture
async def drill(embedded_api_server: ApiServer, proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Drill]:
    await furnish(embedded_api_server)
    kubeconfig = embedded_api_server.kubeconfig("kargo-receivers", url=proxy.url)
    async with running(kubeconfig, azurite) as drill:
        assert (await drill.deliver(tag="1.0.0")).status == 200  # it has listed the cluster
        yield drill
        proxy.clear()


def message(*, tag: str = "1.2.3", received_at: datetime | None = None) -> Message:
    return Message(
        delivery="0" * 24,
        received_at=received_at or datetime.now(UTC),
        provider="azure",
        receiver="acr",
        project=PROJECT,
        events=[push(tag=tag)],
    )


FAULTS: dict[str, Callable[[FaultProxy], object]] = {
    "hangs": lambda proxy: proxy.hang(method="PATCH") and proxy.hang(path="clusterconfigs", watch=False),
    "resets connections": lambda proxy: proxy.reset(times=None),
    "says that it is busy": lambda proxy: proxy.answer(429, times=None, retry_after=30, method="PATCH"),
    "fails": lambda proxy: proxy.answer(500, times=None, method="PATCH"),
    "refuses": lambda proxy: proxy.answer(422, times=None, method="PATCH"),
    "forbids": lambda proxy: proxy.answer(403, times=None, method="PATCH"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_delivery_is_accepted_though_the_cluster(fault: str, drill: Drill, proxy: FaultProxy) -> None:
    FAULTS[fault](proxy)
    drill.hurry()
    answer = await drill.deliver()
    assert (answer.status, answer.body) == (202, {"msg": "queued 1 of 1 refresh(es)"})
    contents = await drill.queues()
    assert [each.delivery for each in contents.due] == [drill.told[-1].id]
    assert contents.due[0].events == drill.told[-1].triggers


async def test_it_is_refreshed_once_the_cluster_is_back(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    proxy.answer(422, times=None, method="PATCH")
    await drill.deliver()
    before = await refresh_of(embedded_api_server, "app")
    proxy.clear()
    assert await drill.work_off() == 1
    assert await refresh_of(embedded_api_server, "app") != before
    assert (await drill.queues()).waiting == 0


PULL_REQUEST = "https://dev.azure.com/team/app/_git/app/pullrequest/7"


async def merge(drill: Drill) -> Answer:
    """Azure DevOps tells that the pull request was merged."""
    example = PROVIDERS["azure"].pull_request
    assert example is not None
    return await drill.deliver(body=json.loads(example(PULL_REQUEST, datetime.now(UTC)).body))


async def test_a_promotion_is_refreshed_once_the_cluster_is_back(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    await embedded_api_server.apply(promotion("waiting", PULL_REQUEST))
    proxy.answer(422, times=None, method="PATCH")
    assert (await merge(drill)).status == 202
    proxy.clear()
    assert await drill.work_off() == 1
    assert await refresh_of(embedded_api_server, "waiting", kind="Promotion")
    await until(lambda: has_state(drill, drill.told[-1].id, State.REFRESHED))
    row = await drill.row(drill.told[-1].id)
    assert row is not None
    assert [(each.kind, each.name) for each in row.warehouses] == [(TargetKind.PROMOTION, "waiting")]


async def test_the_first_closed_pull_request_waits_until_the_promotions_are_known(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    await embedded_api_server.apply(promotion("waiting", PULL_REQUEST))
    proxy.hold(path="promotions")
    drill.hurry()
    assert (await merge(drill)).status == 202
    proxy.release()
    assert await drill.work_off() == 1
    assert await refresh_of(embedded_api_server, "waiting", kind="Promotion")


async def test_a_try_that_fails_waits_for_the_next_one_and_tells_why(
    drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.1)
    proxy.answer(422, times=None, method="PATCH")
    await drill.deliver()
    await drill.work_off()
    (waiting,) = (await drill.queues()).due
    assert waiting.tries == 1
    assert waiting.attempts[0].error


async def test_a_try_waits_a_little_for_a_cluster_that_is_away(
    drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_WAIT", 60.0)  # the machine may be busy
    proxy.reset(times=None)
    await drill.deliver()
    await until(lambda: away(drill))
    trying = asyncio.create_task(drill.work_off())
    await until(lambda: taken(drill))
    proxy.clear()
    assert await trying == 1
    assert (await drill.queues()).waiting == 0


async def taken(drill: Drill) -> bool:
    return not (await drill.queues()).due


async def away(drill: Drill) -> bool:
    return drill.service.availability.away_for is not None


async def test_a_warehouse_that_was_refreshed_meanwhile_is_not_refreshed_again(drill: Drill, proxy: FaultProxy) -> None:
    await drill.deliver()
    sent = len(proxy.sent("PATCH"))
    past = datetime.now(UTC) - timedelta(seconds=limits.CLOCK_SKEW + 1)
    await retries_of(drill).handle(messages.encode(message(received_at=past)))
    assert len(proxy.sent("PATCH")) == sent


async def test_a_patch_that_may_have_begun_before_the_arrival_does_not_count(drill: Drill, proxy: FaultProxy) -> None:
    await drill.deliver()
    sent = len(proxy.sent("PATCH"))
    await retries_of(drill).handle(messages.encode(message(received_at=datetime.now(UTC) - timedelta(seconds=4))))
    assert len(proxy.sent("PATCH")) == sent + 1


def retries_of(drill: Drill) -> Retries:
    assert drill.service.retries is not None
    return drill.service.retries


def queue_of(drill: Drill) -> RetryQueue:
    assert drill.service.queue is not None
    return drill.service.queue


async def test_a_delivery_is_given_up_after_three_days_with_the_reason(drill: Drill, proxy: FaultProxy) -> None:
    proxy.answer(422, times=None, method="PATCH")
    past = datetime.now(UTC) - timedelta(seconds=limits.RETRY_AGE + 1)
    await retries_of(drill).handle(messages.encode(message(tag="2.0.0", received_at=past)))
    contents = await drill.queues()
    assert contents.waiting == 0
    (given_up,) = contents.poison
    assert given_up.poisoned.reason.startswith("given up after 1 tries: 422")
    await until(lambda: has_state(drill, "0" * 24, State.FAILED))


async def has_state(drill: Drill, delivery: str, state: State) -> bool:
    row = await drill.row(delivery)
    return row is not None and row.state == state


async def test_what_was_given_up_is_refreshed_when_it_is_revived(drill: Drill, proxy: FaultProxy) -> None:
    proxy.answer(422, times=None, method="PATCH")
    past = datetime.now(UTC) - timedelta(seconds=limits.RETRY_AGE + 1)
    await retries_of(drill).handle(messages.encode(message(tag="2.0.0", received_at=past)))
    proxy.clear()
    assert await queue_of(drill).revive() == 1
    await drill.work_off()
    contents = await drill.queues()
    assert (contents.waiting, contents.poisoned) == (0, 0)
    await until(lambda: has_state(drill, "0" * 24, State.REFRESHED))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.binary().filter(lambda text: text != messages.HERALD))
async def test_what_cannot_be_read_goes_to_the_poison_queue_and_never_comes_back(drill: Drill, text: bytes) -> None:
    before = (await drill.queues()).poisoned
    await retries_of(drill).handle(text)
    contents = await drill.queues()
    assert (contents.waiting, contents.poisoned) == (0, before + 1)


async def test_the_poison_queue_tells_why_a_message_could_not_be_read(drill: Drill) -> None:
    await retries_of(drill).handle(messages.encode(message()).replace(b'"version":2', b'"version":7'))
    ((poisoned,)) = (await drill.queues()).poison
    assert poisoned.poisoned.reason == "its version is 7; this service reads versions 1 and 2"


async def test_a_message_that_can_be_put_nowhere_is_left_to_the_host(
    drill: Drill, proxy: FaultProxy, azurite: Azurite
) -> None:
    await azurite.stop()
    with pytest.raises(StorageError):
        await retries_of(drill).handle(b"unreadable")
    proxy.answer(422, times=None, method="PATCH")
    with pytest.raises(StorageError):
        await retries_of(drill).handle(messages.encode(message()))


async def test_with_cluster_and_queue_away_the_sender_is_asked_to_come_again(
    drill: Drill, proxy: FaultProxy, azurite: Azurite
) -> None:
    await azurite.stop()
    proxy.answer(422, times=None, method="PATCH")
    answer = await drill.deliver()
    assert (answer.status, answer.headers["Retry-After"]) == (503, str(limits.RETRY_AFTER))
    assert "the retry queue cannot be reached" in drill.told[-1].error
    assert "cannot be reached" in drill.service.readiness().document["retryQueue"]


async def test_a_slow_queue_is_waited_for_beyond_the_budget_so_that_the_delivery_is_not_lost(
    drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patch takes the whole budget, so only the grace is left for the queue."""
    monkeypatch.setattr(limits, "QUEUE_GRACE", 20.0)
    drill.service.pipeline._budget, drill.service.pipeline._reserve = 1.1, 0.0
    proxy.hang(method="PATCH")
    assert (await drill.deliver()).status == 202


async def test_a_queue_that_hangs_costs_little_more_than_the_budget(
    drill: Drill, proxy: FaultProxy, azurite: Azurite
) -> None:
    """The order of events tells it: the answer is there while the queue still hangs."""
    proxy.answer(422, times=None, method="PATCH")
    drill.hurry()
    azurite.pause()
    try:
        answer = await drill.deliver()
    finally:
        azurite.resume()
    assert answer.status == 503


async def test_a_cluster_known_to_be_away_is_not_waited_for(drill: Drill, proxy: FaultProxy) -> None:
    """Patches hang for the whole test, so whoever waits for one gets no answer before its budget ends."""
    proxy.hang(method="PATCH")
    proxy.hang(path="clusterconfigs", watch=False)
    await drill.deliver()
    await until(lambda: away(drill))
    answers = [drill.deliver(tag=f"1.0.{number}") for number in range(20)]
    async with asyncio.timeout(drill.service.settings.answer_budget):  # one after the other, within the budget of one
        assert {(await answer).status for answer in answers} == {202}
    assert (await drill.queues()).waiting == 21


async def test_deliveries_that_wait_are_told_as_soon_as_the_cluster_is_known_to_be_away(
    drill: Drill, proxy: FaultProxy
) -> None:
    """With a budget of an hour only the probe can have ended the wait."""
    drill.service.pipeline._budget = 3600.0
    proxy.hang(method="PATCH")
    probe = proxy.hang(path="clusterconfigs", watch=False)
    assert (await drill.deliver()).status == 202
    assert probe.used >= 1


async def test_what_waits_is_worked_off_with_few_patches_once_the_cluster_is_back(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresher, "CLOCK_SKEW", timedelta(0))  # there is but one clock here
    names = [f"app-{number}" for number in range(40)]
    await embedded_api_server.apply(*(warehouse(name, constraint="^3.0.0") for name in names))
    await until(lambda: known(drill, 42))
    proxy.hang(method="PATCH")
    proxy.hang(path="clusterconfigs", watch=False)
    for number in range(10):
        await drill.deliver(tag=f"3.0.{number}")
    await until(lambda: away(drill))
    proxy.requests.clear()
    proxy.clear()
    await until(lambda: all_refreshed(embedded_api_server, names))
    await until(lambda: worked_off(drill))
    assert proxy.most_at_once("PATCH") <= limits.PATCHES_IN_FLIGHT
    assert len(proxy.sent("PATCH")) <= 2 * len(names)  # ten deliveries wanted each of them, and asked again later


async def known(drill: Drill, warehouses: int) -> bool:
    return drill.service.mirror.index.count(PROJECT) == warehouses


async def all_refreshed(server: ApiServer, names: list[str]) -> bool:
    found = await server.every("Warehouse", namespace=PROJECT)
    return all(each["metadata"].get("annotations") for each in found if each["metadata"]["name"] in names)


async def worked_off(drill: Drill) -> bool:
    await drill.work_off()
    return (await drill.queues()).waiting == 0


async def test_a_delivery_counts_though_its_receiver_was_deleted_meanwhile(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    proxy.answer(422, times=None, method="PATCH")
    await drill.deliver()
    await embedded_api_server.delete("ProjectConfig", PROJECT, PROJECT)
    await until(lambda: forgotten(drill))
    proxy.clear()
    await drill.work_off()
    await until(lambda: has_state(drill, drill.told[-1].id, State.REFRESHED))


async def forgotten(drill: Drill) -> bool:
    return not drill.service.mirror.receivers()


async def test_a_delivery_counts_though_its_secret_was_rotated_meanwhile(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    proxy.answer(422, times=None, method="PATCH")
    await drill.deliver()
    rotated = replace(HOOK, secret="another-secret")
    await embedded_api_server.apply(project_config([rotated]), secret_of(rotated))
    proxy.clear()
    await drill.work_off()
    await until(lambda: has_state(drill, drill.told[-1].id, State.REFRESHED))


async def test_subscriptions_count_as_they_are_when_it_is_tried_again(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    proxy.answer(422, times=None, method="PATCH")
    await drill.deliver()
    await embedded_api_server.delete("Warehouse", "app", PROJECT)
    await embedded_api_server.apply(warehouse("new", constraint=">=1.2.0"))
    await until(lambda: wants(drill, "new"))
    proxy.clear()
    await drill.work_off()
    assert await refresh_of(embedded_api_server, "new")


async def wants(drill: Drill, name: str) -> bool:
    decisions = drill.service.mirror.index.match(push(), project=PROJECT)
    return [decision.target.name for decision in decisions if decision.refresh] == [name]


async def test_a_batch_with_more_events_than_a_message_takes_is_refreshed_whole(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    await embedded_api_server.apply(warehouse("last", constraint="5.0.0"))
    await until(lambda: known(drill, 3))
    proxy.answer(422, times=None, method="PATCH")
    tags = [*(f"4.0.{number}" for number in range(400)), "5.0.0"]
    await drill.deliver(body=[image_pushed(tag) for tag in tags])
    contents = await drill.queues()
    assert contents.waiting == len(contents.due) > 1
    proxy.clear()
    await drill.work_off()
    assert await refresh_of(embedded_api_server, "last")


def image_pushed(tag: str) -> dict[str, object]:
    """An event of Event Grid."""
    push = acr_push(tag=tag)
    return {
        "id": f"event-{tag}",
        "eventType": "Microsoft.ContainerRegistry.ImagePushed",
        "eventTime": "2026-11-21T12:00:00Z",
        "dataVersion": "1.0",
        "subject": "team/app",
        "topic": "/subscriptions/0/registry",
        "data": push,
    }


async def test_a_try_tells_how_it_ended(drill: Drill, proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await retries_of(drill).handle(messages.encode(message()))
    assert f"delivery {'0' * 24}, try 1: refreshed 1 Warehouse(s)" in caplog.text
    proxy.answer(422, times=None, method="PATCH")
    await retries_of(drill).handle(messages.encode(message()))
    assert "422 told by the test; tried again later" in caplog.text


def vouched_for(token: str) -> Message:
    """A delivery whose URL the cluster could not prove on arrival."""
    return structs.replace(message(), voucher=voucher_of(token), source=f"ProjectConfig {PROJECT}")


async def test_a_url_that_the_cluster_confirms_later_counts_and_is_confirmed_once(
    drill: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    before = await refresh_of(embedded_api_server, "app")
    proxy.answer(422, times=1, method="PATCH")
    await retries_of(drill).handle(messages.encode(vouched_for(HOOK.token)))
    (waiting,) = (await drill.queues()).due
    assert (waiting.voucher, waiting.source) == ("", "")
    await embedded_api_server.delete("ProjectConfig", PROJECT, PROJECT)
    await until(lambda: forgotten(drill))
    await drill.work_off()
    assert await refresh_of(embedded_api_server, "app") != before


async def test_what_is_known_of_a_sender_in_generic_s_place_is_known_under_generic_s_url(drill: Drill) -> None:
    refuted: list[str] = []

    class Vouching:
        def refuted(self, provider: str, _voucher: str) -> None:
            refuted.append(provider)

    retries_of(drill)._known = Vouching()
    message = structs.replace(vouched_for("0" * 64), provider="zot")
    await retries_of(drill).handle(messages.encode(message))
    assert refuted == ["generic"]


async def test_a_url_that_the_cluster_refutes_later_refreshes_nothing_and_is_forgotten(
    drill: Drill, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    refuted: list[tuple[str, str]] = []

    class Vouching:
        def refuted(self, provider: str, voucher: str) -> None:
            refuted.append((provider, voucher))

    retries_of(drill)._known = Vouching()
    sent = len(proxy.sent("PATCH"))
    await retries_of(drill).handle(messages.encode(vouched_for("0" * 64)))
    assert len(proxy.sent("PATCH")) == sent
    assert (await drill.queues()).waiting == 0
    assert refuted == [("azure", voucher_of("0" * 64))]
    assert f"delivery {'0' * 24} is refused: {REFUTED}" in caplog.text
    await until(lambda: has_state(drill, "0" * 24, State.REFUSED))
    row = await drill.row("0" * 24)
    assert row is not None
    assert row.reason == REFUTED


async def test_a_try_throughout_which_the_cluster_is_away_is_kept_with_the_reason(
    drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try without a reason is one that is done, so the delivery would be lost."""
    proxy.reset(times=None)
    drill.service.availability.suspect()
    await until(lambda: away(drill))
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.1)
    monkeypatch.setattr(drill.service.availability, "_clock", lambda: 0.0)  # it has just left
    await retries_of(drill).handle(messages.encode(message()))
    (waiting,) = (await drill.queues()).due
    assert [each.error for each in waiting.attempts] == ["the cluster did not answer in time"]


async def test_a_try_while_the_cluster_has_been_away_for_long_is_kept_with_the_reason(outage: Drill) -> None:
    await retries_of(outage).handle(messages.encode(message()))
    (waiting,) = (await outage.queues()).due
    assert [each.error for each in waiting.attempts] == ["the cluster is away"]


async def test_a_try_before_the_cluster_was_ever_seen_waits_for_the_next_one(
    embedded_api_server: ApiServer, proxy: FaultProxy, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.1)
    proxy.reset(times=None)
    async with running(embedded_api_server.kubeconfig("kargo-receivers", url=proxy.url), azurite) as drill:
        await retries_of(drill).handle(messages.encode(message()))
        (waiting,) = (await drill.queues()).due
    assert waiting.tries == 1
    assert waiting.attempts[0].error


# An outage


async def parked(drill: Drill) -> int:
    assert drill.service.storage is not None
    queue = await drill.service.storage.queue(PARKED)
    try:
        return (await queue.get_queue_properties()).approximate_message_count or 0
    except ResourceNotFoundError:
        return 0


@pytest.fixture
async def outage(drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Drill:
    """A service whose cluster has been away for longer than a try waits for it."""
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.1)
    monkeypatch.setattr(limits, "HERALD_DELAY", 0.0)
    monkeypatch.setattr(limits, "RELEASE_SPREAD", 0.0)
    proxy.reset(times=None)
    drill.service.availability.suspect()
    await until(lambda: away_for_long(drill))
    return drill


async def away_for_long(drill: Drill) -> bool:
    return (drill.service.availability.away_for or 0) >= limits.RETRY_WAIT


async def nothing_waits(drill: Drill) -> bool:
    await drill.work_off()
    contents = await drill.queues()
    return not contents.waiting and not await parked(drill)


async def test_while_the_cluster_is_away_what_waits_is_parked_and_released_once_it_is_back(
    outage: Drill, proxy: FaultProxy, embedded_api_server: ApiServer
) -> None:
    """Nine tries would be followed by an hour's wait; and nobody is given up on while there was no cluster to ask."""
    old = datetime.now(UTC) - timedelta(seconds=limits.RETRY_AGE + 1)
    waited = message(received_at=old)
    for _ in range(9):
        waited = waited.tried(Attempt(at=old, refreshed=0, error="the cluster is away"))
    before = await refresh_of(embedded_api_server, "app")
    await retries_of(outage).handle(messages.encode(waited))
    await outage.deliver()
    await outage.work_off()
    assert await parked(outage) == 2
    assert len((await outage.queues()).due) == (await outage.queues()).waiting == 2
    proxy.clear()
    await until(lambda: nothing_waits(outage))
    assert await refresh_of(embedded_api_server, "app") != before
    assert (await outage.queues()).poisoned == 0


async def test_the_herald_releases_what_a_process_parked_that_is_gone(
    outage: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process sees the cluster come back; another one gets the herald later."""
    monkeypatch.setattr(outage.service.availability, "on_back", None)
    await retries_of(outage).handle(messages.encode(message()))
    assert await parked(outage) == 1
    for _ in range(3):  # the cluster stays away, and the herald goes on
        assert await outage.work_off() == 1
    proxy.clear()
    await outage.service.availability.back()
    assert await parked(outage) == 1
    await until(lambda: nothing_waits(outage))


async def test_several_processes_release_each_message_once(outage: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HERALD_DELAY", 3600.0)  # one herald, not seen in this test
    for _ in range(70):
        await queue_of(outage).park(message())
    assert outage.service.storage is not None
    others = [RetryQueue(outage.service.storage) for _ in range(2)]
    released = await asyncio.gather(*(each.release() for each in (queue_of(outage), *others)))
    assert sum(released) == 70
    assert await parked(outage) == 0


async def test_a_process_that_is_stopped_while_it_tries_leaves_a_copy_and_one_that_is_done_does_not(
    drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Functions host alone would offer the message again after ten minutes."""
    assert limits.RETRY_INSURANCE <= 60
    monkeypatch.setattr(limits, "RETRY_INSURANCE", 0.0)  # so that it is seen at once
    await retries_of(drill).handle(messages.encode(message()))
    assert (await drill.queues()).waiting == 0
    proxy.hold(method="PATCH")
    trying = asyncio.create_task(retries_of(drill).handle(messages.encode(message())))
    await proxy.wait_for(len(proxy.sent("PATCH")) + 1, "PATCH")
    trying.cancel()
    await asyncio.wait({trying})
    assert [each.delivery for each in (await drill.queues()).due] == ["0" * 24]
    proxy.release()


async def test_without_a_copy_a_message_is_tried_all_the_same(
    drill: Drill, embedded_api_server: ApiServer, azurite: Azurite
) -> None:
    before = await refresh_of(embedded_api_server, "app")
    await azurite.stop()
    await retries_of(drill).handle(messages.encode(message()))
    assert await refresh_of(embedded_api_server, "app") != before


async def test_however_many_tries_of_a_project_fail_they_keep_others_waiting_for_the_first_few_alone(
    embedded_api_server: ApiServer, drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is for a Warehouse of its own, and a handler of the Functions host works on one after the other."""
    hostile, many, patience = "hostile", 30, 1.0
    monkeypatch.setattr(limits, "RETRY_WAIT", patience)
    images = [f"registry.example.com/hostile-{number}" for number in range(many)]
    await embedded_api_server.apply(
        *(warehouse(f"w-{n}", project=hostile, image=each) for n, each in enumerate(images))
    )
    proxy.answer(403, times=None, method="PATCH", path=f"/namespaces/{hostile}/")
    service = drill.service
    assert service.retries is not None
    await until(lambda: read(drill, hostile, many))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for image in images:
        await service.retries.handle(messages.encode(hostile_message(project=hostile, image=image)))
    assert loop.time() - began < patience * many / 3  # each waited for would be 30 s
    before = await refresh_of(embedded_api_server, "app")
    await service.retries.handle(messages.encode(message()))
    assert await refresh_of(embedded_api_server, "app") != before


async def test_a_warehouse_that_fails_again_and_again_takes_no_time_from_the_others_of_its_project(
    embedded_api_server: ApiServer, drill: Drill, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.5)
    failing = "registry.example.com/failing"
    await embedded_api_server.apply(warehouse("failing", image=failing))
    await until(lambda: read(drill, PROJECT, 3))
    proxy.answer(403, times=None, method="PATCH", path="/warehouses/failing")
    await retries_of(drill).handle(messages.encode(hostile_message(project=PROJECT, image=failing)))
    assert drill.service.refresher.struggles(Target(PROJECT, "failing"))
    before = (await drill.queues()).waiting
    await retries_of(drill).handle(messages.encode(message()))
    assert (await drill.queues()).waiting == before, "its try has seen the refresh"


async def read(drill: Drill, project: str, warehouses: int) -> bool:
    return drill.service.mirror.index.count(project) == warehouses


def hostile_message(*, project: str, image: str) -> Message:
    return structs.replace(message(), project=project, events=[structs.replace(push(), repository_urls=(image,))])


async def test_every_release_under_way_ends_with_the_service(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster may come back twice before the first one is done."""
    begun, ended = 0, 0

    async def release() -> int:
        nonlocal begun, ended
        begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1
        raise AssertionError

    monkeypatch.setattr(queue_of(drill), "release", release)
    retries_of(drill).cluster_is_back()
    retries_of(drill).cluster_is_back()
    await asyncio.sleep(0)
    await retries_of(drill).close()
    assert (begun, ended) == (2, 2)
