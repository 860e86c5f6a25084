"""The receivers that are known while the cluster is away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from unittest.mock import AsyncMock

import msgspec
import pytest

from receivers import limits
from receivers.directory.directory import Verified, voucher_of
from receivers.directory.known_receivers import TABLE, KnownReceivers
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from receivers.storage.account import Storage, StorageError
from receivers.storage.tables import Table
from receivers.wire.authentication import by_header
from testbed.objects import PROJECT, SECRET, Hook
from tests.examples import NOON, RECEIVER

AZURE, QUAY = PROVIDERS["azure"], PROVIDERS["quay"]
SIGNED = replace(AZURE, name="signed", authentication=by_header("x-tried", missing=""))
HOOK = Hook(provider="azure", name="acr")
VERIFIED = Verified(receiver=replace(RECEIVER, status_path=HOOK.path), secrets=(SECRET.encode(),))


class Clock:
    """What the time is, as the test tells it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def known(storage: Storage, clock: Clock) -> AsyncIterator[KnownReceivers]:
    known = KnownReceivers(storage, now=clock)
    yield known
    await known.close()


async def learn(known: KnownReceivers, path: str = HOOK.path, verified: Verified = VERIFIED) -> None:
    known.learn(AZURE, path, verified)
    await known.close()  # which writes what waits


async def rows(storage: Storage) -> list[dict[str, object]]:
    return [dict(entity) async for page in Table(storage, TABLE).pages("") for entity in page]


async def test_a_receiver_that_was_verified_once_is_known_to_another_process(
    known: KnownReceivers, storage: Storage
) -> None:
    await learn(known)
    found = await KnownReceivers(storage, now=lambda: NOON).find(AZURE, HOOK.path)
    assert found == Verified(receiver=replace(RECEIVER, status_path=""), voucher=voucher_of(HOOK.token))


async def test_the_path_of_the_base_url_plays_no_part(known: KnownReceivers, storage: Storage) -> None:
    await learn(known)
    for base in ("", "/base", "/kargo/webhooks"):
        found = await KnownReceivers(storage, now=lambda: NOON).find(AZURE, base + HOOK.path)
        assert found is not None
        assert found.receiver.name == RECEIVER.name
    await learn(known, "/base" + HOOK.path)
    assert len(await rows(storage)) == 1


async def test_the_table_holds_no_token_and_no_secret(known: KnownReceivers, storage: Storage) -> None:
    await learn(known)
    text = str(await rows(storage))
    assert PROJECT in text
    assert HOOK.token not in text
    assert SECRET not in text


async def test_another_token_or_provider_is_not_known(known: KnownReceivers) -> None:
    await learn(known)
    assert await known.find(AZURE, "/azure/" + "0" * 64) is None
    assert await known.find(QUAY, HOOK.path.replace("azure", "quay")) is None


async def test_nothing_is_known_before_anything_was_learned(known: KnownReceivers) -> None:
    assert await known.find(AZURE, HOOK.path) is None
    assert await known.clean() == 0


async def test_a_sender_that_signs_is_neither_learned_nor_found(known: KnownReceivers, storage: Storage) -> None:
    known.learn(SIGNED, "/signed/" + HOOK.token, VERIFIED)
    await learn(known)
    assert len(await rows(storage)) == 1
    assert await known.find(SIGNED, HOOK.path) is None


DEMANDING = replace(RECEIVER, options={"authentication": "basic"})


async def test_a_receiver_that_demands_more_than_its_url_is_neither_learned_nor_found(
    known: KnownReceivers, storage: Storage
) -> None:
    await learn(known, verified=replace(VERIFIED, receiver=DEMANDING))
    assert await rows(storage) == []
    assert await known.find(AZURE, HOOK.path) is None


async def test_a_receiver_that_has_begun_to_demand_more_is_forgotten_with_its_next_delivery(
    known: KnownReceivers, storage: Storage
) -> None:
    await learn(known)
    assert await known.find(AZURE, HOOK.path) is not None
    await learn(known, verified=replace(VERIFIED, receiver=DEMANDING))
    assert await known.find(AZURE, HOOK.path) is None
    assert await rows(storage) == []


@pytest.mark.parametrize("when", ["while it is known", "before the table is read"])
async def test_a_receiver_that_has_begun_to_demand_more_is_forgotten_when_the_cluster_says_so(
    known: KnownReceivers, storage: Storage, when: str
) -> None:
    await learn(known)
    told = known if when == "while it is known" else KnownReceivers(storage, now=lambda: NOON)
    told.has_vouchers(DEMANDING, frozenset({voucher_of(HOOK.token)}))
    await told.warm_up()
    assert await told.find(AZURE, HOOK.path) is None
    await told.close()
    assert await rows(storage) == []


async def test_a_row_of_a_receiver_that_demands_more_than_its_url_is_no_row(
    known: KnownReceivers, storage: Storage
) -> None:
    await learn(known)
    (row,) = await rows(storage)
    demanding = msgspec.json.encode(DEMANDING).decode()
    await Table(storage, TABLE).merge([{**row, "receiver": demanding}])
    started = KnownReceivers(storage, now=lambda: NOON)
    assert await started.find(AZURE, HOOK.path) is None
    await started.close()
    assert await rows(storage) == []


async def test_what_is_known_of_a_receiver_counts_for_no_provider_that_demands_more(known: KnownReceivers) -> None:
    await learn(known)
    demanding = replace(AZURE, authentication=SIGNED.authentication)
    assert await known.find(demanding, HOOK.path) is None


async def test_a_sender_in_generic_s_place_is_known_if_its_url_is_all_that_it_demands(
    known: KnownReceivers, storage: Storage
) -> None:
    generic = PROVIDERS["generic"]
    standing = replace(
        RECEIVER, provider="generic", options={"kargo-receivers/sender": "zot", "registry": "zot.example.com"}
    )
    path = f"/generic/{HOOK.token}"
    known.learn(generic, path, replace(VERIFIED, receiver=standing))
    found = await known.find(generic, path)
    assert found is not None
    assert generic.of(found.receiver) is PROVIDERS["zot"]
    demanding = replace(standing, options={**standing.options, "authentication": "header"})
    known.has_vouchers(demanding, frozenset({voucher_of(HOOK.token)}))
    assert await known.find(generic, path) is None
    known.learn(generic, path, replace(VERIFIED, receiver=demanding))
    assert await known.find(generic, path) is None
    await known.close()
    assert await rows(storage) == []


async def test_a_receiver_that_is_too_long_for_a_row_is_not_known(known: KnownReceivers, storage: Storage) -> None:
    await learn(known)
    options = {f"{number}": "\x01" * limits.OBJECT_NAME for number in range(limits.RECEIVER_OPTIONS)}
    long = replace(RECEIVER, configuration=b"x" * limits.RECEIVER_CONFIGURATION, options=options)
    for _ in range(2):
        await learn(known, verified=replace(VERIFIED, receiver=long))
    assert await known.find(AZURE, HOOK.path) is None
    assert await rows(storage) == []
    whole = replace(RECEIVER, configuration=b"x" * limits.RECEIVER_CONFIGURATION)
    await learn(known, verified=replace(VERIFIED, receiver=whole))
    assert len(await rows(storage)) == 1


async def test_a_receiver_of_the_settings_need_not_be_learned(known: KnownReceivers, storage: Storage) -> None:
    await learn(known, verified=Verified(receiver=replace(RECEIVER, secret=None, source="settings")))
    assert await rows(storage) == []


async def test_a_receiver_is_written_once_and_again_after_a_day(
    known: KnownReceivers, storage: Storage, clock: Clock
) -> None:
    await learn(known)
    (first,) = await rows(storage)
    clock.now = NOON + timedelta(hours=23)
    await learn(known)
    assert await rows(storage) == [first]
    clock.now = NOON + timedelta(hours=24)
    await learn(known)
    (renewed,) = await rows(storage)
    assert renewed["seen_at"] == clock.now.isoformat()


async def test_a_receiver_that_was_changed_is_written_at_once(known: KnownReceivers) -> None:
    await learn(known)
    moved = replace(VERIFIED, receiver=replace(VERIFIED.receiver, project=None))
    await learn(known, verified=moved)
    found = await known.find(AZURE, HOOK.path)
    assert found is not None
    assert found.receiver.project is None


async def test_a_receiver_that_is_not_used_for_a_month_is_forgotten(
    known: KnownReceivers, storage: Storage, clock: Clock
) -> None:
    await learn(known)
    clock.now = NOON + timedelta(days=30)
    assert await known.find(AZURE, HOOK.path) is not None
    assert await known.clean() == 0
    clock.now += timedelta(seconds=1)
    assert await known.find(AZURE, HOOK.path) is None
    assert await known.clean() == 1
    assert await rows(storage) == []


async def test_a_url_that_the_secret_refutes_is_deleted_at_once_and_no_other(
    known: KnownReceivers, storage: Storage
) -> None:
    other = Hook(name="other")
    await learn(known)
    await learn(known, other.path, replace(VERIFIED, receiver=replace(RECEIVER, name="other")))
    known.has_vouchers(RECEIVER, frozenset({voucher_of("0" * 64)}))
    assert await known.find(AZURE, HOOK.path) is None
    assert await known.find(AZURE, other.path) is not None
    await known.close()
    (left,) = await rows(storage)
    assert left["RowKey"] == voucher_of(other.token)


async def test_a_url_that_the_secret_confirms_stays(known: KnownReceivers, storage: Storage) -> None:
    await learn(known)
    known.has_vouchers(RECEIVER, frozenset({voucher_of(HOOK.token), voucher_of("0" * 64)}))
    await known.close()
    assert len(await rows(storage)) == 1
    assert await known.find(AZURE, HOOK.path) is not None


async def test_a_url_that_was_refuted_before_the_table_was_read_is_deleted_when_it_is(
    known: KnownReceivers, storage: Storage
) -> None:
    await learn(known)
    started = KnownReceivers(storage, now=lambda: NOON)
    started.has_vouchers(RECEIVER, frozenset())
    await started.warm_up()
    assert await started.find(AZURE, HOOK.path) is None
    await started.close()
    assert await rows(storage) == []


async def test_what_is_refuted_twice_or_was_never_there_is_no_matter(known: KnownReceivers, storage: Storage) -> None:
    await learn(known)
    for _ in range(2):
        known.refuted("azure", voucher_of(HOOK.token))
        await known.close()
    assert await rows(storage) == []


async def test_what_only_something_else_vouched_for_is_not_learned(known: KnownReceivers, storage: Storage) -> None:
    await learn(known, verified=replace(VERIFIED, voucher=voucher_of(HOOK.token)))
    assert await rows(storage) == []


async def test_any_number_of_urls_that_nobody_knows_have_the_table_read_once_in_a_while(
    storage: Storage, clock: Clock
) -> None:
    passed = 0.0
    known = KnownReceivers(storage, now=clock, clock=lambda: passed)
    reading = AsyncMock(wraps=known._read)
    known._read = reading  # type: ignore[method-assign]  # to count
    unknown = [f"/azure/{number:064x}" for number in range(500)]
    assert await asyncio.gather(*(known.find(AZURE, path) for path in unknown)) == [None] * 500
    assert reading.await_count == 1
    passed += limits.KNOWN_FRESH
    assert await asyncio.gather(*(known.find(AZURE, path) for path in unknown)) == [None] * 500
    assert reading.await_count == 2


async def test_what_another_process_learned_is_found_when_the_table_is_read_anew(
    known: KnownReceivers, storage: Storage, clock: Clock
) -> None:
    passed = 0.0
    started = KnownReceivers(storage, now=clock, clock=lambda: passed)
    await started.warm_up()
    await learn(known)
    assert await started.find(AZURE, HOOK.path) is None
    passed += limits.KNOWN_FRESH
    assert await started.find(AZURE, HOOK.path) is not None


async def test_a_row_that_cannot_be_read_hides_no_other(known: KnownReceivers, storage: Storage) -> None:
    await learn(known)
    odd: list[dict[str, object]] = [
        {"receiver": "{", "seen_at": NOON.isoformat()},
        {"receiver": "[" * 10_000, "seen_at": NOON.isoformat()},
        {"receiver": 7, "seen_at": NOON.isoformat()},
        {"receiver": '{"provider": "azure", "name": "x", "project": null, "source": "y"}', "seen_at": "yesterday"},
        {
            "receiver": '{"provider": "azure", "name": "x", "project": null, "source": "y"}',
            "seen_at": "0001-01-01T00:00:00+23:59",
        },
        {"seen_at": NOON.isoformat()},
        {},
    ]
    entities = [{"PartitionKey": "azure", "RowKey": f"{number:064x}", **each} for number, each in enumerate(odd)]
    await Table(storage, TABLE).merge(entities)
    started = KnownReceivers(storage, now=lambda: NOON)
    assert await started.find(AZURE, HOOK.path) is not None
    for number in range(len(odd)):
        assert await started.find(AZURE, f"/azure/{number:064x}") is None


async def test_no_more_receivers_are_kept_than_the_limit(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KNOWN_RECEIVERS", 3)
    known = KnownReceivers(storage, now=clock)
    for number in range(10):
        hook = Hook(name=f"r{number}")
        known.learn(AZURE, hook.path, replace(VERIFIED, receiver=replace(RECEIVER, name=hook.name)))
    assert len(known._rows) == len(known._rows_of) == 3
    await known.close()


def of_project(project: str, number: int) -> tuple[str, Verified]:
    """The path of a receiver, and what the cluster says of it."""
    hook = Hook(name=f"r{number}", project=project)
    return hook.path, replace(VERIFIED, receiver=replace(RECEIVER, project=project, name=hook.name, source=project))


async def test_a_project_has_its_share_of_the_rows_the_latest_and_takes_none_of_others(
    known: KnownReceivers, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KNOWN_PROJECT", 3)
    path, verified = of_project("honest", 0)
    known.learn(AZURE, path, verified)
    learned = [of_project("greedy", number) for number in range(10)]
    for greedy_path, greedy in reversed(learned):
        clock.now += timedelta(seconds=1)
        known.learn(AZURE, greedy_path, greedy)
    await known.close()
    assert len(await rows(storage)) == 1 + 3
    for each in (known, KnownReceivers(storage, now=clock)):
        assert await each.find(AZURE, path) is not None
        assert [await each.find(AZURE, path) is not None for path, _ in learned] == [True] * 3 + [False] * 7


async def test_a_table_with_too_many_rows_of_a_project_keeps_the_latest(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = KnownReceivers(storage, now=clock)
    learned = [of_project("greedy", number) for number in range(10)]
    for path, verified in learned:
        clock.now += timedelta(seconds=1)
        before.learn(AZURE, path, verified)
    await before.close()
    monkeypatch.setattr(limits, "KNOWN_PROJECT", 3)
    known = KnownReceivers(storage, now=clock)
    assert [await known.find(AZURE, path) is not None for path, _ in learned] == [False] * 7 + [True] * 3
    await known.close()
    assert len(await rows(storage)) == 3


async def test_a_url_of_a_receiver_that_is_now_of_another_kind_is_not_known(
    known: KnownReceivers, storage: Storage
) -> None:
    await learn(known)
    changed = replace(RECEIVER, provider="quay")
    known.has_vouchers(changed, frozenset({voucher_of(HOOK.token)}))
    assert await known.find(AZURE, HOOK.path) is None
    await known.close()
    assert await rows(storage) == []


@pytest.mark.parametrize("kind", ["quay", "of an older version"])
async def test_a_row_whose_receiver_is_not_served_by_its_provider_counts_as_none(
    known: KnownReceivers, storage: Storage, kind: str
) -> None:
    await learn(known, verified=replace(VERIFIED, receiver=replace(RECEIVER, provider=kind)))
    assert await KnownReceivers(storage, now=lambda: NOON).find(AZURE, HOOK.path) is None


async def test_no_more_of_the_table_is_read_than_is_kept(
    known: KnownReceivers, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        known.learn(AZURE, *of_project("shop", number))
    await known.close()
    monkeypatch.setattr(limits, "KNOWN_PAGE", 2)
    monkeypatch.setattr(limits, "KNOWN_RECEIVERS", 4)
    taken: list[object] = []
    started = KnownReceivers(storage, now=clock)
    monkeypatch.setattr(started, "_take", taken.append)
    assert await started.find(AZURE, "/azure/" + "0" * 64) is None
    assert len(taken) == 4


async def test_the_table_can_be_made_ready_before_it_is_needed_or_not(known: KnownReceivers, azurite: Azurite) -> None:
    await known.warm_up()
    await azurite.stop()
    await known.warm_up()


async def test_a_table_that_is_away_is_an_error_to_who_asks_and_none_to_who_tells(
    known: KnownReceivers, azurite: Azurite
) -> None:
    await azurite.stop()
    await learn(known)
    assert await known.find(AZURE, HOOK.path) is not None  # this process knows it without the table
    with pytest.raises(StorageError, match="cannot be reached"):
        await known.find(AZURE, "/azure/" + "0" * 64)


async def test_no_more_bytes_of_receivers_are_kept_than_the_limit(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KNOWN_BYTES", 10_000)
    known = KnownReceivers(storage, now=clock)
    for number in range(50):
        known.learn(AZURE, *of_project("shop", number))
    assert 0 < known._rows.used <= 10_000
    assert len(known._rows) == len(known._rows_of) == sum(map(len, known._rows_in.values()))
    await known.close()
