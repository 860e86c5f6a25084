"""A siege in its short form, and what it would say of missed aims."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.drill.traffic import Post
from bench.siege import __main__ as command
from bench.siege import tenants, watched
from bench.siege.attackers import OWN, Tally
from bench.siege.audit import AuditLog, Call, Object, counted
from bench.siege.hostile import Report
from bench.siege.load import Load
from bench.siege.pace import Pace
from bench.siege.plan import FULL, SHORT
from bench.siege.record import CALLS, ROWS, Outcome
from bench.siege.watched import Hold, Watch
from receivers.deliveries.delivery import new_id
from receivers.kargo.configs import KEYS
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from testbed.servers import HOW_TO_GET_A_REAL_SERVER, real_programs
from testbed.waiting import eventually
from tests.bench.refreshes import refreshed

ARRIVAL = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
IMAGE = tenants.honest(FULL)[0]


@pytest.mark.skipif(real_programs() is None, reason=HOW_TO_GET_A_REAL_SERVER)
def test_nobody_is_hurt_by_hostile_tenants_and_senders(running_azurite: Azurite, tmp_path: Path) -> None:
    outcome = command.run(SHORT, logs=tmp_path)
    assert outcome.refusals == []
    assert outcome.certain() == []  # how fast it answers depends on who else uses the machine


def test_every_provider_of_kargo_that_tells_of_pushes_has_an_honest_sender() -> None:
    telling = {name for name, provider in PROVIDERS.items() if provider.home.kinds}
    senders = {sender.route or sender.provider for sender in tenants.HONEST_SENDERS}
    assert senders == telling & {*KEYS, "acr"}


def test_a_fifth_of_all_projects_are_hostile() -> None:
    assert len({image.project for image in tenants.honest(FULL)}) == 80
    assert len(tenants.hostile(FULL)) == 20


ACCEPTED = Post(
    number=7, image=IMAGE, phase="", sent=10.0, ended=10.1, status=200, body="", delivery_id=new_id(ARRIVAL)
)
FAILED = replace(ACCEPTED, status=503)
PATCH = Call("patch", "/apis/kargo.akuity.io/v1alpha1", Object("warehouses", "honest-0"), "1")
CALM = Load(
    posts=[ACCEPTED],
    bare=[0.01],
    annotations=refreshed(IMAGE, at=ARRIVAL + timedelta(seconds=0.1)),
    ready=1.0,
    peak=90.0,
    alive=True,
    holds=[Hold(ARRIVAL.timestamp() - 1, 0.9, 0.9), Hold(ARRIVAL.timestamp() + 2, 0.3, 0.05)],
    calls=[PATCH],
    rows=1,
    rows_of=1,
    report=None,
)
REPORT = Report(requests={OWN: Tally({"200": 2}, [0.1, 0.2])}, edits={"small": {200: 5}, "large": {}})
BESIEGED = replace(CALM, report=REPORT)
KEPT = Outcome(plan=FULL, calm=CALM, siege=BESIEGED, refusals=[])


def met(load: Load) -> Outcome:
    """The outcome of a siege in which the honest deliveries met this."""
    return replace(KEPT, siege=load)


def test_when_nobody_is_hurt_no_aim_is_missed() -> None:
    assert KEPT.missed() == []
    assert any(OWN in figure.what and "2 x 200" in figure.value for figure in KEPT.chapters()[-1].figures)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (
            met(replace(BESIEGED, annotations=refreshed(IMAGE, at=ARRIVAL + timedelta(seconds=-0.1)))),
            "refreshed, by a patch that began after the arrival: 0 of 2, not all",
        ),
        (met(replace(BESIEGED, peak=200.0)), "memory: 200 MB"),
        (met(replace(BESIEGED, alive=False)), "memory"),
        (met(replace(BESIEGED, calls=[PATCH] * (CALLS * 4))), "calls to the API server: 4,000"),
        (met(replace(BESIEGED, rows_of=0)), "have a row in the journal: 0 of 1, not all"),
        (met(replace(BESIEGED, rows=2 + 2 + ROWS)), f"rows of the journal: {4 + ROWS}, not at most {3 + ROWS}"),
    ],
)
def test_a_missed_aim_is_named_in_a_line(outcome: Outcome, told: str) -> None:
    (line,) = outcome.missed()
    assert told in line
    assert outcome.certain() == [line]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (
            met(replace(BESIEGED, posts=[replace(ACCEPTED, ended=10.4)])),
            "4.0 times: 400 ms for 100.0 ms, not at most 3.0 times",
        ),
        (
            met(replace(BESIEGED, posts=[replace(ACCEPTED, ended=10.6)], bare=[0.05])),
            "6.0 times: 600 ms for 100.0 ms, not at most 5.0 times, as the bare client's",
        ),
        (
            met(replace(BESIEGED, holds=[Hold(ARRIVAL.timestamp() + 2, 0.3, 0.11)])),
            "110 ms (300 ms by the clock), not at most 100 ms",
        ),
    ],
)
def test_a_time_that_was_too_long_decides_only_where_the_machine_is_ours(outcome: Outcome, told: str) -> None:
    (line,) = outcome.missed()
    assert told in line
    assert outcome.certain() == []


def test_an_answer_may_take_as_many_times_longer_as_the_api_server_alone() -> None:
    assert met(replace(BESIEGED, posts=[replace(ACCEPTED, ended=10.4)], bare=[0.05])).missed() == []


@pytest.mark.parametrize("calm", [replace(CALM, posts=[replace(ACCEPTED, ended=10.6)]), replace(CALM, posts=[FAILED])])
def test_a_machine_that_was_too_busy_without_the_siege_tells_nothing(calm: Load) -> None:
    assert KEPT.telling
    assert not replace(KEPT, calm=calm).telling


def test_an_answer_that_is_not_2xx_is_a_refresh_missed_too() -> None:
    assert len(met(replace(BESIEGED, posts=[FAILED])).certain()) == 2


async def test_what_holds_the_event_loop_is_noted_and_traced(tmp_path: Path) -> None:
    holds, traces = tmp_path / "holds", tmp_path / "traces"
    with holds.open("ab") as file, traces.open("a") as told, Watch(file, told):
        await asyncio.sleep(0)
        hold_the_loop(seconds=0.5)
        await eventually(lambda: any(hold.held > 0.4 for hold in watched.read(holds)))
        await eventually(lambda: "hold_the_loop" in traces.read_text())


def hold_the_loop(*, seconds: float) -> None:
    """Work until this thread has had a core for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_the_audit_log_tells_each_call_once(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    assert log.new() == []
    line = '{"verb":"watch","requestURI":"/apis?watch=1","objectRef":{"resource":"warehouses"},"auditID":"1"}\n'
    (tmp_path / "audit.log").write_text(line + line + line.replace('"1"', '"2"') + line[:20])
    assert counted(log.new()) == {"watch warehouses": 2}
    assert log.new() == []


async def test_who_comes_late_does_not_make_up_for_it() -> None:
    turns = 0
    async for _ in Pace(100.0).turns(0.3):
        turns += 1
        if turns == 1:
            hold_the_loop(seconds=0.2)
    assert turns <= 12  # in what is left of the time
