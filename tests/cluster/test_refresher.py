"""Refreshing by group commit, against API servers that are well and API servers that are not."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from receivers import limits
from receivers.cluster.api import Api, RefusedError
from receivers.cluster.availability import Availability
from receivers.cluster.refresher import (
    ANNOTATION,
    COVERED_SIZE,
    STOPPING,
    Outcome,
    Refresher,
    Result,
    _is_final,
    unique_value,
)
from receivers.events import Target, TargetKind
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, warehouse
from testbed.servers import ApiServer, Object, RealServer
from testbed.waiting import eventually, turns
from tests.cluster.conftest import connect
from tests.cluster.kubectl import Kubectl

GUESTBOOK = Target(PROJECT, "guestbook")
OUTCOME_WITHIN = 60.0  # seconds; a test whose refresh is never settled fails then


async def settled(*futures: asyncio.Future[Outcome]) -> list[Outcome]:
    """The outcomes, once there are all."""
    async with asyncio.timeout(OUTCOME_WITHIN):
        return await asyncio.gather(*(asyncio.shield(future) for future in futures))


async def annotation(server: ApiServer, target: Target = GUESTBOOK) -> str | None:
    """The refresh that is asked for, as the cluster has it."""
    found = await server.get(target.kind, target.name, target.namespace)
    assert found is not None
    value: str | None = (found["metadata"].get("annotations") or {}).get(ANNOTATION)
    return value


class Clock:
    """A clock that stands unless a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def promotion(name: str) -> Object:
    return {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": name, "namespace": PROJECT},
        "spec": {"stage": "test", "freight": "abc", "steps": [{"uses": "git-clone"}]},
    }


@pytest.fixture
async def guestbook(api_server: ApiServer) -> Target:
    """A Warehouse in the cluster."""
    await api_server.apply(warehouse("guestbook"))
    return GUESTBOOK


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts that take long are given up soon."""
    monkeypatch.setattr(limits, "PATCH_TIMEOUT", 0.3)
    monkeypatch.setattr(limits, "BACKOFF_LAST", 0.2)


# One refresh


async def test_the_annotation_is_what_changes_and_nothing_else(
    api_server: ApiServer, refresher: Refresher, guestbook: Target
) -> None:
    before = await api_server.get("Warehouse", "guestbook", PROJECT)
    (outcome,) = await settled(refresher.refresh(guestbook))
    after = await api_server.get("Warehouse", "guestbook", PROJECT)
    assert before is not None
    assert after is not None
    assert outcome == Outcome(result=Result.REFRESHED, attempts=1, value=outcome.value)
    assert after["metadata"].pop("annotations") == {ANNOTATION: outcome.value}
    for each in (before, after):
        each["metadata"].pop("resourceVersion")
        each["metadata"].pop("managedFields", None)
    assert after == before


async def test_kubectl_sees_the_annotation_and_other_annotations_stay(
    refresher: Refresher, guestbook: Target, kubectl: Kubectl
) -> None:
    await kubectl("annotate", "warehouse", "guestbook", "-n", PROJECT, "team=platform")
    (outcome,) = await settled(refresher.refresh(guestbook))
    seen = await kubectl.json("get", "warehouse", "guestbook", "-n", PROJECT)
    assert seen["metadata"]["annotations"] == {"team": "platform", ANNOTATION: outcome.value}


async def test_a_promotion_is_refreshed_as_a_warehouse_is(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    await api_server.apply(promotion("rollout"))
    target = Target(PROJECT, "rollout", TargetKind.PROMOTION)
    api = connect(api_server, fault_proxy.url, user="admin")  # the service's own rights do not reach that far
    refresher = Refresher(api, Availability(api))
    (outcome,) = await settled(refresher.refresh(target))
    assert outcome.result is Result.REFRESHED
    assert await annotation(api_server, target) == outcome.value
    await refresher.close(grace=0)
    await api.close()


async def test_nothing_is_pending_once_all_is_settled(refresher: Refresher, guestbook: Target) -> None:
    future = refresher.refresh(guestbook)
    assert refresher.pending == 1
    await settled(future)
    await eventually(lambda: refresher.pending == 0)


async def test_how_a_refresh_ended_is_told_and_how_long_it_took(
    api: Api, fault_proxy: FaultProxy, guestbook: Target
) -> None:
    clock, told = Clock(), list[tuple[Outcome, float]]()
    refresher = Refresher(api, Availability(api), clock=clock)
    refresher.on_settled = lambda outcome, seconds: told.append((outcome, seconds))
    fault_proxy.hold(method="PATCH")
    asked = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    clock.now += 3
    fault_proxy.release()
    (outcome,) = await settled(asked)
    await refresher.close()
    assert told == [(outcome, 3.0)]


async def test_a_patch_asks_for_no_more_than_metadata_in_return(api: Api, guestbook: Target) -> None:
    path = f"/apis/kargo.akuity.io/v1alpha1/namespaces/{PROJECT}/warehouses/guestbook"
    # What the server answers is not looked at, so that large objects cost nothing; that it is accepted is the test.
    await api.merge_patch(path, b'{"metadata":{"annotations":{"a":"b"}}}', timeout=5)


# Never lost


async def test_two_refreshes_one_after_the_other_within_a_second_change_the_annotation_twice(
    api_server: ApiServer, refresher: Refresher, guestbook: Target
) -> None:
    seen = []
    for _ in range(2):
        await settled(refresher.refresh(guestbook))
        seen.append(await annotation(api_server))
    assert None not in seen
    assert seen[0] != seen[1]


async def test_a_refresh_that_arrives_while_the_first_patch_is_in_flight_changes_the_annotation_again(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    held = fault_proxy.hold(method="PATCH", times=1)
    first = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    second = refresher.refresh(guestbook)
    fault_proxy.release()
    outcomes = await settled(first, second)
    assert held.used == 1
    assert [each.result for each in outcomes] == [Result.REFRESHED, Result.REFRESHED]
    assert [each.status for each in fault_proxy.sent("PATCH")] == [200, 200]
    assert outcomes[0].value != outcomes[1].value
    assert await annotation(api_server) == outcomes[1].value


async def test_the_second_patch_does_not_begin_before_the_first_has_ended(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.delay(0.05, method="PATCH")
    first = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    await settled(first, refresher.refresh(guestbook))
    assert fault_proxy.most_at_once("PATCH") == 1


async def test_a_burst_costs_a_handful_of_patches_and_each_is_served_by_one_that_began_after_it(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.delay(0.02, method="PATCH")

    async def ask(number: int) -> tuple[float, str]:
        for _ in range(number % 7):
            await turns(3)
        asked = time.monotonic()
        (outcome,) = await settled(refresher.refresh(guestbook))
        return asked, outcome.value

    answers = await asyncio.gather(*(ask(number) for number in range(1000)))
    patches = {each.json["metadata"]["annotations"][ANNOTATION]: each for each in fault_proxy.sent("PATCH")}
    assert len(patches) <= 20
    assert all(asked <= patches[value].began for asked, value in answers)
    assert fault_proxy.most_at_once("PATCH") == 1


async def test_a_waiter_that_leaves_does_not_take_the_refresh_from_others(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.hold(method="PATCH", times=1)
    refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    leaves = asyncio.create_task(settled(refresher.refresh(guestbook)))
    stays = asyncio.create_task(settled(refresher.refresh(guestbook)))
    await turns()
    leaves.cancel()
    await asyncio.wait([leaves])
    fault_proxy.release()
    assert [each.result for each in await stays] == [Result.REFRESHED]
    assert leaves.cancelled()


async def test_a_cancelled_future_is_not_handed_to_the_next_who_asks(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.hold(method="PATCH", times=1)
    first = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    refresher.refresh(guestbook).cancel()
    later = refresher.refresh(guestbook)
    fault_proxy.release()
    assert [each.result for each in await settled(first, later)] == [Result.REFRESHED, Result.REFRESHED]


async def test_a_refresh_goes_on_though_nobody_waits_for_it(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.answer(503, times=2, method="PATCH")
    refresher.refresh(guestbook)
    await eventually(lambda: refresher.pending == 0)
    assert await annotation(api_server) is not None


# Many objects


async def test_objects_do_not_wait_for_each_other(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    await api_server.apply(warehouse("other"))
    fault_proxy.hold(method="PATCH", path="guestbook")
    refresher.refresh(guestbook)
    (outcome,) = await settled(refresher.refresh(Target(PROJECT, "other")))
    assert outcome.result is Result.REFRESHED
    assert refresher.pending == 1


async def test_a_fan_out_fills_the_slots_and_never_more(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher
) -> None:
    names = [f"app-{number}" for number in range(60)]
    await api_server.apply(*(warehouse(name) for name in names))
    fault_proxy.hold(method="PATCH")
    futures = [refresher.refresh(Target(PROJECT, name)) for name in names]
    await fault_proxy.wait_for(limits.PATCHES_IN_FLIGHT, "PATCH")
    await turns()
    assert len(fault_proxy.sent("PATCH")) == limits.PATCHES_IN_FLIGHT
    fault_proxy.release()
    outcomes = await settled(*futures)
    assert {each.result for each in outcomes} == {Result.REFRESHED}
    assert len({each.value for each in outcomes}) == len(names)
    assert fault_proxy.most_at_once("PATCH") == limits.PATCHES_IN_FLIGHT


async def test_who_waits_for_a_slot_shares_the_patch_with_those_who_come_meanwhile(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher
) -> None:
    names = [f"app-{number}" for number in range(limits.PATCHES_IN_FLIGHT + 1)]
    await api_server.apply(*(warehouse(name) for name in names))
    fault_proxy.hold(method="PATCH")
    for name in names:
        refresher.refresh(Target(PROJECT, name))
    await fault_proxy.wait_for(limits.PATCHES_IN_FLIGHT, "PATCH")
    last = Target(PROJECT, names[-1])
    futures = [refresher.refresh(last) for _ in range(5)]
    fault_proxy.release()
    assert len({each.value for each in await settled(*futures)}) == 1
    assert len(fault_proxy.sent("PATCH", f"/{last.name}")) == 1


# What goes wrong


async def test_a_warehouse_that_is_gone_is_told_so_and_not_asked_again(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher
) -> None:
    await api_server.apply(warehouse("other"))
    (outcome,) = await settled(refresher.refresh(GUESTBOOK))
    assert (outcome.result, outcome.attempts) == (Result.GONE, 1)
    assert len(fault_proxy.sent("PATCH")) == 1


@pytest.mark.parametrize("status", [403, 408, 409, 429, 500, 502, 503, 504])
async def test_an_error_that_may_pass_is_tried_again(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target, status: int
) -> None:
    fault_proxy.answer(status, times=2, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert (outcome.result, outcome.attempts) == (Result.REFRESHED, 3)


@pytest.mark.parametrize("status", [400, 405, 406, 413, 415, 422])
async def test_an_error_that_will_not_pass_is_not_tried_again(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target, status: int
) -> None:
    fault_proxy.answer(status, times=None, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert (outcome.result, outcome.attempts) == (Result.FAILED, 1)
    assert outcome.error == f"{status} told by the test"


async def test_a_credential_that_is_rejected_is_tried_again(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.answer(401, times=3, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert outcome.result is Result.REFRESHED
    assert outcome.attempts == 2  # each of which asks for a newer credential once


async def test_retry_after_is_honoured(fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target) -> None:
    fault_proxy.answer(429, retry_after=1, method="PATCH")
    await settled(refresher.refresh(guestbook))
    refused, repeated = fault_proxy.sent("PATCH")
    assert refused.ended is not None
    assert repeated.began - refused.ended >= 1.0


async def test_a_connection_that_is_reset_is_tried_again(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.reset(times=2, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert (outcome.result, outcome.attempts) == (Result.REFRESHED, 3)


@pytest.mark.usefixtures("impatient")
async def test_an_attempt_that_hangs_is_given_up_and_tried_again(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.hang(times=1, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert (outcome.result, outcome.attempts) == (Result.REFRESHED, 2)


async def test_a_patch_whose_answer_is_lost_is_made_again_with_a_new_value(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.answer(503, forward=True, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    values = [each.json["metadata"]["annotations"][ANNOTATION] for each in fault_proxy.sent("PATCH")]
    assert outcome.attempts == 2
    assert len(set(values)) == 2
    assert await annotation(api_server) == values[-1] == outcome.value


@pytest.mark.usefixtures("impatient")
async def test_who_joins_while_an_attempt_fails_is_served_by_the_next_attempt(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.hang(times=1, method="PATCH")
    first = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    second = refresher.refresh(guestbook)
    outcomes = await settled(first, second)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].result is Result.REFRESHED
    assert len(fault_proxy.sent("PATCH")) == 2


async def test_after_the_deadline_the_last_error_is_told(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REFRESH_DEADLINE", 0.3)
    fault_proxy.answer(403, times=None, method="PATCH")
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert outcome.result is Result.FAILED
    assert outcome.error == "403 told by the test"
    assert outcome.attempts == len(fault_proxy.sent("PATCH")) > 1
    assert outcome.value == ""


async def test_who_asks_late_is_tried_for_the_whole_time(api: Api, fault_proxy: FaultProxy, guestbook: Target) -> None:
    clock = Clock()
    refresher = Refresher(api, Availability(api), clock=clock)
    fault_proxy.answer(403, times=None, method="PATCH")
    early = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    clock.now += limits.REFRESH_DEADLINE - 20
    late = refresher.refresh(guestbook)
    await fault_proxy.wait_for(3, "PATCH")
    clock.now += 40
    await fault_proxy.wait_for(len(fault_proxy.sent("PATCH")) + 2, "PATCH")
    fault_proxy.clear()
    assert [each.result for each in await settled(early, late)] == [Result.REFRESHED, Result.REFRESHED]
    await refresher.close(grace=0)


async def test_what_a_failed_refresh_says_and_logs_names_no_url_and_no_token(
    api_server: ApiServer,
    fault_proxy: FaultProxy,
    refresher: Refresher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(limits, "REFRESH_DEADLINE", 0.1)
    await api_server.apply(warehouse("guestbook"))
    fault_proxy.reset(times=None, method="PATCH")
    (outcome,) = await settled(refresher.refresh(GUESTBOOK))
    assert outcome.error in caplog.text
    assert api_server.token("kargo-receivers") not in caplog.text
    assert "127.0.0.1" not in caplog.text


# The cluster away


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_is_killed_and_started_again_serves_those_who_waited(
    api_server: ApiServer, refresher: Refresher, guestbook: Target
) -> None:
    await api_server.stop()
    waiting = refresher.refresh(guestbook)
    await turns()
    await api_server.start()
    (outcome,) = await settled(waiting)
    assert outcome.result is Result.REFRESHED
    assert await annotation(api_server) == outcome.value


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_is_killed_under_load_loses_nobody(api_server: ApiServer, refresher: Refresher) -> None:
    targets = [Target(PROJECT, f"app-{number}") for number in range(40)]
    await api_server.apply(*(warehouse(target.name) for target in targets))
    futures = [refresher.refresh(target) for target in targets]
    await settled(futures[0])
    await api_server.stop()
    futures += [refresher.refresh(target) for target in targets]
    await turns()
    await api_server.start()
    outcomes = await settled(*futures)
    assert {each.result for each in outcomes} == {Result.REFRESHED}
    written = [await annotation(api_server, target) for target in targets]
    assert written == [each.value for each in outcomes[len(targets) :]]


@pytest.mark.usefixtures("impatient")
async def test_a_paused_database_serves_those_who_waited_once_it_goes_on(
    real_api_server: RealServer,
) -> None:
    await real_api_server.apply(warehouse("guestbook"))
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        api = connect(real_api_server, proxy.url)
        availability = Availability(api)
        refresher = Refresher(api, availability)
        real_api_server.pause_etcd()
        waiting = refresher.refresh(GUESTBOOK)
        await proxy.wait_for(2, "PATCH")
        assert not waiting.done()
        real_api_server.resume_etcd()
        (outcome,) = await settled(waiting)
        assert outcome.result is Result.REFRESHED
        await refresher.close()
        await availability.close()
        await api.close()


# Stopping


async def test_closing_lets_a_patch_under_way_end(
    api_server: ApiServer, fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.hold(method="PATCH")
    future = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    closing = asyncio.create_task(refresher.close(grace=OUTCOME_WITHIN))
    await turns()
    fault_proxy.release()
    await closing
    assert future.result().result is Result.REFRESHED
    assert await annotation(api_server) == future.result().value


async def test_closing_tells_everybody_who_still_waits(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.hang(method="PATCH")
    first = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    second = refresher.refresh(guestbook)
    await refresher.close(grace=0)
    assert [first.result(), second.result()] == [STOPPING, STOPPING]
    assert (STOPPING.result, STOPPING.attempts) == (Result.FAILED, 0)
    assert refresher.pending == 0


async def test_closing_tells_who_waits_out_a_back_off(
    fault_proxy: FaultProxy, refresher: Refresher, guestbook: Target
) -> None:
    fault_proxy.answer(429, times=None, retry_after=30, method="PATCH")
    future = refresher.refresh(guestbook)
    await fault_proxy.wait_for(1, "PATCH")
    await refresher.close(grace=0)
    assert future.result() == STOPPING


async def test_a_refresh_that_had_no_time_to_begin_is_told_too(refresher: Refresher, fault_proxy: FaultProxy) -> None:
    fault_proxy.hang(method="PATCH")
    futures = [refresher.refresh(GUESTBOOK)]
    closing = asyncio.create_task(refresher.close(grace=0))
    while not closing.done():
        futures.append(refresher.refresh(Target(PROJECT, f"late-{len(futures)}")))
        await asyncio.sleep(0)
    futures.append(refresher.refresh(Target(PROJECT, "after")))
    assert {future.result() for future in futures} == {STOPPING}
    assert refresher.pending == 0


# What was done


async def test_a_refresh_covers_what_was_asked_for_before_its_patch_began(api: Api, guestbook: Target) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    refresher = Refresher(api, Availability(api), now=lambda: now)
    long_before = now - timedelta(minutes=1)
    assert refresher.covered(guestbook, since=long_before) is None
    (outcome,) = await settled(refresher.refresh(guestbook))
    assert refresher.covered(guestbook, since=long_before) == outcome
    assert refresher.covered(guestbook, since=now) is None
    assert refresher.covered(Target(PROJECT, "other"), since=long_before) is None
    await refresher.close()


async def test_refreshes_are_remembered_for_an_hour_and_only_the_latest_ones(
    api: Api, guestbook: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COVERED", 2)
    passed = 0.0
    refresher = Refresher(api, Availability(api), clock=lambda: passed)
    long_before = datetime(2026, 1, 1, tzinfo=UTC)
    await settled(refresher.refresh(guestbook))
    assert refresher.covered(guestbook, since=long_before) is not None
    passed = limits.COVERED_AGE + 1
    assert refresher.covered(guestbook, since=long_before) is None
    for number in range(3):
        refresher._covered.put(Target(PROJECT, f"warehouse-{number}"), (long_before, STOPPING), size=COVERED_SIZE)
    assert len(refresher._covered) == 2
    await refresher.close()


# What is written


def test_values_are_unique_and_sort_by_time() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    values = [unique_value(now) for _ in range(10)]
    assert len(set(values)) == 10
    assert all(value.startswith("2026-01-02T03:04:05.000678Z-") for value in values)
    assert unique_value(now) < unique_value(now + timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (RefusedError(500, "etcdserver: request is too large"), True),
        (RefusedError(500, "etcdserver: leader changed"), False),
        (RefusedError(422, "invalid"), True),
        (RefusedError(429, "too many requests"), False),
    ],
)
def test_an_object_that_takes_no_annotation_more_is_not_asked_again(error: RefusedError, *, final: bool) -> None:
    """Such a Warehouse can be stored, and every patch of it is answered 500."""
    assert _is_final(error) is final
