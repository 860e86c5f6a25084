"""How the keys of identity tokens are fetched and kept, from a place on loopback."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from receivers import limits
from receivers.directory.signing_keys import KeysError, SigningKeys
from tests.identity_tokens import Place, key_set, publishing


class Clock:
    """A time that goes on when the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with publishing() as place:
        yield place


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def signing_keys(clock: Clock) -> AsyncIterator[SigningKeys]:
    signing_keys = SigningKeys(clock=clock)
    yield signing_keys
    await signing_keys.close()


def soon(seconds: float = 30) -> float:
    return asyncio.get_running_loop().time() + seconds


async def known(signing_keys: SigningKeys, place: Place) -> list[str]:
    return list(await signing_keys.of(place.url, until=soon()))


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("public, max-age=3600, must-revalidate", 3600),
        ('MAX-AGE="3600"', 3600),
        ("s-maxage=9999", limits.KEYS_SHORTEST),
        ("max-age=1", limits.KEYS_SHORTEST),
        ("no-store", limits.KEYS_SHORTEST),
        ("max-age=soon", limits.KEYS_SHORTEST),
        ("max-age=999999999", limits.KEYS_LONGEST),
        ("", limits.KEYS_SHORTEST),
    ],
)
async def test_keys_are_kept_as_long_as_their_issuer_allows_within_bounds(
    signing_keys: SigningKeys, place: Place, clock: Clock, cache_control: str, seconds: float
) -> None:
    place.headers = {"Cache-Control": cache_control}
    assert await known(signing_keys, place) == ["one"]
    place.document = key_set("two")
    clock.now += seconds - 1
    assert (await known(signing_keys, place), place.asked) == (["one"], 1)
    clock.now += 1
    assert (await known(signing_keys, place), place.asked) == (["two"], 2)


async def test_all_who_wait_share_one_fetch(signing_keys: SigningKeys, place: Place) -> None:
    place.answering.clear()
    waiting = [asyncio.create_task(known(signing_keys, place)) for _ in range(50)]
    impatient = asyncio.create_task(signing_keys.of(place.url, until=soon(0.05)))
    with pytest.raises(KeysError):
        await impatient
    place.answering.set()
    assert await asyncio.gather(*waiting) == [["one"]] * 50
    assert place.asked == 1


async def test_an_unknown_key_has_them_fetched_anew_once_a_minute(
    signing_keys: SigningKeys, place: Place, clock: Clock
) -> None:
    await known(signing_keys, place)
    place.document = key_set("one", "two")
    for _ in range(3):
        assert list(await signing_keys.newer(place.url, until=soon())) == ["one"]
    clock.now += limits.KEYS_UNKNOWN
    for _ in range(3):
        assert list(await signing_keys.newer(place.url, until=soon())) == ["one", "two"]
    assert (await known(signing_keys, place), place.asked) == (["one", "two"], 2)


FAILURES = {
    "error": (500, key_set("one")),
    "elsewhere": (302, b""),
    "no key set": (200, b"<html>"),
    "no keys": (200, b'{"keys": []}'),
    "huge": (200, key_set("one") + b" " * limits.KEYS_BYTES),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_any_keys_there_is_an_error_and_a_pause(
    signing_keys: SigningKeys, place: Place, clock: Clock, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = place.status, place.document
    place.status, place.document = FAILURES[failure]
    place.headers = {"Location": "/certs"} if place.status == 302 else {}
    for _ in range(3):
        with pytest.raises(KeysError):
            await known(signing_keys, place)
    assert place.asked == 1
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    place.status, place.document = good
    clock.now += limits.KEYS_RETRY
    assert await known(signing_keys, place) == ["one"]


async def test_compressed_keys_are_not_unpacked(signing_keys: SigningKeys, place: Place) -> None:
    place.headers = {"Content-Encoding": "gzip"}
    assert await known(signing_keys, place) == ["one"]


@pytest.mark.parametrize("failure", FAILURES)
async def test_keys_from_before_count_for_a_day_while_they_cannot_be_fetched(
    signing_keys: SigningKeys, place: Place, clock: Clock, failure: str
) -> None:
    await known(signing_keys, place)
    place.status, place.document = FAILURES[failure]
    clock.now += limits.KEYS_SHORTEST
    assert (await known(signing_keys, place), await known(signing_keys, place), place.asked) == (["one"], ["one"], 2)
    clock.now += limits.KEYS_UNKNOWN
    assert list(await signing_keys.newer(place.url, until=soon())) == ["one"]
    clock.now += limits.KEYS_LONGEST - limits.KEYS_SHORTEST - limits.KEYS_UNKNOWN
    with pytest.raises(KeysError):
        await known(signing_keys, place)


async def test_a_place_that_is_slow_holds_nobody_for_longer_than_they_have(
    signing_keys: SigningKeys, place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KEYS_TIMEOUT", 0.3)
    place.answering.clear()
    with pytest.raises(KeysError):
        await signing_keys.of(place.url, until=soon(0.05))
    with pytest.raises(KeysError):  # the fetch itself ends
        await known(signing_keys, place)
    assert place.asked == 1
    place.answering.set()
    clock.now += limits.KEYS_RETRY
    assert await known(signing_keys, place) == ["one"]


async def test_keys_that_are_known_cost_no_time(signing_keys: SigningKeys, place: Place) -> None:
    await known(signing_keys, place)
    assert list(await signing_keys.of(place.url, until=soon(-1))) == ["one"]


async def test_a_place_that_is_not_there_is_an_error_that_says_nothing_of_it(
    signing_keys: SigningKeys, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeysError):
        await signing_keys.of("http://127.0.0.1:1/certs", until=soon())
    assert "127.0.0.1" not in caplog.text


async def test_closing_ends_a_fetch(place: Place) -> None:
    place.answering.clear()
    signing_keys = SigningKeys()
    with pytest.raises(KeysError):
        await signing_keys.of(place.url, until=soon(0.05))
    await signing_keys.close()
    await SigningKeys().close()
