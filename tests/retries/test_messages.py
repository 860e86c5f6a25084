"""What waits in the retry queue, as bytes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from receivers import limits
from receivers.events import PullRequestClosed, Trigger
from receivers.retries import messages
from receivers.retries.messages import Attempt, Message, Poisoned, UnreadableMessage
from testbed.objects import PROJECT
from tests.examples import NOON, delivery, push

CONTROL = "\x01"  # takes six bytes in JSON


def message(*events: Trigger) -> Message:
    (only,) = messages.of(delivery(*events))
    return only


def test_a_message_tells_the_delivery_its_receiver_and_its_events() -> None:
    found = message(push(tag="1.2.3"))
    assert (found.provider, found.receiver, found.project, found.received_at) == ("azure", "acr", PROJECT, NOON)
    assert found.events == [push(tag="1.2.3")]
    assert (found.parts, found.tries, found.attempts) == (1, 0, [])
    assert (found.voucher, found.source) == ("", "")


def test_a_message_holds_no_token_and_no_secret() -> None:
    assert b"the-token" not in messages.encode(message())
    assert b"acr-secret" not in messages.encode(message())


def test_a_message_is_read_as_it_was_written() -> None:
    tried = message().tried(Attempt(at=NOON, refreshed=1, error="503"))
    assert messages.decode(messages.encode(tried)) == tried


def test_a_delivery_without_a_receiver_cannot_wait() -> None:
    with pytest.raises(ValueError, match="nothing to refresh"):
        messages.of(delivery(receiver=None))


def test_changed_files_that_are_too_many_are_dropped_and_the_tags_stay() -> None:
    event = replace(push(), changed_files=frozenset(f"folder/file-{number}" for number in range(5_000)))
    assert message(event).events == [push()]


def test_changed_files_that_fit_stay() -> None:
    event = replace(push(), changed_files=frozenset({"a/b", "c/d"}))
    assert message(event).events == [event]


def test_tags_that_are_too_many_are_dropped_so_that_every_subscriber_is_refreshed() -> None:
    event = replace(push(), qualifiers=tuple(f"{CONTROL * 100}{number}" for number in range(1_000)))
    assert message(event).events == [replace(event, qualifiers=())]


def test_a_batch_that_is_too_large_for_one_message_is_split_and_nothing_is_missing() -> None:
    events = [push(tag=f"1.{number}.0") for number in range(500)]
    parts = messages.of(delivery(*events))
    assert [event for part in parts for event in part.events] == events
    assert {part.parts for part in parts} == {len(parts)}
    assert len(parts) > 1


def test_the_worst_message_fits_into_the_queue_after_every_try() -> None:
    """Texts that JSON writes six times as long, a batch that fills the message, and three days of tries."""
    events = [push(tag=CONTROL * limits.NAME_SHOWN, image="r/" + CONTROL * limits.NAME_SHOWN) for _ in range(20)]
    for part in messages.of(delivery(*events)):
        tried = part
        for _ in range(80):
            tried = tried.tried(Attempt(at=NOON, refreshed=0, error=CONTROL * limits.FREE_TEXT))
        assert len(messages.encode(tried)) <= limits.QUEUE_MESSAGE
        assert tried.tries == 80
        assert messages.decode_poisoned(messages.poison(Poisoned(reason="given up", message=tried))).message == tried


@given(st.binary())
def test_any_bytes_are_a_message_or_are_not(text: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        messages.decode(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["version", "events", "delivery"]), inner),
    )
)
def test_any_json_is_a_message_or_is_not(document: object) -> None:
    with pytest.raises(UnreadableMessage):
        messages.decode(msgspec.json.encode(document))


def test_json_nested_too_deeply_is_no_message() -> None:
    with pytest.raises(UnreadableMessage, match="damaged"):
        messages.decode(b'{"version":' + b"[" * 100_000)


def before(message: Message) -> bytes:
    """The same as the version before wrote it: pushes without a tag, which never told changed files."""
    document = msgspec.json.decode(messages.encode(message))
    document["version"] = 1
    for event in document["events"]:
        del event["type"], event["default_branch"]
        event["changed_files"] = event["changed_files"] or []
    return msgspec.json.encode(document)


def test_a_message_of_the_version_before_is_read() -> None:
    found = messages.decode(before(message(push(tag="1.2.3"))))
    assert msgspec.structs.replace(found.events[0], changed_files=None) == push(tag="1.2.3")
    assert found.version == messages.VERSION
    assert messages.decode(messages.encode(found)) == found


def test_a_poisoned_message_of_the_version_before_is_read() -> None:
    old = before(message(push(tag="1.2.3")))
    poisoned = messages.decode_poisoned(b'{"reason":"given up","message":' + old + b"}")
    assert (poisoned.reason, poisoned.message) == ("given up", messages.decode(old))


def test_a_closed_pull_request_waits_too() -> None:
    closed = PullRequestClosed(url="https://git.example.com/team/app/pull/7", sender_event_id="7")
    assert messages.decode(messages.encode(message(closed))).events == [closed]


def test_a_message_of_another_version_says_so() -> None:
    text = messages.encode(msgspec.structs.replace(message(), version=3))
    with pytest.raises(UnreadableMessage, match="version is 3; this service reads versions 1 and 2"):
        messages.decode(text)


@pytest.mark.parametrize(
    "damage",
    [
        (b'"received_at":"2026-11-21T12:00:00Z"', b'"received_at":"2026-11-21T12:00:00"'),  # no time zone
        (b'"tries":0', b'"tries":-1'),
        (b'"events":[', b'"events":[{},'),
    ],
)
def test_a_damaged_message_is_not_read(damage: tuple[bytes, bytes]) -> None:
    text = messages.encode(message())
    assert damage[0] in text
    with pytest.raises(UnreadableMessage):
        messages.decode(text.replace(*damage))


@given(st.binary(max_size=64 * 1024))
def test_what_cannot_be_read_stands_in_the_poison_queue_as_it_was(text: bytes) -> None:
    poison = messages.poison(Poisoned(reason="damaged", unreadable=text[: limits.QUEUE_MESSAGE]))
    assert len(poison) <= limits.QUEUE_MESSAGE
    assert messages.decode_poisoned(poison).unreadable == text[: limits.QUEUE_MESSAGE]


def test_the_reason_of_an_unreadable_message_is_told_again_where_there_was_no_room_for_it() -> None:
    large = b"x" * limits.QUEUE_MESSAGE
    poisoned = messages.decode_poisoned(messages.poison(Poisoned(reason="damaged", unreadable=large)))
    assert poisoned.reason == "it is not a message of this service, or was damaged"


def test_a_message_that_the_host_gave_up_can_be_read_too() -> None:
    poisoned = messages.decode_poisoned(messages.encode(message()))
    assert poisoned.message is not None
    assert "again and again" in poisoned.reason
