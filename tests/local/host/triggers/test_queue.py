"""Queue triggers, through the worker library, with a real queue."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from receivers.local.azurite import Azurite
from receivers.local.host import host as hosting
from receivers.local.host.errors import UnusableConfiguration
from receivers.local.host.triggers.queue import QueueListener, lengthening
from receivers.local.host.triggers.queue_options import LEASE_SETTING
from testbed.host import running_process, served
from testbed.waiting import eventually
from tests.local.host.triggers.inbox import INBOX, WITHIN
from tests.local.host.triggers.mail_host import MAIL, QUEUES, SETTINGS, encoded, listening, mail_host

SHORT_LEASE = {LEASE_SETTING: "1"}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN):
        while not await condition():  # noqa: ASYNC110 - the storage tells nobody
            await asyncio.sleep(0.02)


async def until_done(queue: QueueClient) -> None:
    """Wait until no message is left, seen or unseen."""

    async def done() -> bool:
        return (await queue.get_queue_properties()).approximate_message_count == 0

    await until(done)


async def visible(queue: QueueClient) -> list[str]:
    """The messages that anybody may take now; [] also if there is no queue."""
    try:
        return [message.content for message in await queue.peek_messages(32)]
    except ResourceNotFoundError:
        return []


async def until_expired(message: func.QueueMessage) -> None:
    """Wait until the message would be seen again, had its lease not been renewed."""
    expiry = message.time_next_visible
    assert expiry is not None

    await eventually(lambda: datetime.now(UTC) > expiry + timedelta(seconds=0.5))


async def until_visible(queue: QueueClient, *contents: str) -> None:
    async def found() -> bool:
        return await visible(queue) == list(contents)

    await until(found)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged by the host, but for what it says of the connection that no test sets."""
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("receivers")]
    return [message for message in messages if not message.startswith("OTHER_STORAGE")]


async def test_a_message_is_delivered_and_then_deleted(azurite: Azurite, letters: QueueClient) -> None:
    async with listening(azurite):
        await letters.send_message(encoded("hello"))
        assert (await INBOX.next()).body == b"hello"
        await until_done(letters)


async def test_what_is_told_of_a_message(azurite: Azurite, letters: QueueClient) -> None:
    async with listening(azurite):
        sent = await letters.send_message(encoded("hello"), time_to_live=3600)
        message = (await INBOX.next()).message
    assert message.id == sent.id
    assert message.dequeue_count == 1
    assert message.insertion_time == sent.inserted_on
    assert message.expiration_time == sent.expires_on
    assert message.pop_receipt
    assert message.time_next_visible is not None
    assert message.time_next_visible > datetime.now(UTC) + timedelta(minutes=9)


async def test_a_function_declared_with_def_and_a_queue_named_by_a_setting(
    azurite: Azurite, storage: QueueServiceClient
) -> None:
    parcels = await storage.create_queue("boxes")
    async with listening(azurite, {"PARCELS": "boxes"}):
        await parcels.send_message(encoded("a book"))
        call = await INBOX.next()
        assert (call.function, call.body) == ("on_parcel", b"a book")
        await until_done(parcels)


@pytest.mark.parametrize(
    "body", [b"", "grüße ☃".encode(), b"\xff\x00\x80", b'{"a": 1}', b"<&>", b" \r\n", b"x" * 48_000]
)
async def test_any_bytes_arrive_as_they_were_sent(azurite: Azurite, letters: QueueClient, body: bytes) -> None:
    await letters.send_message(encoded(body))
    async with listening(azurite):
        assert (await INBOX.next()).body == body


async def test_messages_are_text_where_host_json_says_so(azurite: Azurite, letters: QueueClient) -> None:
    await letters.send_message("<no base64> & ☃")
    async with listening(azurite, {f"{QUEUES}messageEncoding": "none"}):
        assert (await INBOX.next()).body == "<no base64> & ☃".encode()


async def test_a_message_that_is_not_base64_goes_to_the_poison_queue_at_once(
    azurite: Azurite, letters: QueueClient, poison: QueueClient, caplog: pytest.LogCaptureFixture
) -> None:
    await letters.send_message("not base64!")
    async with listening(azurite):
        await until_visible(poison, "not base64!")
        await until_done(letters)
    assert INBOX.empty
    assert "goes to letters-poison: it is not base64" in said(caplog)[0]


async def test_a_message_that_fails_is_tried_five_times_and_then_poisoned(
    azurite: Azurite, letters: QueueClient, poison: QueueClient, caplog: pytest.LogCaptureFixture
) -> None:
    await letters.send_message(encoded("fail"))
    async with listening(azurite):
        tries = [(await INBOX.next()).message.dequeue_count for _ in range(5)]
        await until_visible(poison, encoded("fail"))
        await until_done(letters)
    assert tries == [1, 2, 3, 4, 5]
    assert INBOX.empty
    assert said(caplog)[0].startswith("on_letter failed")
    assert "RuntimeError: out of luck" in said(caplog)[0]
    assert said(caplog)[-1].endswith("goes to letters-poison: it failed 5 times")


async def test_the_poison_queue_may_be_there_already(
    azurite: Azurite, letters: QueueClient, poison: QueueClient
) -> None:
    await poison.create_queue()
    await letters.send_message(encoded("fail"))
    async with listening(azurite, {f"{QUEUES}maxDequeueCount": "1"}):
        await until_visible(poison, encoded("fail"))


async def test_a_message_that_fails_comes_back_after_the_visibility_timeout(
    azurite: Azurite, letters: QueueClient
) -> None:
    await letters.send_message(encoded("fail"))
    async with listening(azurite, {f"{QUEUES}visibilityTimeout": "00:00:01"}):
        assert (await INBOX.next()).message.dequeue_count == 1
        assert (await INBOX.next()).message.dequeue_count == 2


async def test_a_message_whose_last_try_died_is_poisoned_without_another(
    azurite: Azurite, letters: QueueClient, poison: QueueClient
) -> None:
    await letters.send_message(encoded("wait"))
    async for _ in letters.receive_messages(visibility_timeout=1):
        pass
    async with listening(azurite, {f"{QUEUES}maxDequeueCount": "1"}):
        await until_visible(poison, encoded("wait"))
    assert INBOX.empty


@pytest.mark.parametrize("tries", ["1", "5"])
async def test_a_message_in_a_poison_queue_goes_nowhere(
    azurite: Azurite, storage: QueueServiceClient, tries: str
) -> None:
    lost = await storage.create_queue("lost-poison")
    await lost.send_message(encoded("lost"))
    async with listening(azurite, SHORT_LEASE | {f"{QUEUES}maxDequeueCount": tries}):
        assert (await INBOX.next()).function == "on_lost"
        await until_visible(lost, encoded("lost"))
    assert [queue.name async for queue in storage.list_queues()] == ["lost-poison"]


async def test_a_queue_that_is_made_later_is_found(azurite: Azurite, storage: QueueServiceClient) -> None:
    async with listening(azurite):
        letters = await storage.create_queue("letters")
        await letters.send_message(encoded("late"))
        assert (await INBOX.next()).body == b"late"


async def test_no_more_messages_run_at_a_time_than_a_batch_and_the_threshold(
    azurite: Azurite, letters: QueueClient
) -> None:
    for _ in range(20):
        await letters.send_message(encoded("wait"))
    async with listening(azurite, {f"{QUEUES}batchSize": "4", f"{QUEUES}newBatchThreshold": "2"}):
        for _ in range(4):
            await INBOX.next()
        INBOX.let_pass(2)
        for _ in range(4):
            await INBOX.next()
        assert INBOX.running == 6
        INBOX.let_pass(18)
        for _ in range(12):
            await INBOX.next()
        await until_done(letters)
    assert INBOX.most_at_once == 6


async def test_a_lease_is_renewed_while_the_function_runs(azurite: Azurite, letters: QueueClient) -> None:
    await letters.send_message(encoded("wait"))
    async with listening(azurite, SHORT_LEASE):
        first = (await INBOX.next()).message
        await until_expired(first)
        assert await visible(letters) == []
        INBOX.let_pass(1)
        await until_done(letters)
    assert INBOX.empty


async def test_the_message_of_a_killed_host_comes_back(azurite: Azurite, letters: QueueClient, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    await letters.send_message(encoded("hang"))
    env = SETTINGS | SHORT_LEASE | {"AzureWebJobsStorage": azurite.connection_string, "DIARY": str(diary)}
    with running_process(MAIL, env) as (_, process):
        await eventually(diary.exists)
        process.kill()
        process.wait()
    await until_visible(letters, encoded("hang"))
    assert [message.dequeue_count async for message in letters.receive_messages()] == [2]


async def test_an_outage_of_the_storage_is_said_once_and_survived(
    azurite: Azurite, letters: QueueClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(azurite):
        await letters.send_message(encoded("before"))
        await INBOX.next()
        await until_done(letters)
        await azurite.stop()
        await eventually(
            lambda: "on_letter: the queue cannot be polled (ServiceRequestError). Trying on" in said(caplog)
        )
        await azurite.start()
        await letters.send_message(encoded("after"))
        assert (await INBOX.next()).body == b"after"
    of_letters = [line for line in said(caplog) if line.startswith("on_letter")]
    assert of_letters == [
        "on_letter: the queue cannot be polled (ServiceRequestError). Trying on",
        "on_letter: the queue is polled again",
    ]


async def test_a_message_that_could_not_be_deleted_comes_back(
    azurite: Azurite, letters: QueueClient, caplog: pytest.LogCaptureFixture
) -> None:
    await letters.send_message(encoded("wait"))
    async with listening(azurite, SHORT_LEASE):
        first = (await INBOX.next()).message
        await azurite.stop()
        INBOX.let_pass(2)
        await eventually(lambda: f"on_letter: message {first.id} comes back (ServiceRequestError)" in said(caplog))
        await azurite.start()
        second = (await INBOX.next()).message
        await until_done(letters)
    assert (second.id, second.dequeue_count) == (first.id, 2)


async def test_messages_wait_while_the_storage_restarts(azurite: Azurite, letters: QueueClient) -> None:
    for number in range(20):
        await letters.send_message(encoded(str(number)))
    async with listening(azurite, SHORT_LEASE):
        await INBOX.next()
        await azurite.restart()
        await until_done(letters)


async def test_stopping_lets_functions_end_and_takes_no_more(azurite: Azurite, letters: QueueClient) -> None:
    await letters.send_message(encoded("wait"))
    host = mail_host(azurite.connection_string)
    await host.start()
    await INBOX.next()
    stopping = asyncio.create_task(host.stop())
    await asyncio.sleep(0)  # it has begun
    await letters.send_message(encoded("too late"))
    INBOX.let_pass(1)
    await stopping
    assert await visible(letters) == [encoded("too late")]
    assert (await letters.get_queue_properties()).approximate_message_count == 1


async def test_a_function_that_does_not_end_is_cut_short_and_its_message_is_there_at_once(
    azurite: Azurite, letters: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "LAST_INVOCATIONS", 0)
    await letters.send_message(encoded("wait"))
    async with listening(azurite):
        await INBOX.next()
    assert INBOX.running == 0
    assert await visible(letters) == [encoded("wait")]


async def test_a_function_is_cut_short_though_the_storage_is_away(
    azurite: Azurite, letters: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "LAST_INVOCATIONS", 0)
    await letters.send_message(encoded("wait"))
    async with listening(azurite):
        await INBOX.next()
        await azurite.stop()
    assert INBOX.running == 0


async def test_a_signal_lets_functions_end(azurite: Azurite, letters: QueueClient) -> None:
    await letters.send_message(encoded("wait"))
    async with served(mail_host(azurite.connection_string)):
        await INBOX.next()
        asyncio.get_running_loop().call_soon(INBOX.let_pass, 1)
    await until_done(letters)


async def test_a_second_signal_cuts_functions_short(
    azurite: Azurite, letters: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "LAST_INVOCATIONS", 3600)
    await letters.send_message(encoded("wait"))
    async with asyncio.timeout(WITHIN), served(mail_host(azurite.connection_string)):
        await INBOX.next()
        os.kill(os.getpid(), signal.SIGINT)
    assert await visible(letters) == [encoded("wait")]


async def test_without_a_connection_nothing_is_polled_and_one_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    host = mail_host()
    await host.start()
    await host.stop()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("receivers")] == [
        "AzureWebJobsStorage is not set, so no queue is polled for on_letter, on_parcel, on_lost",
        "OTHER_STORAGE is not set, so no queue is polled for on_other",
    ]


async def test_a_connection_may_stand_behind_the_hosts_own_prefix(
    azurite: Azurite, storage: QueueServiceClient
) -> None:
    elsewhere = await storage.create_queue("elsewhere")
    await elsewhere.send_message(encoded("hello"))
    async with listening(azurite, {"AzureWebJobsOTHER_STORAGE": azurite.connection_string}):
        assert (await INBOX.next()).function == "on_other"


@pytest.mark.parametrize("wrong", ["nonsense", "AccountKey=c2VjcmV0;AccountName"])
async def test_a_connection_string_that_is_none_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(UnusableConfiguration, match="AzureWebJobsStorage is not the connection string") as refusal:
        await mail_host(wrong).start()
    assert wrong not in str(refusal.value)
    assert refusal.value.__cause__ is None


async def test_a_defect_of_a_listener_is_logged_when_it_happens(
    azurite: Azurite, letters: QueueClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: QueueListener) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(QueueListener, "_receive", broken)
    async with listening(azurite):
        await eventually(lambda: "the local host has stopped listening to a trigger" in said(caplog))
    assert "a defect" in caplog.text


async def test_polls_are_not_logged(azurite: Azurite, letters: QueueClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(azurite):
        caplog.clear()
        await letters.send_message(encoded("hello"))
        await INBOX.next()
        await until_done(letters)
    key = azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]
    assert said(caplog) == []
    assert key not in caplog.text


def test_pauses_grow_to_the_longest() -> None:
    pauses = lengthening(1.0)
    assert [next(pauses) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert next(lengthening(0.05)) == 0.05
