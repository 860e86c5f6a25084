"""An outage drill in its short form, and what it would say of broken promises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.drill import drill, recovery
from bench.drill.plan import FULL, SHORT, Fault
from bench.drill.record import Record, table
from bench.drill.recovery import Recovery
from bench.drill.senders import image
from bench.drill.traffic import Post
from receivers import limits
from receivers.deliveries.delivery import new_id
from receivers.local.azurite import Azurite
from testbed.fault_proxy import Request
from testbed.servers import ApiServer
from tests.bench.refreshes import refreshed

ARRIVAL = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
ID = new_id(ARRIVAL)
IMAGE = image(7)


async def test_what_was_accepted_is_refreshed_whatever_breaks(
    real_api_server: ApiServer, azurite: Azurite, tmp_path: Path
) -> None:
    record = await drill.run(SHORT, real_api_server, azurite, tmp_path)
    assert record.lost() == []  # how fast it answers depends on who else uses the machine
    assert len(record.posts) == SHORT.deliveries
    assert record.rows()[-1][:2] == ["all", str(SHORT.deliveries)]


async def test_what_waited_is_refreshed_once_there_is_a_cluster_or_an_instance_less(
    real_api_server: ApiServer, azurite: Azurite, tmp_path: Path
) -> None:
    found = await recovery.measure([4.0], real_api_server, azurite, tmp_path)
    assert [each.lost() for each in found] == [[], []]  # how soon depends on who else uses the machine
    assert {status for each in found for status in each.answers} <= {200, 202}
    assert "| outage of 4 s | " in recovery.table(found)


RECOVERY = Recovery(what="outage", within=30.0, waited=[1.0, 29.0], missing=0, answers=[202, 202])


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        (RECOVERY, []),
        (replace(RECOVERY, waited=[1.0, 30.1]), ["outage: the last one was refreshed after 30.1 s"]),
        (replace(RECOVERY, missing=2), ["outage: 2 refreshes never came"]),
        (replace(RECOVERY, waited=[]), ["outage: nothing waited, so nothing was tried"]),
    ],
)
def test_a_recovery_that_takes_longer_than_promised_is_told(found: Recovery, broken: list[str]) -> None:
    assert found.broken() == broken


def test_every_second_delivery_is_the_only_push_of_its_image() -> None:
    images = [FULL.image(number) for number in range(FULL.deliveries)]
    assert sum(images.count(image) == 1 for image in set(images)) == FULL.deliveries // 2
    assert set(images) == set(range(FULL.images))


ACCEPTED = Post(
    number=7, image=IMAGE, phase="all is well", sent=10.0, ended=10.5, status=202, body="queued", delivery_id=ID
)

CALM = Record(
    posts=[ACCEPTED],
    annotations=refreshed(IMAGE, at=ARRIVAL + timedelta(seconds=0.1)),
    patches=[],
    most_at_once=1,
    host_dead=[(20.0, 22.0)],
    recovered=[(Fault.FROZEN, 29.5)],
    log=[],
    waiting=0,
    poisoned=0,
    drained=0.0,
)
PATCH = Request(method="PATCH", path="/warehouses/app", query={}, body=b"", user="", began=30.0)


def test_a_delivery_that_was_refreshed_after_its_arrival_breaks_no_promise() -> None:
    assert CALM.broken() == []


def test_a_delivery_that_was_accepted_and_not_refreshed_is_told_with_all_that_is_known() -> None:
    lost = replace(
        CALM, annotations=refreshed(IMAGE, at=ARRIVAL + timedelta(seconds=-0.1)), log=[f"queued [{ID}]", "of another"]
    ).broken()
    assert len(lost) == len(IMAGE.targets)
    for part in ("delivery 7", ID, "Docker Hub", "answered 202", str(IMAGE.targets[0]), "03:04:04.9", "queued ["):
        assert part in lost[0]
    assert "of another" not in lost[0]


@pytest.mark.parametrize(
    ("delivery", "told"),
    [
        (replace(ACCEPTED, status=503), "answered 503"),
        (replace(ACCEPTED, status=500), "answered 500"),
        (replace(ACCEPTED, ended=13.1), "after 3.1 s"),
        (replace(ACCEPTED, status=0, error="ServerDisconnectedError"), "no answer, though the host lived"),
        (replace(ACCEPTED, sent=20.5, ended=25.1), "after 3.1 s"),  # from when there was a host again
    ],
)
def test_what_a_sender_would_take_amiss_breaks_a_promise(delivery: Post, told: str) -> None:
    (broken,) = replace(CALM, posts=[delivery]).broken()
    assert told in broken


@pytest.mark.parametrize(("sent", "ended"), [(20.5, 20.5), (19.5, 20.0), (21.9, 22.5)])
def test_no_answer_of_a_dead_host_breaks_none(sent: float, ended: float) -> None:
    assert replace(CALM, posts=[replace(ACCEPTED, status=0, sent=sent, ended=ended)]).broken() == []


@pytest.mark.parametrize(
    "record",
    [
        replace(CALM, most_at_once=limits.PATCHES_IN_FLIGHT + 1),
        replace(CALM, waiting=1),
        replace(CALM, poisoned=1),
        replace(CALM, patches=[PATCH, PATCH]),
    ],
)
def test_a_stampede_or_a_queue_that_is_not_worked_off_breaks_a_promise(record: Record) -> None:
    assert len(record.broken()) == 1


def test_one_patch_for_each_warehouse_is_no_stampede() -> None:
    assert replace(CALM, patches=[PATCH]).broken() == []


def test_the_table_counts_by_what_was_broken_and_by_sender() -> None:
    text = table(replace(CALM, posts=[ACCEPTED, replace(ACCEPTED, status=200, phase="429 to everything")]).rows())
    assert "| all is well | 1 | 0 | 1 | 0 | 0 | 0.50 s |" in text
    assert "| 429 to everything | 1 | 1 | 0 | 0 | 0 | 0.50 s |" in text
    assert "| Docker Hub | 2 | 1 | 1 | 0 | 0 | 0.50 s |" in text
