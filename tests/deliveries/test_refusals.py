"""What is refused before a receiver is known: counted by reason and minute, logged a few times, never recorded."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from receivers import limits
from receivers.deliveries import answers
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.refusals import Reason, reason_of
from receivers.directory.former import Asked, Former, Why
from receivers.events import Malformed, TooLarge, UnknownReceiver, WebhookError
from receivers.local.azurite import Azurite
from receivers.sampled import Sample
from receivers.storage.account import Storage
from receivers.storage.tables import Table
from receivers.telemetry.refusal_counter import TABLE, RefusalCounter
from testbed.waiting import eventually
from tests.examples import NOON, RECEIVER, delivery


class Clock:
    """What the time is, as the test tells it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(error: WebhookError | None = None, *, at: datetime = NOON, answer: Answer | None = None) -> Delivery:
    """A request for which no receiver is known."""
    made = delivery(at=at, receiver=None, answer=answer or answers.refused(error or UnknownReceiver()))
    made.events, made.error = [], "No receiver has this URL"
    return made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (refused(), Reason.UNKNOWN_URL),
        (refused(TooLarge("content exceeds limit")), Reason.TOO_LARGE),
        (refused(Malformed("no such method")), Reason.MALFORMED),
        (refused(answer=answers.unavailable()), Reason.NOT_ASKED),
        (refused(answer=answers.defect()), Reason.DEFECT),
        (delivery(), None),
        (delivery(receiver=RECEIVER, answer=answers.refused(Malformed("not JSON"))), None),
        (delivery(receiver=RECEIVER, answer=answers.refused(TooLarge("content exceeds limit"))), None),
    ],
)
def test_only_what_is_refused_before_a_receiver_is_known_is_counted(made: Delivery, reason: Reason | None) -> None:
    assert reason_of(made) == reason


@pytest.mark.parametrize(("is_news", "reason"), [(True, None), (False, Reason.FORMER_URL)])
def test_of_what_goes_to_a_former_url_the_first_is_recorded_and_the_others_are_counted(
    is_news: bool, reason: Reason | None
) -> None:
    made = refused()
    former = Former.of(RECEIVER, "0" * 64, why=Why.DELETED, now=NOON)
    made.former = Asked(former=former, is_news=is_news)
    assert reason_of(made) == reason


def test_what_somebody_with_a_key_tries_is_recorded_all_the_same() -> None:
    tried, again = refused(answer=answers.unavailable()), refused(answer=answers.unavailable())
    tried.test, again.redelivery_of = True, "0" * 24
    assert (reason_of(tried), reason_of(again)) == (None, None)


@pytest.fixture
async def counter(clock: Clock) -> AsyncIterator[RefusalCounter]:
    counter = RefusalCounter(None, now=clock)
    yield counter
    await counter.close()


async def test_it_is_counted_by_reason_and_minute(counter: RefusalCounter, clock: Clock) -> None:
    for seconds in (0, 59, 60, 130, 131):
        counter.delivered(refused(at=NOON + timedelta(seconds=seconds)))
    counter.delivered(refused(TooLarge("content exceeds limit")))
    clock.now = NOON + timedelta(minutes=3)
    summary = await counter.summary()
    assert summary.minutes == {
        NOON: {Reason.UNKNOWN_URL: 2, Reason.TOO_LARGE: 1},
        NOON + timedelta(minutes=1): {Reason.UNKNOWN_URL: 1},
        NOON + timedelta(minutes=2): {Reason.UNKNOWN_URL: 2},
    }
    assert summary.reasons == [Reason.UNKNOWN_URL, Reason.TOO_LARGE]
    assert (summary.day(), summary.day(Reason.UNKNOWN_URL), summary.hour(Reason.TOO_LARGE)) == (6, 5, 1)
    assert summary.busiest(Reason.UNKNOWN_URL) == (NOON, 2)
    assert summary.last(Reason.TOO_LARGE) == NOON
    assert not summary.whole


async def test_counts_are_kept_for_a_day_and_take_no_room_after_it(counter: RefusalCounter, clock: Clock) -> None:
    for minutes in range(3 * 24 * 60):
        clock.now = NOON + timedelta(minutes=minutes)
        counter.delivered(refused(at=clock.now))
    assert len(counter._minutes) <= 24 * 60 + 1
    summary = await counter.summary()
    assert (summary.day(), summary.hour()) == (24 * 60 + 1, 61)
    clock.now += timedelta(days=1, minutes=1)
    assert (await counter.summary()).reasons == []


async def test_the_first_few_of_a_minute_have_a_line_and_the_others_one_line_for_all(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    counter = RefusalCounter(None, now=clock, interval=0.01)
    with caplog.at_level(logging.INFO):
        for _ in range(1_239):
            counter.delivered(refused())
        counter.delivered(refused(answer=answers.unavailable()))
        counter.delivered(delivery())
        await eventually(lambda: "more requests" in caplog.text)
        await counter.close()
    assert len([line for line in caplog.messages if "-> 404" in line]) == limits.SAMPLE
    assert len([line for line in caplog.messages if "-> 503" in line or "-> 200" in line]) == 2
    assert [line for line in caplog.messages if "more requests" in line] == [
        "1234 more requests to unknown URLs in the last minute"
    ]


async def test_in_a_flood_a_request_of_the_next_minute_says_how_many_more_there_were(
    counter: RefusalCounter, caplog: pytest.LogCaptureFixture
) -> None:
    """Azure's host takes what is logged while it waits for an answer, and may not take the rest."""
    passed = 0.0
    counter._samples[Reason.UNKNOWN_URL] = Sample(clock=lambda: passed)
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            counter.delivered(refused())
        assert "more requests" not in caplog.text
        passed = limits.SAMPLE_INTERVAL
        counter.delivered(refused())
    assert caplog.messages[-2] == f"{100 - limits.SAMPLE} more requests to unknown URLs in the last minute"
    assert "-> 404" in caplog.messages[-1]
    assert limits.REFUSALS_INTERVAL > limits.SAMPLE_INTERVAL


# With a Storage account


async def entities(storage: Storage) -> list[dict[str, object]]:
    return [dict(entity) async for page in Table(storage, TABLE).pages("") for entity in page]


async def test_the_counts_of_every_instance_add_up(storage: Storage, clock: Clock) -> None:
    first, second = RefusalCounter(storage, now=clock), RefusalCounter(storage, now=clock)
    for _ in range(3):
        first.delivered(refused())
    second.delivered(refused())
    second.delivered(refused(TooLarge("content exceeds limit"), at=NOON - timedelta(minutes=113)))
    await second.close()
    summary = await first.summary()
    assert (summary.day(Reason.UNKNOWN_URL), summary.day(Reason.TOO_LARGE), summary.hour()) == (4, 1, 4)
    assert summary.whole
    await first.close()
    third = await RefusalCounter(storage, now=clock).summary()
    assert third.minutes == {
        NOON: {Reason.UNKNOWN_URL: 4},
        NOON - timedelta(minutes=113): {Reason.TOO_LARGE: 1},
    }


async def test_a_flood_costs_one_small_entity_for_an_hour(storage: Storage, clock: Clock) -> None:
    counter = RefusalCounter(storage, now=clock)
    for number in range(60_000):
        counter.delivered(refused(at=NOON + timedelta(seconds=number * 0.06)))
    await counter.close()
    (entity,) = await entities(storage)
    assert len(str(entity)) < 2_000
    assert sum(json.loads(str(entity["minutes"]))["unknownUrl"].values()) == 60_000


async def test_a_flood_is_written_once_in_an_interval(
    storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_INTERVAL", 0.01)
    written: list[int] = []
    merge = Table.merge

    async def counting(table: Table, batch: list[dict[str, object]]) -> None:
        await merge(table, batch)
        written.append(len(batch))

    monkeypatch.setattr(Table, "merge", counting)
    counter = RefusalCounter(storage, now=clock, interval=3600.0)
    for _ in range(1_000):
        counter.delivered(refused())
        await asyncio.sleep(0)
    assert written == []
    counter._flush()
    await eventually(lambda: written == [1])
    await counter.close()
    assert written == [1]


async def test_entities_that_cannot_be_read_are_left_out(
    storage: Storage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    hour = f"{NOON:%Y-%m-%dT%H}"
    odd = ["", "[]", '{"unknownUrl": 7}', '{"unknownUrl": {"x": 1}}', "[" * 30_000, '{"unknownUrl": {"00": "1"}}']
    written = [{"PartitionKey": hour, "RowKey": f"odd-{number}", "minutes": text} for number, text in enumerate(odd)]
    written += [{"PartitionKey": hour, "RowKey": "of another version", "minutes": '{"another": {"00": 5}}'}]
    written += [{"PartitionKey": hour, "RowKey": "empty"}, {"PartitionKey": "x", "RowKey": "no hour", "minutes": "{}"}]
    written += [{"PartitionKey": hour, "RowKey": "sound", "minutes": '{"unknownUrl": {"00": 5}}'}]
    client = await storage.table(TABLE)
    await client.create_table()
    for entity in written:
        await client.upsert_entity(entity)
    assert (await RefusalCounter(storage, now=clock).summary()).day() == 5
    assert "counts of refused requests cannot be read" in caplog.text


async def test_old_counts_are_deleted(storage: Storage, clock: Clock) -> None:
    counter = RefusalCounter(storage, now=clock)
    for hours in (0, 23, 26, 50):
        counter.delivered(refused(at=NOON - timedelta(hours=hours)))
    await counter.close()
    assert await counter.clean() == 2
    assert len(await entities(storage)) == 2


async def test_without_storage_there_is_nothing_to_delete(counter: RefusalCounter) -> None:
    assert await counter.clean() == 0


async def test_a_storage_that_is_away_costs_no_count(storage: Storage, clock: Clock, azurite: Azurite) -> None:
    counter = RefusalCounter(storage, now=clock)
    await azurite.stop()
    counter.delivered(refused())
    counter._flush()
    summary = await counter.summary()
    assert (summary.day(), summary.whole) == (1, False)
    await azurite.start()
    await counter.close()
    assert (await RefusalCounter(storage, now=clock).summary()).day() == 1
