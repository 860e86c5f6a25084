"""What the journal says of a delivery when it was answered."""

from dataclasses import replace

import pytest
from msgspec import structs

from receivers import limits
from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries import answers
from receivers.deliveries.answers import Answer
from receivers.events import Event, Faulty, Handshake, Ignored, Malformed, Ping, Pushed, Target, UnknownReceiver
from receivers.journal import rows
from receivers.journal.journal import State
from testbed.objects import PROJECT
from tests.examples import APP, NOON, RECEIVER, delivery, push, refreshed, unwanted, wanted

OTHER = Target(PROJECT, "other")
FAILED = Outcome(result=Result.FAILED, attempts=3, error="503 ServiceUnavailable")
GONE = Outcome(result=Result.GONE, attempts=1, error="404 NotFound")


def test_a_refreshed_delivery() -> None:
    made = delivery(push(event_id="event-1"))
    made.matched, made.others, made.duration = True, 7, 0.25
    made.decisions = [wanted(), unwanted(OTHER)]
    made.refreshes.outcomes[APP] = refreshed("value")
    row = rows.row_of(made)
    assert (row.id, row.received_at, row.provider, row.receiver, row.project) == (
        made.id,
        NOON,
        "azure",
        "acr",
        PROJECT,
    )
    assert (row.event, row.registry, row.repository, row.tag) == ("push", "registry.azurecr.io", "team/app", "1.2.3")
    assert (row.digest, row.sender_event_id, row.others, row.duration) == ("sha256:1f", "event-1", 7, 0.25)
    assert (row.state, row.status, row.answer) == (State.REFRESHED, 200, "refreshed 1 warehouse(s)")
    app, other = row.warehouses
    assert (app.project, app.name, app.refresh, app.state, app.value) == (
        PROJECT,
        "app",
        True,
        State.REFRESHED,
        "value",
    )
    assert (other.name, other.refresh, other.state) == ("other", False, None)
    assert other.reason == "tag 1.2.3 does not satisfy ^2.0.0"


def test_a_delivery_that_no_warehouse_wants() -> None:
    made = delivery(answer=answers.refreshed(0))
    made.matched, made.decisions = True, [unwanted(OTHER)]
    assert rows.row_of(made).state == State.NOTHING


def test_a_delivery_whose_only_warehouse_is_gone() -> None:
    made = delivery(answer=answers.refreshed(0))
    made.matched, made.decisions = True, [wanted()]
    made.refreshes.outcomes[APP] = GONE
    row = rows.row_of(made)
    assert (row.state, row.warehouses[0].state, row.warehouses[0].error) == (State.NOTHING, State.GONE, "404 NotFound")


def test_a_queued_delivery() -> None:
    made = delivery(answer=answers.queued(1, 2))
    made.matched, made.queued, made.decisions = True, True, [wanted(), wanted(OTHER)]
    made.refreshes.outcomes.update({APP: refreshed(), OTHER: FAILED})
    row = rows.row_of(made)
    assert (row.state, row.answer) == (State.QUEUED, "queued 1 of 2 refresh(es)")
    assert [each.state for each in row.warehouses] == [State.REFRESHED, State.QUEUED]
    assert row.warehouses[1].error == "503 ServiceUnavailable"


def test_a_delivery_that_could_not_be_refreshed() -> None:
    made = delivery(answer=answers.failed(1, 1))
    made.matched, made.decisions = True, [wanted()]
    made.refreshes.outcomes[APP] = FAILED
    row = rows.row_of(made)
    assert (row.state, row.warehouses[0].state) == (State.FAILED, State.FAILED)
    assert row.events == made.events  # to deliver them again


@pytest.mark.parametrize(
    ("events", "answer", "event", "state", "reason"),
    [
        ([Ping()], answers.ping(), "ping", State.PING, ""),
        ([Handshake(body={"validationResponse": "x"})], Answer(status=200), "handshake", State.PING, ""),
        ([Faulty("no rule")], answers.refused(Malformed("no rule")), "faulty", State.REFUSED, "no rule"),
        ([Ignored("no tags")], answers.ignored(Ignored("no tags")), "ignored", State.IGNORED, "no tags"),
    ],
)
def test_a_delivery_that_refreshes_nothing(
    events: list[Event], answer: Answer, event: str, state: State, reason: str
) -> None:
    made = delivery(answer=answer)
    made.events = events
    row = rows.row_of(made)
    assert (row.event, row.state, row.reason) == (event, state, reason)


def test_what_was_ignored_is_named_by_its_repository_unless_something_was_pushed() -> None:
    made = delivery(answer=answers.ignored(Ignored("x")))
    pushes, made.events = made.events, [Ping(), Ignored("no repository"), Ignored("starred", "team/starred")]
    row = rows.row_of(made)
    assert (row.event, row.repository, row.registry, row.events) == ("ping", "team/starred", "", [])
    made.events += pushes
    assert rows.row_of(made).repository == "team/app"


def test_a_refused_delivery() -> None:
    made = delivery(receiver=None, answer=answers.refused(UnknownReceiver()))
    made.events, made.error = [], "no receiver has this URL"
    row = rows.row_of(made)
    assert (row.receiver, row.project, row.event, row.state) == ("", "", "", State.REFUSED)
    assert (row.status, row.reason) == (404, "no receiver has this URL")


def test_a_defect() -> None:
    made = delivery(receiver=None, answer=answers.defect())
    made.events, made.error = [], "a defect of this service"
    assert rows.row_of(made).state == State.FAILED


def test_a_delivery_without_an_answer_has_failed_nothing_yet() -> None:
    made = delivery()
    made.answer = None
    assert rows.row_of(made).status == 0


def test_the_row_holds_no_token_and_no_secret() -> None:
    text = str(rows.row_of(delivery()))
    assert RECEIVER.status_path not in text
    assert "acr-secret" not in text


def test_free_text_is_clipped() -> None:
    made = delivery()
    made.error, made.decisions = "e" * 1_000, [replace(wanted(), reason="r" * 1_000)]
    row = rows.row_of(made)
    assert len(row.reason) == len(row.warehouses[0].reason) == limits.FREE_TEXT


def test_as_many_events_are_kept_as_there_is_room_for_and_the_others_are_counted() -> None:
    events = [push(tag=f"1.{number}.0") for number in range(500)]
    row = rows.row_of(delivery(*events))
    assert 10 < len(row.events) < 500
    assert row.events == events[: len(row.events)]
    assert row.unkept == 500 - len(row.events)


def test_changed_files_that_are_too_many_are_not_kept() -> None:
    event = structs.replace(push(), changed_files=frozenset(f"folder/{number}" for number in range(5_000)))
    row = rows.row_of(delivery(event))
    assert (row.events, row.unkept) == ([push()], 0)


def test_a_batch_is_shown_by_its_first_push() -> None:
    made = delivery(push(tag="1.0.0"), push(tag="2.0.0"))
    made.events.insert(0, Ignored("a deletion"))
    row = rows.row_of(made)
    assert (row.event, row.tag) == ("push", "1.0.0")
    assert all(isinstance(event, Pushed) for event in row.events)
