"""Which deliveries tell the same."""

import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from receivers import limits
from receivers.deliveries.delivery import Delivery
from receivers.events import Ping, Pushed
from receivers.journal.duplicates import Duplicates
from tests.examples import NOON, RECEIVER, delivery, push


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def duplicates() -> Duplicates:
    return Duplicates()


def test_the_same_push_within_seconds_is_a_duplicate_of_the_first(duplicates: Duplicates) -> None:
    """Docker Hub posts once for each platform of an image."""
    posts = [delivery(at=after(number)) for number in range(6)]
    assert [duplicates.of(post) for post in posts] == ["", *[posts[0].id] * 5]


def test_the_same_push_later_may_be_news(duplicates: Duplicates) -> None:
    first, later, soon_after = delivery(), delivery(at=after(10.1)), delivery(at=after(11))
    assert [duplicates.of(each) for each in (first, later, soon_after)] == ["", "", later.id]


@pytest.mark.parametrize(
    "news",
    [
        delivery(push(tag="1.2.4")),
        delivery(push(digest="sha256:2e")),
        delivery(push(image="registry.azurecr.io/team/other")),
        delivery(receiver=replace(RECEIVER, name="another")),
        delivery(receiver=replace(RECEIVER, project="another")),
    ],
)
def test_what_differs_is_no_duplicate(duplicates: Duplicates, news: Delivery) -> None:
    assert duplicates.of(delivery()) == ""
    assert duplicates.of(news) == ""


def test_the_senders_id_counts_however_long_ago(duplicates: Duplicates) -> None:
    first = delivery(push(event_id="event-1"))
    assert duplicates.of(first) == ""
    assert duplicates.of(delivery(push(event_id="event-1"), at=after(3600))) == first.id


def test_another_id_of_the_sender_is_news_though_the_push_is_the_same(duplicates: Duplicates) -> None:
    assert duplicates.of(delivery(push(event_id="event-1"))) == ""
    assert duplicates.of(delivery(push(event_id="event-2"))) == ""


def test_the_same_id_at_another_receiver_is_news(duplicates: Duplicates) -> None:
    assert duplicates.of(delivery(push(event_id="event-1"))) == ""
    other = replace(RECEIVER, name="another")
    assert duplicates.of(delivery(push(event_id="event-1"), receiver=other)) == ""


@pytest.mark.parametrize("events", [(), (push(), push())])
def test_pings_and_batches_are_never_duplicates(duplicates: Duplicates, events: tuple[Pushed, ...]) -> None:
    for _ in range(2):
        made = delivery()
        made.events = list(events) or [Ping()]
        assert duplicates.of(made) == ""


def test_what_is_delivered_again_on_purpose_is_no_duplicate(duplicates: Duplicates) -> None:
    first, again = delivery(), delivery()
    again.redelivery_of = first.id
    assert duplicates.of(first) == ""
    assert duplicates.of(again) == ""


def test_only_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DUPLICATES_REMEMBERED", 2)
    duplicates = Duplicates()
    for number in range(3):
        duplicates.of(delivery(push(event_id=f"event-{number}")))
    assert duplicates.of(delivery(push(event_id="event-2"))) != ""
    assert duplicates.of(delivery(push(event_id="event-0"))) == ""


def test_the_senders_id_is_forgotten_after_a_day() -> None:
    passed = [0.0]
    duplicates = Duplicates(clock=lambda: passed[0])
    first = delivery(push(event_id="event-1"))
    duplicates.of(first)
    day = limits.DUPLICATE_EVENT_WINDOW
    assert duplicates.of(delivery(push(event_id="event-1"), at=after(day))) == first.id
    assert duplicates.of(delivery(push(event_id="event-1"), at=after(day + 1))) == ""
    passed[0] = day + 1
    assert len(duplicates) == 0


def test_tags_that_differ_in_their_borders_alone_differ(duplicates: Duplicates) -> None:
    first, second = (
        structs.replace(push(), qualifiers=("a", "b")),
        structs.replace(push(), qualifiers=("a', 'b",)),
    )
    assert duplicates.of(delivery(first)) == ""
    assert duplicates.of(delivery(second)) == ""


def test_what_is_remembered_takes_the_same_few_bytes_whatever_was_pushed(duplicates: Duplicates) -> None:
    """Each names as many tags as are ever matched, which take 60 KB."""
    tracemalloc.start()
    try:
        for number in range(20):
            tags = tuple(f"{number}-{each}" for each in range(limits.QUALIFIERS))
            assert duplicates.of(delivery(structs.replace(push(), qualifiers=tags))) == ""
        del tags
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
    assert len(duplicates) == 20
