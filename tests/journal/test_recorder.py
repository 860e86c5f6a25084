"""How a row of the journal follows what happens after the answer."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from receivers import limits
from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries import answers
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.matching import Match, Refreshes
from receivers.events import Decision, Target, TargetKind
from receivers.journal.journal import Finding, Searched, State
from receivers.journal.recorder import TURN, Recorder
from receivers.retries import messages
from receivers.retries.messages import Attempt, Message
from testbed.objects import PROJECT
from testbed.waiting import eventually
from tests.examples import APP, NOON, delivery, push, refreshed, unwanted, wanted
from tests.journal.shelf import Shelf

OTHER = Target(PROJECT, "other")
EARLIER = "2026-11-21T12:00:00.100000Z-aaaaaa"
VALUE = "2026-11-21T12:00:00.200000Z-bbbbbb"
LATER = "2026-11-21T12:00:00.300000Z-cccccc"
TRIED = NOON + timedelta(minutes=5)


class Clock:
    """What the time is, as the test tells it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Seconds:
    """How many have passed, as the test tells it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def recorder(shelf: Shelf, clock: Clock) -> Recorder:
    return Recorder(shelf, now=clock)


def answered(*, value: str = VALUE, at: datetime = NOON) -> Delivery:
    """A delivery that refreshed one Warehouse."""
    made = delivery(at=at)
    made.matched, made.decisions = True, [wanted()]
    made.refreshes.outcomes[APP] = refreshed(value)
    return made


def queued(*targets: Target) -> Delivery:
    """A delivery that waits, with refreshes that go on after the answer."""
    made = delivery(answer=answers.queued(len(targets), len(targets)))
    made.matched, made.queued, made.decisions = True, True, [wanted(target) for target in targets]
    for target in targets:
        made.refreshes.waiting[target] = asyncio.get_running_loop().create_future()
    return made


def message(made: Delivery, *, error: str = "") -> Message:
    """The delivery in the retry queue, after one more try."""
    (waiting,) = messages.of(made)
    return waiting.tried(Attempt(at=TRIED, refreshed=0 if error else 1, error=error))


def match(*decisions: Decision) -> Match:
    return Match(decisions=list(decisions), others=3)


async def turn() -> None:
    """Callbacks and tasks that can run have run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_every_delivery_has_a_row(recorder: Recorder, shelf: Shelf) -> None:
    made = answered()
    recorder.delivered(made)
    assert shelf[made.id].state == State.REFRESHED


async def test_a_duplicate_is_named(recorder: Recorder, shelf: Shelf) -> None:
    first, again = answered(), answered(at=NOON + timedelta(seconds=1))
    recorder.delivered(first)
    recorder.delivered(again)
    assert (shelf[first.id].duplicate_of, shelf[again.id].duplicate_of) == ("", first.id)


async def test_the_row_tells_when_kargo_has_acted(recorder: Recorder, shelf: Shelf, clock: Clock) -> None:
    made = answered()
    recorder.delivered(made)
    assert shelf[made.id].handled_at is None
    clock.now += timedelta(seconds=1.8)
    recorder.handled(APP, VALUE)
    assert shelf[made.id].handled_at == shelf[made.id].warehouses[0].handled_at == NOON + timedelta(seconds=1.8)


@pytest.mark.parametrize(
    ("handled", "covers"),
    [
        (VALUE, True),
        (LATER, True),
        (EARLIER, False),
        ("2026-11-21T12:00:01Z", True),  # Kargo's own, of a later second
        ("2026-11-21T12:00:00Z", False),  # Kargo's own, of the same second: may be before
        ("2026-11-21T11:59:59Z", False),
        ("somebody's own", False),
        ("z" * 40, False),
        ("", False),
    ],
)
async def test_only_what_covers_the_refresh_counts(
    recorder: Recorder, shelf: Shelf, handled: str, covers: bool
) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.handled(APP, handled)
    assert (shelf[made.id].handled_at is not None) is covers


async def test_kargo_may_act_before_the_answer(recorder: Recorder, shelf: Shelf) -> None:
    recorder.handled(APP, VALUE)
    made = answered()
    recorder.delivered(made)
    assert shelf[made.id].handled_at == NOON


async def test_kargo_must_have_acted_on_every_warehouse(recorder: Recorder, shelf: Shelf, clock: Clock) -> None:
    made = answered()
    made.decisions.append(wanted(OTHER))
    made.refreshes.outcomes[OTHER] = refreshed(LATER)
    recorder.delivered(made)
    recorder.handled(APP, VALUE)
    assert shelf[made.id].handled_at is None
    clock.now += timedelta(seconds=5)
    recorder.handled(OTHER, LATER)
    assert shelf[made.id].handled_at == clock.now


async def test_what_does_not_concern_a_row_does_not_write_it(recorder: Recorder, shelf: Shelf) -> None:
    recorder.delivered(answered())
    written = shelf.written
    recorder.handled(APP, EARLIER)
    recorder.handled(OTHER, LATER)
    assert shelf.written == written


async def test_many_deliveries_are_handled_by_one_refresh(recorder: Recorder, shelf: Shelf) -> None:
    deliveries = [answered() for _ in range(5)]
    for made in deliveries:
        recorder.delivered(made)
    recorder.handled(APP, VALUE)
    assert all(shelf[made.id].handled_at for made in deliveries)


async def test_a_refresh_that_outlives_the_answer_is_noted(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP, OTHER)
    futures = dict(made.refreshes.waiting)
    recorder.delivered(made)
    assert shelf[made.id].state == State.QUEUED
    futures[APP].set_result(refreshed(VALUE))
    await turn()
    assert [each.state for each in shelf[made.id].warehouses] == [State.REFRESHED, State.QUEUED]
    futures[OTHER].set_result(Outcome(result=Result.GONE, attempts=1))
    await turn()
    assert shelf[made.id].state == State.REFRESHED


async def test_a_refresh_that_fails_after_the_answer_still_waits(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    made.refreshes.waiting[APP].set_result(Outcome(result=Result.FAILED, attempts=9, error="503"))
    await turn()
    (warehouse,) = shelf[made.id].warehouses
    assert (shelf[made.id].state, warehouse.state, warehouse.error) == (State.QUEUED, State.QUEUED, "503")


async def test_without_a_queue_it_has_failed_until_it_succeeds_after_all(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    made.queued, made.answer = False, answers.failed(1, 1)
    recorder.delivered(made)
    assert shelf[made.id].state == State.FAILED
    made.refreshes.waiting[APP].set_result(refreshed(VALUE))
    await turn()
    assert shelf[made.id].state == State.REFRESHED


async def test_a_cancelled_refresh_tells_nothing(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    made.refreshes.waiting[APP].cancel()
    await turn()
    assert shelf[made.id].state == State.QUEUED


async def test_a_later_try_that_succeeds(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    recorder.tried(message(made), match(wanted(), unwanted(OTHER)), Refreshes({APP: refreshed(VALUE)}), given_up=False)
    await turn()
    row = shelf[made.id]
    assert (row.state, row.others, row.attempts) == (State.REFRESHED, 3, [Attempt(at=TRIED, refreshed=1)])
    assert [(each.name, each.state) for each in row.warehouses] == [("app", State.REFRESHED), ("other", None)]


async def test_a_later_try_that_fails_goes_on_waiting(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    recorder.tried(message(made, error="no answer"), None, Refreshes(), given_up=False)
    await turn()
    row = shelf[made.id]
    assert (row.state, row.attempts[0].error) == (State.QUEUED, "no answer")
    assert [each.name for each in row.warehouses] == ["app"]  # what was known of them stays


async def test_a_later_try_whose_refreshes_go_on_is_followed(recorder: Recorder, shelf: Shelf) -> None:
    made = queued()
    made.matched = False
    recorder.delivered(made)
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    tried = message(made, error="1 refresh(es) not done in time")
    recorder.tried(tried, match(wanted()), Refreshes(waiting={APP: future}), given_up=False)
    await turn()
    assert shelf[made.id].state == State.QUEUED
    future.set_result(refreshed(VALUE))
    await turn()
    assert shelf[made.id].state == State.REFRESHED


async def test_a_later_try_may_find_that_no_warehouse_wants_it(recorder: Recorder, shelf: Shelf) -> None:
    made = queued()
    recorder.delivered(made)
    recorder.tried(message(made), match(unwanted(OTHER)), Refreshes(), given_up=False)
    await turn()
    assert shelf[made.id].state == State.NOTHING


async def test_a_delivery_that_is_given_up_says_why(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    recorder.tried(message(made, error="no answer"), match(wanted()), Refreshes(), given_up=True)
    await turn()
    row = shelf[made.id]
    assert (row.state, row.reason, row.warehouses[0].state) == (State.FAILED, "no answer", State.FAILED)


async def test_a_delivery_whose_url_is_refuted_later_is_refused(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    recorder.refused(message(made), "its URL is none")
    await turn()
    assert (shelf[made.id].state, shelf[made.id].reason) == (State.REFUSED, "its URL is none")


async def test_who_wants_to_know_is_told_once_that_kargo_has_acted(recorder: Recorder) -> None:
    told: list[str] = []
    recorder.on_handled = lambda row: told.append(row.id)
    made = answered()
    recorder.delivered(made)
    assert told == []
    recorder.handled(APP, VALUE)
    recorder.handled(APP, LATER)
    assert told == [made.id]


async def test_a_delivery_that_was_given_up_may_succeed_after_all(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    recorder.tried(message(made, error="no answer"), match(wanted()), Refreshes(), given_up=True)
    recorder.tried(message(made), match(wanted()), Refreshes({APP: refreshed(VALUE)}), given_up=False)
    await turn()
    assert (shelf[made.id].state, shelf[made.id].reason) == (State.REFRESHED, "")


async def test_a_row_of_another_process_is_found_in_the_journal(shelf: Shelf, recorder: Recorder) -> None:
    made = queued(APP)
    Recorder(shelf).delivered(made)
    recorder.tried(message(made), match(wanted()), Refreshes({APP: refreshed(VALUE)}), given_up=False)
    await turn()
    row = shelf[made.id]
    assert (row.state, row.answer) == (State.REFRESHED, "queued 1 of 1 refresh(es)")
    recorder.handled(APP, VALUE)
    assert shelf[made.id].handled_at is not None


async def test_a_delivery_whose_process_died_before_it_wrote_a_row_has_one_after_the_next_try(
    recorder: Recorder, shelf: Shelf
) -> None:
    made = delivery(push(tag="1.2.3", event_id="event-1"))
    recorder.tried(message(made), match(wanted()), Refreshes({APP: refreshed(VALUE)}), given_up=False)
    await turn()
    row = shelf[made.id]
    assert (row.provider, row.receiver, row.project, row.event) == ("azure", "acr", PROJECT, "push")
    assert (row.repository, row.tag, row.sender_event_id) == ("team/app", "1.2.3", "event-1")
    assert (row.state, row.status, row.events) == (State.REFRESHED, 0, made.events)


async def test_a_journal_that_is_away_costs_what_one_try_told(recorder: Recorder, shelf: Shelf) -> None:
    shelf.away = True
    recorder.tried(message(delivery()), match(), Refreshes(), given_up=False)
    await turn()
    assert len(shelf) == 0


async def test_handled_is_not_forgotten_when_a_later_try_finds_it_refreshed(
    recorder: Recorder, shelf: Shelf, clock: Clock
) -> None:
    made = queued(APP, OTHER)
    futures = dict(made.refreshes.waiting)
    recorder.delivered(made)
    futures[APP].set_result(refreshed(VALUE))
    await turn()
    recorder.handled(APP, VALUE)
    clock.now += timedelta(minutes=1)
    refreshes = Refreshes({APP: refreshed(VALUE), OTHER: refreshed(LATER)})
    recorder.tried(message(made), match(wanted(), wanted(OTHER)), refreshes, given_up=False)
    await turn()
    assert shelf[made.id].warehouses[0].handled_at == NOON


@pytest.mark.parametrize(
    "outcome", [refreshed(LATER), Outcome(result=Result.FAILED, attempts=1, error="503"), None], ids=str
)
async def test_what_was_refreshed_between_two_tries_stays_so_and_was_when_it_was(
    recorder: Recorder, shelf: Shelf, clock: Clock, outcome: Outcome | None
) -> None:
    made = queued(APP)
    recorder.delivered(made)
    made.refreshes.waiting[APP].set_result(refreshed(VALUE))
    await turn()
    recorder.handled(APP, VALUE)
    clock.now += timedelta(seconds=37)
    waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    refreshes = Refreshes({APP: outcome}) if outcome else Refreshes(waiting={APP: waiting})
    recorder.tried(
        message(made, error="" if outcome else "not done in time"), match(wanted()), refreshes, given_up=False
    )
    await turn()
    row = shelf[made.id]
    assert (row.state, row.handled_at) == (State.REFRESHED, NOON)
    assert (row.warehouses[0].state, row.warehouses[0].value) == (State.REFRESHED, VALUE)


async def test_a_second_refresh_that_fails_in_the_end_takes_nothing_back(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP)
    recorder.delivered(made)
    made.refreshes.waiting[APP].set_result(refreshed(VALUE))
    await turn()
    second: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    tried = message(made, error="1 refresh(es) not done in time")
    recorder.tried(tried, match(wanted()), Refreshes(waiting={APP: second}), given_up=False)
    await turn()
    second.set_result(Outcome(result=Result.FAILED, attempts=9, error="503"))
    await turn()
    assert (shelf[made.id].state, shelf[made.id].warehouses[0].state) == (State.REFRESHED, State.REFRESHED)


async def test_the_parts_of_a_batch_add_up(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(APP, OTHER)
    recorder.delivered(made)
    part = msgspec.structs.replace(message(made), parts=2)
    recorder.tried(part, match(wanted(), unwanted(OTHER)), Refreshes({APP: refreshed(VALUE)}), given_up=False)
    await turn()
    assert [each.state for each in shelf[made.id].warehouses] == [State.REFRESHED, State.QUEUED]
    assert shelf[made.id].state == State.QUEUED
    recorder.tried(part, match(unwanted(APP), wanted(OTHER)), Refreshes({OTHER: refreshed(LATER)}), given_up=False)
    await turn()
    assert [each.state for each in shelf[made.id].warehouses] == [State.REFRESHED, State.REFRESHED]
    assert shelf[made.id].state == State.REFRESHED


async def test_only_so_many_rows_are_followed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JOURNAL_OPEN", 2)
    recorder = Recorder(shelf)
    deliveries = [answered() for _ in range(3)]
    for made in deliveries:
        recorder.delivered(made)
    recorder.handled(APP, VALUE)
    assert [shelf[made.id].handled_at is not None for made in deliveries] == [False, True, True]


async def test_a_refresh_of_a_row_that_is_no_longer_followed_is_not_noted(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_OPEN", 1)
    recorder = Recorder(shelf)
    made = queued(APP)
    recorder.delivered(made)
    recorder.delivered(answered())
    made.refreshes.waiting[APP].set_result(refreshed(VALUE))
    await turn()
    assert shelf[made.id].state == State.QUEUED


async def test_large_rows_take_no_more_than_their_room(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each names many Warehouses, and tags of letters that take four bytes."""
    monkeypatch.setattr(limits, "JOURNAL_OPEN_BYTES", 1024 * 1024)
    recorder = Recorder(shelf)
    for number in range(20):
        made = answered()
        made.events = [
            msgspec.structs.replace(
                push(tag="\U0001d11e" * 100), qualifiers=tuple("\U0001d11e" * 50 for _ in range(100))
            )
        ]
        made.decisions = [wanted(Target(PROJECT, f"warehouse-{number}-{each}")) for each in range(200)]
        for decision in made.decisions:
            made.refreshes.outcomes[decision.target] = refreshed()
        recorder.delivered(made)
        assert recorder._open.used <= limits.JOURNAL_OPEN_BYTES
    assert 1 < len(recorder._open) < 20
    assert sum(map(len, recorder._waiting.values())) == 200 * len(recorder._open)


async def test_a_row_without_news_is_closed_after_a_day_and_a_later_try_finds_it_in_the_journal(
    shelf: Shelf, clock: Clock
) -> None:
    passed = Seconds()
    recorder = Recorder(shelf, now=clock, clock=passed)
    made = queued(APP)
    recorder.delivered(made)
    passed.now = limits.JOURNAL_OPEN_AGE + 1
    made.refreshes.waiting[APP].set_result(refreshed(VALUE))
    await turn()
    assert shelf[made.id].state == State.QUEUED
    assert (len(recorder._open), len(recorder._waiting)) == (0, 0)
    recorder.tried(message(made), match(wanted()), Refreshes({APP: refreshed(VALUE)}), given_up=False)
    await turn()
    assert shelf[made.id].state == State.REFRESHED


async def test_what_kargo_handled_is_remembered_for_as_long_as_an_answer_may_take(shelf: Shelf) -> None:
    passed = Seconds()
    recorder = Recorder(shelf, clock=passed)
    large = "x" * 1_000_000
    for number in range(limits.HANDLED + 100):
        recorder.handled(Target(PROJECT, f"warehouse-{number}"), large)
    assert len(recorder._handled) == limits.HANDLED
    assert {len(value) for _, value in recorder._handled.items()} == {limits.HANDLED_VALUE}
    passed.now = limits.HANDLED_AGE + 1
    assert len(recorder._handled) == 0


async def test_many_rows_are_brought_up_to_date_in_turns(recorder: Recorder, shelf: Shelf) -> None:
    deliveries = [answered() for _ in range(TURN * 3)]
    for made in deliveries:
        recorder.delivered(made)
    recorder.handled(APP, VALUE)
    assert sum(shelf[made.id].handled_at is not None for made in deliveries) == TURN
    await turn()
    assert all(shelf[made.id].handled_at for made in deliveries)


async def test_a_redelivery_is_noted_on_a_row_that_is_still_followed(recorder: Recorder, shelf: Shelf) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.redelivered(shelf[made.id], "again")
    recorder.handled(APP, VALUE)
    assert (shelf[made.id].redelivered_as, shelf[made.id].handled_at is not None) == ("again", True)


async def test_a_delivery_that_is_finished_is_no_longer_followed(recorder: Recorder) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.handled(APP, VALUE)
    recorder.delivered(delivery(answer=answers.ping()))
    assert not recorder._open
    assert not recorder._waiting


async def test_closing_writes_what_was_told(recorder: Recorder, shelf: Shelf) -> None:
    made = delivery()
    recorder.tried(message(made), match(), Refreshes(), given_up=False)
    await recorder.close()
    assert shelf[made.id].attempts
    assert shelf.closed


# Many Warehouses


async def test_news_of_a_row_of_many_warehouses_is_told_in_few_passes(
    recorder: Recorder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pass costs the whole row: one project's thousand Warehouses would hold everybody's deliveries."""
    monkeypatch.setattr(limits, "NEWS_INTERVAL", 0.0)
    made = queued(*(Target(PROJECT, f"w{number}") for number in range(500)))
    futures = dict(made.refreshes.waiting)
    recorder.delivered(made)
    before = shelf.written
    for future in futures.values():
        future.set_result(refreshed(VALUE))
    await eventually(lambda: shelf[made.id].state == State.REFRESHED)
    for target in futures:
        recorder.handled(target, LATER)
    await eventually(lambda: shelf[made.id].handled_at is not None)
    assert shelf.written - before <= 10


async def test_what_was_gathered_is_written_when_the_process_ends(recorder: Recorder, shelf: Shelf) -> None:
    made = queued(*(Target(PROJECT, f"w{number}") for number in range(100)))
    futures = dict(made.refreshes.waiting)
    recorder.delivered(made)
    for future in futures.values():
        future.set_result(refreshed(VALUE))
    await turn()
    await recorder.close()
    assert shelf[made.id].state == State.REFRESHED


async def test_a_promotion_of_a_warehouse_s_name_is_told_apart(recorder: Recorder, shelf: Shelf) -> None:
    rollout = Target(APP.namespace, APP.name, TargetKind.PROMOTION)
    made = queued(rollout)
    recorder.delivered(made)
    made.refreshes.waiting[rollout].set_result(refreshed(VALUE))
    await turn()
    assert shelf[made.id].state == State.REFRESHED
    recorder.handled(APP, VALUE)
    assert shelf[made.id].handled_at is None
    recorder.handled(rollout, VALUE)
    await turn()
    assert shelf[made.id].handled_at is not None


def refreshing(*targets: Target) -> Delivery:
    """A delivery that refreshed these."""
    made = delivery()
    made.matched, made.decisions = True, [wanted(target) for target in targets]
    made.refreshes.outcomes.update(dict.fromkeys(targets, refreshed(VALUE)))
    return made


async def test_the_row_tells_when_kargo_has_found_it(recorder: Recorder, shelf: Shelf, clock: Clock) -> None:
    made = answered()
    told: list[Finding | None] = []
    recorder.on_finding = lambda row: told.append(row.finding)
    recorder.delivered(made)
    clock.now += timedelta(seconds=2)
    recorder.sought(APP, [made.id], Finding.SOUGHT, reason="x" * 1_000)
    (warehouse,) = shelf[made.id].warehouses
    assert (shelf[made.id].finding, shelf[made.id].found_at, told) == (Finding.SOUGHT, None, [])
    assert warehouse.searched is not None
    assert len(warehouse.searched.reason) == limits.FREE_TEXT
    clock.now += timedelta(seconds=2)
    recorder.sought(APP, [made.id], Finding.FOUND)
    found_at = NOON + timedelta(seconds=4)
    (warehouse,) = shelf[made.id].warehouses
    assert (shelf[made.id].finding, shelf[made.id].found_at, told) == (Finding.FOUND, found_at, [Finding.FOUND])
    assert warehouse.searched == Searched(finding=Finding.FOUND, at=found_at)


async def test_what_was_found_stays_found(recorder: Recorder, shelf: Shelf) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.sought(APP, [made.id], Finding.FOUND)
    recorder.sought(APP, [made.id], Finding.MISSING, reason="too late")
    assert shelf[made.id].finding == Finding.FOUND


async def test_a_delivery_is_found_when_all_of_it_is(recorder: Recorder, shelf: Shelf, clock: Clock) -> None:
    made = refreshing(APP, OTHER)
    told: list[Finding | None] = []
    recorder.on_finding = lambda row: told.append(row.finding)
    recorder.delivered(made)
    recorder.sought(APP, [made.id], Finding.MISSING, reason="not there")
    recorder.sought(OTHER, [made.id], Finding.FOUND)
    assert (shelf[made.id].finding, shelf[made.id].found_at) == (Finding.MISSING, None)
    clock.now += timedelta(seconds=3)
    recorder.sought(APP, [made.id], Finding.FOUND)
    assert (shelf[made.id].finding, shelf[made.id].found_at) == (Finding.FOUND, NOON + timedelta(seconds=3))
    assert told == [Finding.MISSING, Finding.FOUND]


async def test_a_row_stays_open_while_somebody_waits_for_what_kargo_finds(recorder: Recorder, shelf: Shelf) -> None:
    awaited = True
    recorder.is_awaited = lambda _: awaited
    made = answered()
    recorder.delivered(made)
    recorder.handled(APP, VALUE)
    assert made.id in recorder._open
    awaited = False
    shelf.away = True  # it is not read again
    recorder.sought(APP, [made.id], Finding.FOUND)
    assert shelf[made.id].finding == Finding.FOUND
    assert made.id not in recorder._open


async def test_what_kargo_finds_later_is_noted_in_a_row_that_was_closed(recorder: Recorder, shelf: Shelf) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.handled(APP, VALUE)
    assert made.id not in recorder._open
    recorder.sought(APP, [made.id, "0" * 24], Finding.MISSING, reason="not there")
    await eventually(lambda: shelf[made.id].finding == Finding.MISSING)
    assert len(shelf) == 1


async def test_a_journal_that_cannot_be_read_loses_what_kargo_found_and_nothing_else(
    recorder: Recorder, shelf: Shelf
) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.handled(APP, VALUE)
    shelf.away = True
    recorder.sought(APP, [made.id], Finding.FOUND)
    await recorder.close()
    assert shelf[made.id].finding is None


async def test_very_many_deliveries_are_told_in_turns(recorder: Recorder, shelf: Shelf) -> None:
    made = [answered(at=NOON + timedelta(seconds=number)) for number in range(TURN + 2)]
    for each in made:
        recorder.delivered(each)
    recorder.sought(APP, [each.id for each in made], Finding.FOUND)
    assert [shelf[each.id].finding for each in made[-2:]] == [None, None]
    await eventually(lambda: all(shelf[each.id].finding == Finding.FOUND for each in made))


async def test_findings_of_a_large_row_are_noted_together(
    recorder: Recorder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NEWS_INTERVAL", 0.01)
    targets = [Target(PROJECT, f"app-{number:03}") for number in range(60)]
    made = refreshing(*targets)
    recorder.delivered(made)
    written = shelf.written
    for target in targets:
        recorder.sought(target, [made.id], Finding.FOUND)
    await eventually(lambda: shelf[made.id].finding == Finding.FOUND)
    assert shelf.written == written + 1


async def test_a_later_try_that_found_the_same_refresh_forgets_nothing(recorder: Recorder, shelf: Shelf) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.sought(APP, [made.id], Finding.FOUND)
    again = Refreshes(outcomes={APP: refreshed(VALUE)})
    recorder.tried(message(made), match(wanted()), again, given_up=False)
    await recorder.close()
    assert shelf[made.id].finding == Finding.FOUND


async def test_what_cannot_be_told_any_more_is_not_said_to_be_looked_for(recorder: Recorder, shelf: Shelf) -> None:
    made = answered()
    recorder.delivered(made)
    recorder.sought(APP, [made.id], Finding.SOUGHT, reason="not there yet")
    recorder.sought(APP, [made.id], None)
    assert (shelf[made.id].finding, shelf[made.id].warehouses[0].searched) == (None, None)
