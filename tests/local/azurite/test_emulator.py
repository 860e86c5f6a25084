"""Azurite as tests and the local service use it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from azure.data.tables.aio import TableClient
from azure.storage.queue.aio import QueueClient

from receivers.local.azurite import Azurite, Unavailable, storage
from testbed.storage import empty
from testbed.waiting import eventually


def queue_of(azurite: Azurite) -> QueueClient:
    return QueueClient.from_connection_string(azurite.connection_string, "letters", retry_total=0, read_timeout=0.2)


def table_of(azurite: Azurite) -> TableClient:
    return TableClient.from_connection_string(azurite.connection_string, "letters")


async def contents(queue: QueueClient) -> list[str]:
    return [message.content async for message in queue.receive_messages(messages_per_page=32)]


def key_of(azurite: Azurite) -> str:
    return azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_what_was_confirmed_survives_a_restart(azurite: Azurite) -> None:
    async with queue_of(azurite) as queue, table_of(azurite) as table:
        await queue.create_queue()
        await table.create_table()
        await queue.send_message("kept")
        await table.create_entity({"PartitionKey": "p", "RowKey": "r"})
        await azurite.restart()
        assert await contents(queue) == ["kept"]
        assert [entity["RowKey"] async for entity in table.list_entities()] == ["r"]


async def test_a_killed_one_starts_again_where_it_was(azurite: Azurite) -> None:
    where = azurite.connection_string
    await azurite.kill()
    assert not azurite.alive
    async with queue_of(azurite) as queue:
        with pytest.raises(AzureError):
            await queue.create_queue()
        await azurite.start()
        assert azurite.connection_string == where
        await empty(where)
        await queue.create_queue()


async def test_a_paused_one_does_not_answer_until_it_is_started(azurite: Azurite) -> None:
    async with queue_of(azurite) as queue:
        await queue.create_queue()
        azurite.pause()
        with pytest.raises(AzureError):
            await queue.send_message("lost")
        await azurite.start()
        await queue.send_message("found")


async def test_each_account_has_a_key_of_its_own(azurite: Azurite, tmp_path: Path) -> None:
    other = Azurite(tmp_path)
    assert other.connection_string != azurite.connection_string
    forged = azurite.connection_string.replace(key_of(azurite), key_of(other))
    async with QueueClient.from_connection_string(forged, "letters", retry_total=0) as stranger:
        with pytest.raises(AzureError, match=r"403|authenticate"):
            await stranger.create_queue()


async def test_it_ends_with_the_process_that_started_it(running_azurite: Azurite, tmp_path: Path) -> None:
    code = f"""
import asyncio, pathlib
from receivers.local.azurite import Azurite
async def main():
    azurite = Azurite(pathlib.Path({str(tmp_path)!r}))
    await azurite.start()
    print(azurite.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    await eventually(lambda: not is_alive(pid))


async def test_one_that_cannot_start_shows_its_log(azurite: Azurite, tmp_path: Path) -> None:
    second = Azurite(tmp_path)
    second._ports = azurite._ports
    assert second.connection_string  # somebody knows its ports
    with pytest.raises(Unavailable, match=r"(?s)did not start.*EADDRINUSE"):
        await second.start()
    await second.kill()


async def test_where_others_were_faster_to_a_port_it_takes_another(azurite: Azurite, tmp_path: Path) -> None:
    second = Azurite(tmp_path)
    second._ports = azurite._ports
    async with second:
        assert set(second._ports.values()).isdisjoint(azurite._ports.values())
        await empty(second.connection_string)


async def test_one_that_hangs_is_given_up(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    await azurite.stop()
    monkeypatch.setattr("receivers.local.azurite.emulator.READY_WITHIN", 0)
    with pytest.raises(Unavailable, match="not ready within 0 s"):
        await azurite.start()
    monkeypatch.undo()
    await azurite.start()  # it was only slow
    await empty(azurite.connection_string)


async def test_one_that_does_not_start_leaves_no_process(
    tmp_path: Path, running_azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receivers.local.azurite.emulator.READY_WITHIN", 0)
    azurite = Azurite(tmp_path)
    with pytest.raises(Unavailable, match="not ready"):
        async with azurite:
            pass
    assert not azurite.alive


async def test_one_that_does_not_end_is_killed(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receivers.local.azurite.emulator.STOPPED_WITHIN", 0)
    pid = azurite.pid
    await azurite.stop()
    assert not is_alive(pid)


async def test_a_storage_lives_as_long_as_its_block(running_azurite: Azurite) -> None:
    async with storage() as found:
        assert found.reason == ""
        assert found.connection_string
        assert found.connection_string not in repr(found)
        async with QueueClient.from_connection_string(found.connection_string, "letters", retry_total=0) as queue:
            await queue.create_queue()
    async with QueueClient.from_connection_string(found.connection_string, "letters", retry_total=0) as queue:
        with pytest.raises(AzureError):
            await queue.create_queue()


async def test_without_node_there_is_a_reason_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    async with storage() as found:
        assert found.connection_string is None
        assert "no node on the PATH" in found.reason
        assert "https://nodejs.org" in found.reason
