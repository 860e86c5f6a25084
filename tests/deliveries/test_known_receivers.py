"""The receivers that are known while the cluster is away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from receivers.deliveries.directory import Verified
from receivers.deliveries.known_receivers import TABLE, KnownReceivers
from receivers.deliveries.storage import Storage, StorageError
from receivers.deliveries.tables import Table
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from tests.deliveries.examples import NOON, RECEIVER
from tests.objects import PROJECT, SECRET, Hook

AZURE, QUAY = PROVIDERS["azure"], PROVIDERS["quay"]
SIGNED = replace(AZURE, name="signed", needs_secret=True)
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
    assert found == Verified(receiver=replace(RECEIVER, status_path=""))


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


async def test_the_table_can_be_made_ready_before_it_is_needed_or_not(known: KnownReceivers, azurite: Azurite) -> None:
    await known.warm_up()
    await azurite.stop()
    await known.warm_up()


async def test_a_table_that_is_away_is_an_error_to_who_asks_and_none_to_who_tells(
    known: KnownReceivers, azurite: Azurite
) -> None:
    await azurite.stop()
    await learn(known)
    with pytest.raises(StorageError, match="cannot be reached"):
        await known.find(AZURE, HOOK.path)
