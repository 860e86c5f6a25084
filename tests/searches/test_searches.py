"""What was pushed is looked for in what Kargo discovered, and Kargo is asked again where it is missing."""

import asyncio
import logging
from datetime import timedelta

import msgspec
import pytest

from receivers import limits
from receivers.cluster.api import TimedOutError
from receivers.cluster.refresher import ANNOTATION, Outcome, Result
from receivers.deliveries.matching import Refreshes
from receivers.events import Target, TargetKind
from receivers.journal.journal import Finding
from receivers.kargo.discoveries import FAILING
from receivers.kargo.effort import Effort
from receivers.local.embedded.resources import WAREHOUSES, Object
from receivers.retries import messages
from receivers.searches import search as searching
from receivers.searches.search import Search
from receivers.searches.searches import ENDED, NOT_HANDLED
from receivers.storage.account import StorageError
from testbed.objects import PROJECT, warehouse
from tests.examples import APP, delivery, push, refreshed
from tests.searches.kargo import DIGEST, Watched, watched
from tests.service import until

WEB = Target(PROJECT, "web")
MISSING = "Kargo does not list tag 1.2.3"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kargo does not act on is looked for soon."""
    monkeypatch.setattr(limits, "SEARCH_PATIENCE", 0.05)
    monkeypatch.setattr(limits, "SEARCH_SWEEP", 0.02)


def annotation(kargo: Watched, target: Target = APP) -> str:
    """The refresh that was asked for last."""
    found: Object = kargo.cluster.store.get(WAREHOUSES, target.namespace, target.name)
    value: str = (found["metadata"].get("annotations") or {}).get(ANNOTATION, "")
    return value


def set_status(kargo: Watched, **status: object) -> None:
    """Kargo writes this."""
    kargo.cluster.store.update(
        WAREHOUSES, APP.namespace, APP.name, lambda old: old | {"status": old.get("status", {}) | status}, status=True
    )


async def test_what_kargo_lists_once_it_has_acted_is_found() -> None:
    async with watched() as kargo:
        kargo.registry.tags["1.2.3"] = DIGEST
        pushed = await kargo.push()
        assert await kargo.findings() == [Finding.FOUND]
        assert (kargo.told[0].target, kargo.told[0].deliveries) == (APP, [pushed])
        assert not kargo.shelf.waiting
        assert not kargo.searches.is_awaited(pushed)


async def test_what_it_does_not_list_waits_to_be_looked_for() -> None:
    async with watched() as kargo:
        pushed = await kargo.push()
        assert await kargo.findings() == [Finding.SOUGHT]
        assert kargo.told[0].reason == MISSING
        ((search, delay),) = await kargo.waiting()
        assert (delay, search.target, search.sought[0].deliveries, search.tries) == (5.0, APP, (pushed,), 0)


async def test_it_is_asked_again_while_it_is_missing_and_the_watch_tells_when_it_is_there() -> None:
    async with watched() as kargo:
        await kargo.push()
        await kargo.findings()
        before = annotation(kargo)
        kargo.registry.tags["1.2.3"] = DIGEST
        await kargo.look_again()
        assert annotation(kargo) != before
        assert await kargo.findings(3) == [Finding.SOUGHT, Finding.SOUGHT, Finding.FOUND]
        ((search, delay),) = await kargo.waiting()
        assert (delay, search.tries, search.value) == (30.0, 1, annotation(kargo))
        await kargo.look_again()
        assert not kargo.shelf.waiting
        assert annotation(kargo) == search.value


async def test_what_came_by_itself_meanwhile_is_found_without_another_refresh() -> None:
    async with watched() as kargo:
        await kargo.push()
        await kargo.findings()
        before = annotation(kargo)
        listed = [{"repoURL": "registry.azurecr.io/team/app", "references": [{"tag": "1.2.3", "digest": DIGEST}]}]
        set_status(kargo, discoveredArtifacts={"images": listed})
        await kargo.look_again()
        assert await kargo.findings(2) == [Finding.SOUGHT, Finding.FOUND]
        assert annotation(kargo) == before


async def test_after_the_last_look_it_is_told_that_kargo_did_not_find_it(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as kargo:
        pushed = await kargo.push()
        await kargo.findings()
        values, delays = {annotation(kargo)}, []
        for _ in range(5):
            delays.append((await kargo.waiting())[0][1])
            await kargo.look_again()
            values.add(annotation(kargo))
            await kargo.handled()
        assert delays == [5.0, 30.0, 120.0, 300.0, 60.0]
        assert len(values) == 5
        assert not kargo.shelf.waiting
        assert [each.finding for each in kargo.told] == [Finding.SOUGHT] * 5 + [Finding.MISSING]
        assert kargo.told[-1].reason == MISSING
        assert f"Warehouse {APP}: {MISSING} (delivery {pushed})" in caplog.messages


async def test_a_version_below_all_that_kargo_lists_is_not_waited_for() -> None:
    async with watched() as kargo:
        kargo.registry.tags = {f"1.9.{patch}": DIGEST for patch in range(20)}
        await kargo.push()
        assert await kargo.findings() == [Finding.MISSING]
        assert kargo.told[0].reason == "tag 1.2.3 is lower than the 20 that Kargo lists (discoveryLimit)"
        assert not kargo.shelf.waiting


async def test_a_status_that_does_not_tell_ends_it() -> None:
    async with watched() as kargo:
        kargo.registry.silent = True
        pushed = await kargo.push()

        async def ended() -> bool:
            return not kargo.searches.is_awaited(pushed)

        await until(ended)
        assert not kargo.told
        assert not kargo.shelf.waiting


async def test_a_tag_that_was_pushed_anew_has_to_be_there_with_its_new_digest() -> None:
    async with watched() as kargo:
        kargo.registry.tags["1.2.3"] = "sha256:an earlier one"
        await kargo.push()
        assert await kargo.findings() == [Finding.SOUGHT]
        assert kargo.told[0].reason == "Kargo lists tag 1.2.3 with another digest"


async def test_a_discovery_that_fails_is_told_as_such() -> None:
    async with watched(acts=False) as kargo:
        await kargo.push()
        failed = [
            {"type": "Reconciling", "status": "True"},
            {"type": "Healthy", "status": "False", "reason": "DiscoveryFailed"},
        ]
        set_status(kargo, lastHandledRefresh=annotation(kargo), conditions=failed)
        assert await kargo.findings() == [Finding.SOUGHT]
        assert kargo.told[0].reason == FAILING


async def test_while_kargo_discovers_nothing_is_missing_yet() -> None:
    async with watched(acts=False) as kargo:
        pushed = await kargo.push()
        under_way = [{"type": "Reconciling", "status": "True"}]
        artifacts: Object = {"images": []}
        set_status(kargo, lastHandledRefresh=annotation(kargo), conditions=under_way, discoveredArtifacts=artifacts)
        await asyncio.sleep(0.1)
        assert (kargo.told, kargo.searches.is_awaited(pushed)) == ([], True)
        set_status(kargo, conditions=[])
        assert await kargo.findings() == [Finding.SOUGHT]


@pytest.mark.usefixtures("impatient")
async def test_what_kargo_does_not_act_on_is_looked_for_later_and_asked_for_once() -> None:
    async with watched(acts=False) as kargo:
        await kargo.push()
        asked = annotation(kargo)
        for _ in range(5):
            await kargo.look_again()
        assert annotation(kargo) == asked
        assert {each.reason for each in kargo.told} == {NOT_HANDLED}
        assert kargo.told[-1].finding is Finding.MISSING


async def test_a_burst_of_equal_pushes_is_one_search_for_all_of_them() -> None:
    async with watched(acts=False) as kargo:
        deliveries = [await kargo.push() for _ in range(5)]
        artifacts: Object = {"images": []}
        set_status(kargo, lastHandledRefresh=annotation(kargo), discoveredArtifacts=artifacts)
        await kargo.findings()
        ((search, _),) = await kargo.waiting()
        assert [each.deliveries for each in search.sought] == [tuple(deliveries)]
        assert kargo.told[0].deliveries == deliveries


async def test_what_is_missing_soon_after_waits_for_the_first_look() -> None:
    async with watched() as kargo:
        await kargo.push()
        await kargo.findings()
        another = await kargo.push(push(tag="1.2.4"))
        await kargo.handled()
        await asyncio.sleep(0.05)
        assert len(kargo.shelf.waiting) == 1
        assert kargo.searches.is_awaited(another)
        kargo.registry.tags |= {"1.2.3": DIGEST, "1.2.4": DIGEST}
        await kargo.look_again()
        assert (await kargo.findings(4))[2:] == [Finding.FOUND, Finding.FOUND]


async def test_each_warehouse_is_looked_at_for_itself() -> None:
    async with watched(
        warehouse("app", constraint="^1.0.0"), warehouse("web", image="registry.azurecr.io/web")
    ) as kargo:
        made = delivery(push(), push(image="registry.azurecr.io/web", tag="x"))
        kargo.registry.tags["x"] = DIGEST
        for target in (APP, WEB):
            made.refreshes.outcomes[target] = await kargo.refresher.refresh(target)
        kargo.searches.delivered(made)
        await kargo.findings(2)
        assert {(each.target.name, each.finding) for each in kargo.told} == {
            ("app", Finding.SOUGHT),
            ("web", Finding.FOUND),
        }


async def test_a_refresh_that_outlives_its_answer_counts_once_it_is_done() -> None:
    async with watched() as kargo:
        kargo.registry.tags["1.2.3"] = DIGEST
        made = delivery()
        loop = asyncio.get_running_loop()
        later, never = loop.create_future(), loop.create_future()
        made.refreshes = Refreshes(waiting={APP: later, WEB: never})
        kargo.searches.delivered(made)
        assert not kargo.searches.is_awaited(made.id)
        never.cancel()
        later.set_result(await kargo.refresher.refresh(APP))
        assert await kargo.findings() == [Finding.FOUND]


@pytest.mark.parametrize("result", [Result.FAILED, Result.GONE])
async def test_what_was_not_refreshed_is_not_waited_for(result: Result) -> None:
    async with watched() as kargo:
        made = delivery()
        made.refreshes.outcomes[APP] = Outcome(result=result, attempts=1)
        made.refreshes.outcomes[Target(PROJECT, "p", TargetKind.PROMOTION)] = refreshed()
        kargo.searches.delivered(made)
        assert not kargo.searches.is_awaited(made.id)


async def test_a_later_try_counts_as_well() -> None:
    async with watched() as kargo:
        kargo.registry.tags["1.2.3"] = DIGEST
        (message,) = messages.of(delivery())
        kargo.searches.tried(message, Refreshes(outcomes={APP: await kargo.refresher.refresh(APP)}))
        assert await kargo.findings() == [Finding.FOUND]
        assert kargo.told[0].deliveries == [message.delivery]


async def missing(kargo: Watched) -> Search:
    """A push that is not there, and what then waits."""
    await kargo.push()
    await kargo.findings()
    return (await kargo.waiting()).pop()[0]


async def test_of_a_warehouse_that_is_gone_nothing_is_looked_for() -> None:
    async with watched() as kargo:
        search = await missing(kargo)
        kargo.cluster.store.delete(WAREHOUSES, APP.namespace, APP.name)
        await kargo.searches.look(search)
        assert (kargo.shelf.waiting, kargo.told[-1].finding, len(kargo.told)) == ([], None, 2)


async def test_while_the_cluster_is_away_no_try_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROBE_TIMEOUT", 0.2)
    async with watched() as kargo:
        search = await missing(kargo)
        await kargo.cluster.stop()
        for _ in range(2):  # found out by the first look, and known to the second
            await kargo.searches.look(search)
        assert kargo.shelf.waiting == [(search, limits.SEARCH_LAST)] * 2
        kargo.now[0] += timedelta(seconds=limits.SEARCH_AGE + 1)
        await kargo.searches.look(search)
        assert (kargo.told[-1].finding, kargo.told[-1].reason) == (Finding.MISSING, ENDED)
        await kargo.cluster.start()


async def test_a_warehouse_that_cannot_be_read_is_looked_at_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched() as kargo:
        search = await missing(kargo)

        async def odd(*_: object, **__: object) -> bytes:
            return b"[]"

        monkeypatch.setattr(kargo.searches._api, "get", odd)
        await kargo.searches.look(search)
        assert kargo.shelf.waiting == [(search, limits.SEARCH_LAST)]


@pytest.mark.parametrize(
    "odd", [{"annotations": {ANNOTATION: "x" * 1_000}}, {"annotations": {"another": "x"}}, {"annotations": []}]
)
async def test_an_annotation_that_nobody_here_wrote_keeps_no_refresh_away(odd: Object) -> None:
    async with watched(acts=False) as kargo:
        await kargo.push()
        set_status(kargo, lastHandledRefresh=annotation(kargo), discoveredArtifacts={"images": []})
        await kargo.findings()
        kargo.cluster.store.update(
            WAREHOUSES, APP.namespace, APP.name, lambda old: old | {"metadata": old["metadata"] | odd}
        )
        await kargo.look_again()
        assert annotation(kargo) == kargo.shelf.waiting[0][0].value
        assert len(annotation(kargo)) < 100


async def test_a_refresh_that_fails_ends_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRY_WAIT", 0.05)
    async with watched() as kargo:
        search = await missing(kargo)
        never = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(kargo.refresher, "refresh", lambda _: never)
        await kargo.searches.look(search)
        ((again, _),) = kargo.shelf.waiting
        assert (again.tries, again.value) == (1, search.value)
        never.cancel()


async def test_what_is_subscribed_to_no_longer_is_not_looked_for() -> None:
    async with watched() as kargo:
        search = await missing(kargo)
        other = warehouse("app", image="registry.azurecr.io/other")["spec"]
        kargo.cluster.store.update(WAREHOUSES, APP.namespace, APP.name, lambda old: old | {"spec": other})

        async def known() -> bool:
            return not kargo.searches._warehouses.index.accepted(APP, push(), effort=Effort(100))

        await until(known)
        await kargo.searches.look(search)
        assert (kargo.shelf.waiting, kargo.told[-1].finding, len(kargo.told)) == ([], None, 2)


async def test_what_would_take_too_much_to_check_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched() as kargo:
        search = await missing(kargo)
        monkeypatch.setattr(limits, "SEARCH_EFFORT", 1)
        await kargo.searches.look(search)
        assert (kargo.shelf.waiting, kargo.told[-1].finding, len(kargo.told)) == ([], None, 2)


async def test_a_message_that_is_no_search_is_dropped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as kargo:
        await kargo.searches.handle(b"no search")
    assert caplog.messages == ["a search was dropped: it is not a search of this service, or was damaged"]


async def test_a_message_of_the_queue_is_looked_for() -> None:
    async with watched() as kargo:
        search = await missing(kargo)
        await kargo.searches.handle(searching.encode(search))
        assert kargo.shelf.waiting[0][0].tries == 1


async def test_a_place_that_takes_nothing_is_told_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as kargo:
        kargo.shelf.full = StorageError("cannot be reached")
        await kargo.push()
        await kargo.findings()

        async def told() -> bool:
            return f"nobody looks whether Kargo finds what was pushed for {APP}: cannot be reached" in caplog.messages

        await until(told)


async def test_what_is_waited_for_when_the_process_ends_is_looked_for_by_another() -> None:
    async with watched(acts=False) as kargo:
        pushed = await kargo.push()
    ((search, _),) = kargo.shelf.waiting
    assert search.sought[0].deliveries == (pushed,)
    assert kargo.shelf.closed


async def test_more_than_fits_one_message_is_several() -> None:
    async with watched(acts=False) as kargo:
        for number in range(limits.SEARCH_PUSHES + 1):
            await kargo.push(push(tag=f"1.2.{number}"))
    assert [len(search.sought) for search, _ in kargo.shelf.waiting] == [limits.SEARCH_PUSHES, 1]


async def test_whatever_goes_wrong_in_a_look_a_warehouse_is_taken_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched() as kargo:
        monkeypatch.setattr(kargo.searches, "_looks", lambda *_: 1 / 0)
        await kargo.push()

        async def told() -> bool:
            return f"nobody looked whether Kargo has found what was pushed for {APP}" in caplog.messages

        await until(told)
    assert all(record.levelno < logging.ERROR or "nobody looked" in record.message for record in caplog.records)


async def test_without_anybody_to_tell_it_is_asked_again_all_the_same() -> None:
    async with watched() as kargo:
        kargo.searches._recorder = None
        await kargo.push()
        await kargo.look_again()
        assert kargo.shelf.waiting[0][0].tries == 1
        assert msgspec.structs.replace(kargo.shelf.waiting[0][0], tries=0).tries == 0


async def test_what_kargo_acted_on_before_its_delivery_was_answered_is_looked_at_all_the_same() -> None:
    async with watched() as kargo:
        kargo.registry.tags["1.2.3"] = DIGEST
        made = delivery()
        made.refreshes.outcomes[APP] = await kargo.refresher.refresh(APP)
        await kargo.handled()
        await until_seen(kargo)
        kargo.searches.delivered(made)
        assert await kargo.findings() == [Finding.FOUND]


async def until_seen(kargo: Watched) -> None:
    """The mirror knows what Kargo has handled."""

    async def seen() -> bool:
        return kargo.searches._warehouses.handled(APP) == annotation(kargo)

    await until(seen)


@pytest.mark.parametrize("gone", [True, False])
async def test_where_that_cannot_be_read_it_is_looked_for_later(gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched() as kargo:
        made = delivery()
        made.refreshes.outcomes[APP] = await kargo.refresher.refresh(APP)
        await kargo.handled()
        await until_seen(kargo)

        async def get(*_: object, **__: object) -> bytes:
            if gone:
                return b'{"items":[]}'
            raise TimedOutError("no answer within 5 s")

        monkeypatch.setattr(kargo.searches._api, "get", get)
        kargo.searches.delivered(made)
        assert kargo.searches.is_awaited(made.id)
        await asyncio.sleep(0.01)
        assert kargo.searches.is_awaited(made.id)
        assert not kargo.searches._reading


@pytest.mark.usefixtures("impatient")
async def test_while_kargo_is_away_a_warehouse_is_searched_once_whatever_is_pushed() -> None:
    async with watched(acts=False) as kargo:
        await kargo.push()
        await kargo.waiting()
        later = await kargo.push(push(tag="1.2.4"))
        await asyncio.sleep(0.2)
        assert len(kargo.shelf.waiting) == 1
        assert kargo.searches.is_awaited(later)
        listed = [{"repoURL": "registry.azurecr.io/team/app", "references": [{"tag": "1.2.4", "digest": DIGEST}]}]
        set_status(kargo, lastHandledRefresh=annotation(kargo), discoveredArtifacts={"images": listed})
        assert (await kargo.findings(2))[-1] is Finding.FOUND


async def test_while_kargo_is_away_few_warehouses_are_searched_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH_PATIENCE", 0.0)
    monkeypatch.setattr(limits, "SEARCH_SWEEP", 0.05)
    monkeypatch.setattr(limits, "SEARCH_SWEPT", 1)
    names = ("a", "b", "c")
    async with watched(*(warehouse(name) for name in names), acts=False) as kargo:
        for name in names:
            await kargo.push(target=Target(PROJECT, name))
        await kargo.waiting()
        assert len(kargo.shelf.waiting) == 1

        async def all_of_them() -> bool:
            return [search.warehouse for search, _ in kargo.shelf.waiting] == list(names)

        await until(all_of_them)


async def test_of_a_tag_that_was_pushed_again_the_latest_push_counts_for_both() -> None:
    async with watched(acts=False) as kargo:
        first = await kargo.push(push(digest="sha256:1"))
        second = await kargo.push(push(digest="sha256:2"))
        listed = [{"repoURL": "registry.azurecr.io/team/app", "references": [{"tag": "1.2.3", "digest": "sha256:2"}]}]
        set_status(kargo, lastHandledRefresh=annotation(kargo), discoveredArtifacts={"images": listed})
        assert await kargo.findings(2) == [Finding.FOUND, Finding.FOUND]
        assert {delivery for told in kargo.told for delivery in told.deliveries} == {first, second}
        assert not kargo.shelf.waiting


async def test_a_search_ends_where_a_later_push_of_the_same_tag_was_found() -> None:
    async with watched() as kargo:
        search = await missing(kargo)
        kargo.registry.tags["1.2.3"] = "sha256:2"
        later = delivery(push(digest="sha256:2"), at=search.sought[0].since + timedelta(seconds=1))
        later.refreshes.outcomes[APP] = await kargo.refresher.refresh(APP)
        kargo.searches.delivered(later)
        await kargo.findings(2)
        await kargo.searches.look(search)
        assert kargo.told[-1].deliveries == list(search.sought[0].deliveries)
        assert kargo.told[-1].finding is Finding.FOUND
        assert not kargo.shelf.waiting


async def test_while_kargo_discovers_a_later_look_does_not_count() -> None:
    async with watched(acts=False) as kargo:
        await kargo.push()
        artifacts: Object = {"images": []}
        set_status(kargo, lastHandledRefresh=annotation(kargo), discoveredArtifacts=artifacts)
        search = (await kargo.waiting()).pop()[0]
        set_status(kargo, conditions=[{"type": "Reconciling", "status": "True"}])
        before = annotation(kargo)
        await kargo.searches.look(search)
        assert (await kargo.waiting())[0][0].tries == 0
        assert annotation(kargo) == before


async def test_what_is_too_much_for_one_look_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(acts=False) as kargo:
        pushed = await kargo.push()
        monkeypatch.setattr(limits, "SEARCH_EFFORT", 1)
        artifacts: Object = {"images": []}
        set_status(kargo, lastHandledRefresh=annotation(kargo), discoveredArtifacts=artifacts)
        await asyncio.sleep(0.1)
        assert (kargo.told, kargo.searches.is_awaited(pushed)) == ([], True)
