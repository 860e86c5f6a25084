"""URLs that were receivers' once: whose, until when, and within which bounds that is remembered."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from unittest.mock import AsyncMock

import pytest

from receivers import limits, runtime
from receivers.directory.directory import Verified, voucher_of
from receivers.directory.former import Standing, Why
from receivers.directory.former_urls import TABLE, FormerUrls
from receivers.directory.known_receivers import KnownReceivers
from receivers.events import Receiver, SecretReference
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from receivers.settings import StaticReceiver
from receivers.storage.account import Storage
from receivers.storage.tables import Table
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, SECRET, Hook
from testbed.servers import ApiServer
from tests.directory.test_directory import knowing
from tests.examples import NOON, RECEIVER

AZURE, ACR, QUAY = PROVIDERS["azure"], PROVIDERS["acr"], PROVIDERS["quay"]
HOOK = Hook(provider="azure", name="acr")
VOUCHER = voucher_of(HOOK.token)
LOST = frozenset({VOUCHER})


class Clock:
    """What the time is, as the test tells it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    @property
    def seconds(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, storage: Storage | None = None) -> FormerUrls:
    return FormerUrls(storage, now=clock, clock=lambda: clock.seconds)


@pytest.fixture
async def former(clock: Clock) -> AsyncIterator[FormerUrls]:
    """Without storage."""
    former = made(clock)
    yield former
    await former.close()


async def rows(storage: Storage) -> list[dict[str, object]]:
    return [dict(entity) async for page in Table(storage, TABLE).pages("") for entity in page]


async def test_a_request_to_it_is_told_with_the_receiver_until_when_and_what_to_do(former: FormerUrls) -> None:
    former.lost(RECEIVER, LOST, Why.ROTATED)
    asked = former.asked(AZURE, "/base" + HOOK.path)
    assert asked is not None
    assert asked.former.told == (
        "this was the URL of receiver acr of project kargo-demo until 2026-11-21 12:00 UTC; "
        "its Secret was rotated: register the new URL with the sender"
    )


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (Why.DELETED, "it was deleted: remove the webhook at the sender"),
        (Why.CHANGED, "it has another Secret or another kind of sender now: register the new URL with the sender"),
    ],
)
async def test_each_reason_has_its_remedy(former: FormerUrls, why: Why, told: str) -> None:
    former.lost(replace(RECEIVER, project=None), LOST, why)
    asked = former.asked(AZURE, HOOK.path)
    assert asked is not None
    assert asked.former.told == f"this was the URL of receiver acr of the cluster until 2026-11-21 12:00 UTC; {told}"


async def test_of_other_urls_nothing_is_known(former: FormerUrls) -> None:
    former.lost(RECEIVER, LOST, Why.ROTATED)
    assert former.asked(AZURE, "/azure/" + "0" * 64) is None
    assert former.asked(QUAY, HOOK.path.replace("azure", "quay")) is None


async def test_a_url_that_a_receiver_has_again_is_no_former_one(former: FormerUrls) -> None:
    former.lost(RECEIVER, LOST, Why.ROTATED)
    former.asked(AZURE, HOOK.path)
    former.has_vouchers(RECEIVER, LOST)
    assert former.asked(AZURE, HOOK.path) is None
    assert await former.lately() == []


async def test_one_request_a_minute_is_news(former: FormerUrls, clock: Clock) -> None:
    former.lost(RECEIVER, LOST, Why.ROTATED)
    news = []
    for _ in range(4):
        asked = former.asked(AZURE, HOOK.path)
        assert asked is not None
        news.append(asked.is_news)
        clock.now += timedelta(seconds=30)
    assert news == [True, False, True, False]


async def test_who_posts_lately_is_listed_for_an_hour(former: FormerUrls, clock: Clock) -> None:
    former.lost(RECEIVER, LOST, Why.ROTATED)
    assert await former.lately() == []
    former.asked(AZURE, HOOK.path)
    clock.now += timedelta(hours=1)
    assert [each.name for each in await former.lately()] == ["acr"]
    clock.now += timedelta(seconds=1)
    assert await former.lately() == []


async def test_after_thirty_days_it_is_a_url_like_others(former: FormerUrls, clock: Clock) -> None:
    """Also one that is asked for all the time."""
    former.lost(RECEIVER, LOST, Why.ROTATED)
    for _ in range(30):
        clock.now += timedelta(days=1)
        assert former.asked(AZURE, HOOK.path) is not None
    clock.now += timedelta(seconds=1)
    assert former.asked(AZURE, HOOK.path) is None


async def test_the_first_time_that_it_was_lost_counts(former: FormerUrls, clock: Clock) -> None:
    former.lost(RECEIVER, LOST, Why.ROTATED)
    clock.now += timedelta(hours=1)
    former.lost(RECEIVER, LOST, Why.DELETED)
    asked = former.asked(AZURE, HOOK.path)
    assert asked is not None
    assert (asked.former.until, asked.former.why) == (NOON, Why.ROTATED)


@pytest.mark.parametrize(
    ("why", "standing", "told"),
    [
        (Why.DELETED, Standing.THERE, "it was made again with another URL: register the new URL with the sender"),
        (Why.ROTATED, Standing.THERE, "its Secret was rotated: register the new URL with the sender"),
        (Why.ROTATED, Standing.GONE, "it was deleted: remove the webhook at the sender"),
        (Why.DELETED, Standing.GONE, "it was deleted: remove the webhook at the sender"),
        (
            Why.DELETED,
            Standing.UNREADABLE,
            "its configuration cannot be read: mend the configuration, and leave the webhook at the sender as it is",
        ),
        (Why.ROTATED, Standing.UNKNOWN, "its Secret was rotated: register the new URL with the sender"),
    ],
)
async def test_the_remedy_is_that_for_what_there_is_now(
    former: FormerUrls, why: Why, standing: Standing, told: str
) -> None:
    former.lost(RECEIVER, LOST, why)
    former.standing = lambda project, name: standing if (project, name) == (PROJECT, "acr") else Standing.UNKNOWN
    asked = former.asked(AZURE, HOOK.path)
    assert asked is not None
    assert asked.former.told.endswith(f"UTC; {told}")
    assert [each.told for each in await former.lately()] == [asked.former.told]
    former.standing = lambda _project, _name: Standing.UNKNOWN
    assert [each.why for each in await former.lately()] == [why]


async def test_a_project_that_rotates_without_end_forgets_its_own_alone(former: FormerUrls) -> None:
    former.lost(replace(RECEIVER, project="another"), LOST, Why.ROTATED)
    for number in range(3 * limits.FORMER_PROJECT):
        former.lost(RECEIVER, frozenset({voucher_of(f"{number:064x}")}), Why.ROTATED)
    known = [former.asked(AZURE, f"/azure/{number:064x}") is not None for number in range(3 * limits.FORMER_PROJECT)]
    assert known == [False] * 2 * limits.FORMER_PROJECT + [True] * limits.FORMER_PROJECT
    assert former.asked(AZURE, HOOK.path) is not None


async def test_however_many_there_are_they_stay_within_their_bounds(former: FormerUrls) -> None:
    for number in range(limits.FORMER_URLS + 100):
        receiver = replace(RECEIVER, project=f"p{number}")
        former.lost(receiver, frozenset({voucher_of(f"{number:064x}")}), Why.DELETED)
    assert len(former._rows) == len(former._shares) == limits.FORMER_URLS
    assert former._rows.used <= limits.FORMER_BYTES


async def test_what_was_known_before_this_process_began_tells_of_a_deleted_receiver(former: FormerUrls) -> None:
    def known(provider: str, voucher: str) -> Receiver | None:
        return RECEIVER if (provider, voucher) == ("azure", VOUCHER) else None

    former.known_before = known
    asked = former.asked(AZURE, HOOK.path)
    assert asked is not None
    assert asked.former.why is Why.DELETED
    assert former.asked(ACR, "/acr/" + "0" * 64) is None


# With storage


async def test_it_is_known_after_a_restart_and_to_other_instances(storage: Storage, clock: Clock) -> None:
    before = made(clock, storage)
    before.lost(RECEIVER, LOST, Why.ROTATED)
    await before.close()
    for started in (made(clock, storage), made(clock, storage)):
        await started.warm_up()
        asked = started.asked(AZURE, HOOK.path)
        assert asked is not None
        assert asked.former.until == NOON
        await started.close()
        clock.now += timedelta(minutes=1)


async def test_what_another_instance_was_asked_is_listed_here(storage: Storage, clock: Clock) -> None:
    one, other = made(clock, storage), made(clock, storage)
    assert await other.lately() == []
    one.lost(RECEIVER, LOST, Why.ROTATED)
    one.asked(AZURE, HOOK.path)
    await one.close()
    clock.now += timedelta(seconds=limits.FORMER_FRESH)
    assert [each.name for each in await other.lately()] == ["acr"]
    one.asked(AZURE, HOOK.path)
    clock.now += timedelta(minutes=5)
    one.asked(AZURE, HOOK.path)
    await one.close()
    (last,) = await other.lately()
    assert last.asked_at == clock.now


async def test_the_table_holds_no_token_and_no_secret(storage: Storage, clock: Clock) -> None:
    former = made(clock, storage)
    former.lost(replace(RECEIVER, status_path=HOOK.path), LOST, Why.ROTATED)
    former.asked(AZURE, HOOK.path)
    await former.close()
    (row,) = await rows(storage)
    assert row["project"] == PROJECT
    assert HOOK.token not in str(row)
    assert SECRET not in str(row)


async def test_one_that_counts_again_is_deleted(storage: Storage, clock: Clock) -> None:
    former = made(clock, storage)
    former.lost(RECEIVER, LOST, Why.ROTATED)
    await former.close()
    former.has_vouchers(RECEIVER, LOST)
    await former.close()
    assert await rows(storage) == []


async def test_rows_are_deleted_after_thirty_days(storage: Storage, clock: Clock) -> None:
    former = made(clock, storage)
    former.lost(RECEIVER, LOST, Why.ROTATED)
    await former.close()
    clock.now += timedelta(days=30)
    assert await former.clean() == 0
    clock.now += timedelta(seconds=1)
    assert await former.clean() == 1
    assert await rows(storage) == []


async def test_without_storage_nothing_is_cleaned_or_read(former: FormerUrls) -> None:
    await former.warm_up()
    assert await former.clean() == 0


async def test_any_number_of_unknown_urls_have_the_table_read_once_in_a_while(storage: Storage, clock: Clock) -> None:
    former = made(clock, storage)
    former._read = reading = AsyncMock(wraps=former._read)  # type: ignore[method-assign]  # to count
    for _ in range(2):
        assert [former.asked(AZURE, f"/azure/{number:064x}") for number in range(500)] == [None] * 500
    assert reading.call_count == 1
    clock.now += timedelta(seconds=limits.FORMER_RELOADED)
    assert former._loading is not None
    await former._loading.result()
    assert former.asked(AZURE, HOOK.path) is None
    assert reading.call_count == 2
    await former.close()


async def test_a_row_that_cannot_be_read_hides_no_other(storage: Storage, clock: Clock) -> None:
    former = made(clock, storage)
    former.lost(RECEIVER, LOST, Why.ROTATED)
    await former.close()
    (row,) = await rows(storage)
    odd: list[dict[str, object]] = [
        {**row, "why": "moved"},
        {**row, "until": "yesterday"},
        {**row, "until": 7},
        {**row, "until": (clock.now + timedelta(days=900)).isoformat()},
        {**row, "until": "0001-01-01T00:00:00+23:59"},
        {**row, "asked_at": "9999-12-31T23:59:59-23:59"},
        {**row, "name": "x" * (limits.OBJECT_NAME + 1)},
        {**row, "project": 1},
        {"PartitionKey": "azure"},
    ]
    await Table(storage, TABLE).merge([{**each, "RowKey": f"{number:064x}"} for number, each in enumerate(odd)])
    started = made(clock, storage)
    await started.warm_up()
    assert len(started._rows) == 1
    assert await started.lately() == []
    assert started.asked(AZURE, HOOK.path) is not None
    await started.close()


async def test_that_something_will_be_posted_is_no_knowledge(storage: Storage, clock: Clock) -> None:
    before = made(clock, storage)
    before.lost(RECEIVER, LOST, Why.ROTATED)
    await before.close()
    (row,) = await rows(storage)
    later = (clock.now + timedelta(days=900)).isoformat()
    await Table(storage, TABLE).merge([{**row, "asked_at": later}])
    started = made(clock, storage)
    await started.warm_up()
    assert await started.lately() == []
    asked = started.asked(AZURE, HOOK.path)
    assert asked is not None
    assert asked.is_news
    await started.close()


async def test_while_the_storage_is_away_what_this_process_knows_counts(
    storage: Storage, clock: Clock, azurite: Azurite
) -> None:
    await azurite.stop()
    former = made(clock, storage)
    await former.warm_up()
    former.lost(RECEIVER, LOST, Why.ROTATED)
    former.asked(AZURE, HOOK.path)
    assert [each.name for each in await former.lately()] == ["acr"]
    await azurite.start()
    await former.close()
    assert len(await rows(storage)) == 1


@pytest.mark.parametrize("denied", [True, False])
async def test_a_url_is_told_as_that_of_a_deleted_receiver_only_where_receivers_may_be_read(
    storage: Storage, clock: Clock, embedded_api_server: ApiServer, denied: bool
) -> None:
    former, before = made(clock, storage), KnownReceivers(storage, now=clock)
    receiver = replace(RECEIVER, secret=SecretReference(namespace=PROJECT, name="acr"))
    before.learn(AZURE, HOOK.path, Verified(receiver=receiver))
    static = StaticReceiver(provider="azure", name="static", project=PROJECT, secret=SECRET)
    async with FaultProxy(embedded_api_server.url) as proxy:
        if denied:
            proxy.answer(403, times=None, path="/projectconfigs")
        async with knowing(embedded_api_server, proxy, static=[static]) as known:
            runtime._introduce_former(known.directory, former, before)
            assert not await known.knows(HOOK.path)
            asked = former.asked(AZURE, HOOK.path)
    assert (asked.former.why if asked else None) == (None if denied else Why.DELETED)
    await former.close()
    await before.close()
    assert len(await rows(storage)) == (0 if denied else 1)


def vouchers(*numbers: int) -> frozenset[str]:
    return frozenset(voucher_of(f"{number:064x}") for number in numbers)


def known_of(former: FormerUrls, numbers: Iterable[int]) -> list[int]:
    return [number for number in numbers if former.asked(AZURE, f"/azure/{number:064x}") is not None]


async def test_many_projects_that_rotate_push_out_their_own_and_from_the_table_too(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FORMER_URLS", 20)
    former = made(clock, storage)
    former.lost(replace(RECEIVER, project="quiet"), LOST, Why.ROTATED)
    for number in range(100):
        clock.now += timedelta(seconds=1)
        former.lost(replace(RECEIVER, project=f"loud{number % 6}"), vouchers(number), Why.ROTATED)
    await former.close()
    assert known_of(former, range(100)) == list(range(81, 100))
    assert former.asked(AZURE, HOOK.path) is not None
    assert len(await rows(storage)) == len(former._rows) == 20
    await former.close()


async def test_of_a_table_that_has_more_than_is_kept_the_latest_are_known_and_the_others_deleted(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = made(clock, storage)
    ordered = sorted(range(40), key=lambda number: voucher_of(f"{number:064x}"), reverse=True)
    for number in ordered:  # the first by key are the latest
        clock.now += timedelta(seconds=1)
        writer.lost(replace(RECEIVER, project=f"p{number % 8}"), vouchers(number), Why.ROTATED)
    await writer.close()
    monkeypatch.setattr(limits, "FORMER_PROJECT", 3)
    monkeypatch.setattr(limits, "FORMER_URLS", 16)
    monkeypatch.setattr(limits, "KNOWN_PAGE", 10)
    monkeypatch.setattr(limits, "FORMER_READ", 40)
    started = made(clock, storage)
    await started.warm_up()
    await started.close()
    assert len(await rows(storage)) == 16
    latest = [number for project in range(8) for number in [each for each in ordered if each % 8 == project][-2:]]
    assert sorted(known_of(started, range(40))) == sorted(latest)
    await started.close()


async def test_after_a_load_a_project_that_has_too_many_loses_its_oldest(storage: Storage, clock: Clock) -> None:
    before = made(clock, storage)
    by_key = sorted(range(limits.FORMER_PROJECT), key=lambda number: voucher_of(f"{number:064x}"), reverse=True)
    for number in by_key:
        before.lost(RECEIVER, vouchers(number), Why.ROTATED)
        clock.now += timedelta(seconds=1)
    await before.close()
    started = made(clock, storage)
    await started.warm_up()
    started.lost(RECEIVER, LOST, Why.ROTATED)
    assert sorted(known_of(started, by_key)) == sorted(by_key[1:])
    await started.close()
    assert len(await rows(storage)) == limits.FORMER_PROJECT


async def test_what_another_instance_deleted_is_told_no_more_here_but_what_waits_to_be_written_is(
    storage: Storage, clock: Clock
) -> None:
    one, other = made(clock, storage), made(clock, storage)
    one.lost(RECEIVER, LOST | vouchers(1), Why.ROTATED)
    one.asked(AZURE, HOOK.path)
    await one.close()
    assert [each.voucher for each in await other.lately()] == [VOUCHER]
    one.has_vouchers(RECEIVER, LOST)
    await one.close()
    other.lost(RECEIVER, vouchers(2), Why.ROTATED)
    clock.now += timedelta(seconds=limits.FORMER_FRESH)
    assert await other.lately() == []
    assert known_of(other, (1, 2)) == [1, 2]
    await other.close()


async def test_of_a_table_that_is_not_read_to_its_end_nothing_is_forgotten(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = made(clock, storage)
    former.lost(RECEIVER, vouchers(*range(10)), Why.ROTATED)
    await former.close()
    monkeypatch.setattr(limits, "KNOWN_PAGE", 2)
    monkeypatch.setattr(limits, "FORMER_READ", 4)
    await former.warm_up()
    assert known_of(former, range(10)) == list(range(10))
    await former.close()
