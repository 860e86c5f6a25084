"""Whether the cluster answers at all is found out once, for everybody who wants to know."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from receivers import limits
from receivers.cluster.api import Api, ClusterError, RefusedError, UnreachableError
from receivers.cluster.availability import PROBE, Availability, AwayError
from receivers.cluster.refresher import Refresher, Result
from receivers.events import Target
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, warehouse
from testbed.servers import ApiServer
from testbed.waiting import eventually, found_away, turns


class Clock:
    """A clock that stands unless a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def availability(api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Availability]:
    monkeypatch.setattr(limits, "PROBE_INTERVAL", 0.05)
    availability = Availability(api, clock=clock)
    yield availability
    await availability.close()


def probes(proxy: FaultProxy) -> int:
    return len(proxy.sent("GET", PROBE))


async def test_a_cluster_is_believed_to_be_there(availability: Availability, fault_proxy: FaultProxy) -> None:
    assert availability.away_for is None
    with availability.gone() as gone:
        assert not gone.done()
    await availability.back()
    assert probes(fault_proxy) == 0


async def test_a_suspicion_that_is_unfounded_costs_one_probe(
    availability: Availability, fault_proxy: FaultProxy
) -> None:
    for _ in range(10):
        availability.suspect()
    await eventually(lambda: fault_proxy.requests and fault_proxy.requests[0].ended is not None)
    assert availability.away_for is None
    assert probes(fault_proxy) == 1


@pytest.mark.parametrize("status", [403, 404, 410, 429])
async def test_a_refusal_is_an_answer(availability: Availability, fault_proxy: FaultProxy, status: int) -> None:
    fault_proxy.answer(status)
    availability.suspect()
    await eventually(lambda: fault_proxy.requests and fault_proxy.requests[0].ended is not None)
    await turns()
    assert availability.away_for is None


@pytest.mark.parametrize("fault", ["reset", "answer"])
async def test_a_cluster_that_is_away_is_probed_until_it_is_back(
    availability: Availability, fault_proxy: FaultProxy, clock: Clock, fault: str
) -> None:
    if fault == "reset":
        fault_proxy.reset(times=None)
    else:
        fault_proxy.answer(503, times=None)
    availability.suspect()
    await found_away(availability)
    waiting = asyncio.create_task(availability.back())
    await fault_proxy.wait_for(4, "GET", PROBE)
    clock.now += 60
    assert availability.away_for == 60
    assert not waiting.done()
    fault_proxy.clear()
    await waiting
    assert availability.away_for is None
    with availability.gone() as gone:
        assert not gone.done()


async def test_between_two_probes_of_a_cluster_that_is_away_there_is_a_pause(
    api: Api, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("PROBE_INTERVAL", "BACKOFF_FIRST"):
        monkeypatch.setattr(limits, limit, 1e6)
    fault_proxy.reset(times=None)
    availability = Availability(api)
    availability.suspect()
    await found_away(availability)
    before = probes(fault_proxy)
    for _ in range(5):  # each takes as long as a probe
        with pytest.raises(UnreachableError):
            await api.get("/version", timeout=5)
    assert probes(fault_proxy) == before
    await availability.close()


async def test_a_call_is_left_as_soon_as_the_cluster_is_away(
    availability: Availability, fault_proxy: FaultProxy
) -> None:
    fault_proxy.reset(times=None)
    call = asyncio.ensure_future(availability.unless_gone(asyncio.Event().wait))
    await turns()
    assert not call.done()
    availability.suspect()
    with pytest.raises(AwayError):
        await call


async def test_no_call_is_begun_while_the_cluster_is_away(availability: Availability, fault_proxy: FaultProxy) -> None:
    async def call() -> None:
        raise AssertionError("begun")

    fault_proxy.reset(times=None)
    availability.suspect()
    await found_away(availability)
    with pytest.raises(AwayError):
        await availability.unless_gone(call)


async def test_a_call_that_is_answered_gives_its_answer(availability: Availability) -> None:
    async def succeed() -> str:
        return "answer"

    async def fail() -> None:
        raise UnreachableError("reset")

    assert await availability.unless_gone(succeed) == "answer"
    with pytest.raises(UnreachableError, match="reset"):
        await availability.unless_gone(fail)


async def test_a_call_that_takes_long_makes_a_probe_find_out(
    availability: Availability, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALL_SLOW", 0.01)
    with availability.observed():
        await fault_proxy.wait_for(1, "GET", PROBE)


@pytest.mark.parametrize(
    ("error", "suspicious"),
    [
        (UnreachableError("reset"), True),
        (RefusedError(500, "internal error"), True),
        (RefusedError(429, "too many requests"), False),
        (RefusedError(403, "forbidden"), False),
        (RefusedError(404, "not found"), False),
    ],
)
async def test_a_call_that_fails_makes_a_probe_find_out_unless_it_was_answered(
    availability: Availability, fault_proxy: FaultProxy, error: ClusterError, suspicious: bool
) -> None:
    fault_proxy.reset(times=None)
    with pytest.raises(type(error)), availability.observed():
        raise error
    if suspicious:
        await found_away(availability)
    await turns()
    assert bool(probes(fault_proxy)) == suspicious


async def test_closing_stops_probing(availability: Availability, fault_proxy: FaultProxy) -> None:
    fault_proxy.hang()
    availability.suspect()
    await fault_proxy.wait_for(1)
    await availability.close()
    await availability.close()


async def test_while_the_cluster_is_away_it_gets_probes_and_no_patches(
    api_server: ApiServer, api: Api, availability: Availability, fault_proxy: FaultProxy, clock: Clock
) -> None:
    names = [f"app-{number}" for number in range(30)]
    await api_server.apply(*(warehouse(name) for name in names))
    fault_proxy.answer(503, times=None)
    refresher = Refresher(api, availability, clock=clock)
    futures = [refresher.refresh(Target(PROJECT, name)) for name in names]
    await found_away(availability)
    before = len(fault_proxy.sent("PATCH"))
    await fault_proxy.wait_for(probes(fault_proxy) + 60, "GET", PROBE)
    clock.now += 24 * 3600
    assert len(fault_proxy.sent("PATCH")) <= before + len(names)  # those that were about to begin
    fault_proxy.clear()
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*futures)
    assert {each.result for each in outcomes} == {Result.REFRESHED}
    await refresher.close()


async def test_one_who_only_looks_asks_now_and_then(
    availability: Availability, fault_proxy: FaultProxy, clock: Clock
) -> None:
    await availability.look()
    await availability.look()
    assert (availability.away_for, probes(fault_proxy)) == (None, 1)
    fault_proxy.reset(times=None)
    await availability.look()
    assert availability.away_for is None, "it was asked a moment ago"
    clock.now += limits.PROBE_FRESH
    await availability.look()
    assert availability.away_for == 0
    clock.now += 120
    await availability.look()
    assert availability.away_for == 120
