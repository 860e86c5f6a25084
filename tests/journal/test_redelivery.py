"""Delivering again on purpose."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from receivers import limits
from receivers.journal.journal import Filter, Row, State
from receivers.journal.redelivery import NothingToRedeliver, Redelivery
from receivers.local.azurite import Azurite
from testbed.fault_proxy import FaultProxy
from testbed.objects import refresh_of
from testbed.servers import ApiServer
from tests.drill import Drill, furnish, running
from tests.examples import row
from tests.service import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.05)


@pytest.fixture
async def proxy(embedded_api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(embedded_api_server.url) as proxy:
        yield proxy


@pytest.fixture
async def drill(embedded_api_server: ApiServer, proxy: FaultProxy, azurite: Azurite) -> AsyncIterator[Drill]:
    await furnish(embedded_api_server)
    async with running(embedded_api_server.kubeconfig("kargo-receivers", url=proxy.url), azurite) as drill:
        yield drill
        proxy.clear()


@pytest.fixture
def redelivery(drill: Drill) -> Redelivery:
    assert drill.service.redelivery is not None
    return drill.service.redelivery


async def delivered(drill: Drill) -> Row:
    """The row of a delivery, as somebody finds it who wants to deliver it again."""
    await drill.deliver()
    await until(lambda: written(drill, 1))
    (found,) = await drill.rows()
    return found


async def written(drill: Drill, count: int) -> bool:
    return len(await drill.rows()) == count


async def test_what_was_delivered_is_refreshed_again_and_no_sender_is_involved(
    drill: Drill, redelivery: Redelivery, embedded_api_server: ApiServer
) -> None:
    original = await delivered(drill)
    before = await refresh_of(embedded_api_server, "app")
    again = await redelivery.redeliver(original)
    assert again.answer is not None
    assert (again.answer.status, again.id != original.id) == (200, True)
    assert await refresh_of(embedded_api_server, "app") != before


async def test_both_deliveries_tell_of_each_other(drill: Drill, redelivery: Redelivery) -> None:
    original = await delivered(drill)
    again = await redelivery.redeliver(original)
    await until(lambda: written(drill, 2))
    newer, older = await drill.rows()
    assert (newer.id, newer.redelivery_of, newer.duplicate_of) == (again.id, original.id, "")
    assert (newer.receiver, newer.project, newer.state) == (original.receiver, original.project, State.REFRESHED)
    await until(lambda: redelivered_as(drill, original.id, again.id))
    assert older.id == original.id


async def redelivered_as(drill: Drill, original: str, again: str) -> bool:
    found = await drill.row(original)
    return found is not None and found.redelivered_as == again


async def test_what_becomes_of_the_original_later_does_not_hide_that_it_was_delivered_again(
    drill: Drill, redelivery: Redelivery
) -> None:
    original = await delivered(drill)
    again = await redelivery.redeliver(original)
    assert drill.service.recorder is not None
    (target,) = [decision.target for decision in drill.told[0].decisions if decision.refresh]
    drill.service.recorder.handled(target, drill.told[0].refreshes.outcomes[target].value)
    await until(lambda: handled(drill, original.id))
    assert await redelivered_as(drill, original.id, again.id)


async def handled(drill: Drill, delivery: str) -> bool:
    found = await drill.row(delivery)
    return found is not None and found.handled_at is not None


async def test_while_the_cluster_is_away_it_waits_like_any_other(
    drill: Drill, redelivery: Redelivery, proxy: FaultProxy
) -> None:
    original = await delivered(drill)
    proxy.answer(422, times=None, method="PATCH")
    again = await redelivery.redeliver(original)
    assert again.queued
    assert (await drill.queues()).waiting == 1


async def test_a_delivery_of_the_cluster_scope_is_delivered_to_every_project(
    drill: Drill, redelivery: Redelivery
) -> None:
    again = await redelivery.redeliver(row(project=""))
    assert again.receiver is not None
    assert again.receiver.project is None
    assert again.wanted == 1


async def test_what_pushed_nothing_cannot_be_delivered_again(redelivery: Redelivery) -> None:
    refused = msgspec.structs.replace(row(state=State.REFUSED), events=[])
    with pytest.raises(NothingToRedeliver, match=refused.id):
        await redelivery.redeliver(refused)


async def test_what_has_failed_since_a_time_is_delivered_again_once(drill: Drill, redelivery: Redelivery) -> None:
    now = datetime.now(UTC)
    too_old = row(now - timedelta(hours=3), state=State.FAILED)
    failed = [row(now - timedelta(minutes=minutes), state=State.FAILED) for minutes in (1, 2)]
    refused = msgspec.structs.replace(row(now - timedelta(minutes=3), state=State.FAILED), events=[])
    fine = row(now - timedelta(minutes=4))
    journal = drill.service.journal
    assert journal is not None
    for each in (too_old, *failed, refused, fine):
        journal.write(each)
    await until(lambda: written(drill, 5))
    since = now - timedelta(hours=1)
    again = await redelivery.redeliver_failed(since)
    assert len(again) == 2
    await until(lambda: written(drill, 7))
    newest = [each async for each in journal.rows(Filter(since=now))]
    assert {each.redelivery_of for each in newest} == {each.id for each in failed}
    await until(lambda: redelivered_as(drill, failed[1].id, again[1].id))
    assert await redelivery.redeliver_failed(since) == []
