"""``queue``: what waits for another try, and what was given up."""

import asyncio
import json

import pytest
from aiohttp import web

from receivers.local.cli import main
from receivers.local.commands.queue import done, lines
from tests.local.commands.running import run
from tests.pages import journalling
from tests.pages.sites import Site


def test_what_was_given_up_is_told_with_its_reason(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    delivery = asyncio.run(journalling.give_up(recorder.store, journalling.new_repository()))
    assert main(["queue"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "waiting: 0"
    position = next(number for number, line in enumerate(lines) if f"delivery {delivery})" in line)
    assert "azure kargo-demo/acr" in lines[position]
    assert lines[position + 1].startswith("    given up after 78 tries, since 20")
    assert main(["queue", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["poisoned"] == len(document["poison"])


def given_up(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was given up: the message's id by what is told of it."""
    assert main(["queue", "--output", "json"]) == 0
    poison = json.loads(capsys.readouterr().out)["poison"]
    return {str(each["poisoned"]["message"] or each["what"]): each["id"] for each in poison}


def test_a_message_that_cannot_be_read_is_a_row_and_can_be_discarded(
    recorder: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(journalling.give_up_unreadable(recorder.store, b"\xff{"))
    assert main(["queue"]) == 0
    told = capsys.readouterr().out
    identity = given_up(capsys)["a message that cannot be read"]
    assert f"  {identity}  a message that cannot be read\n    it is damaged" in told
    assert main(["queue", "--discard", identity]) == 0
    assert capsys.readouterr().out == "discarded: 1\n"
    assert "a message that cannot be read" not in given_up(capsys)
    assert main(["queue", "--discard", identity]) == 1
    assert "It is not among" in capsys.readouterr().err


def test_what_was_given_up_is_tried_again_once(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    delivery = asyncio.run(journalling.give_up(recorder.store, journalling.new_repository()))
    identity = next(each for message, each in given_up(capsys).items() if delivery in message)
    assert main(["queue", "--retry", identity]) == 0
    assert capsys.readouterr().out == "tried again: 1\n"
    assert main(["queue", "--retry", identity]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("no message with this id was given up")) == ("", 1)


@pytest.mark.parametrize(("revived", "told"), [(0, "nothing was given up"), (3, "tried again: 3")])
def test_trying_all_again_tells_how_many_there_were(revived: int, told: str) -> None:
    assert list(done({"revived": revived})) == [told]


@pytest.mark.parametrize("command", ["queue", f"show {'0' * 24}", "deliveries", f"redeliver {'0' * 24}"])
@pytest.mark.parametrize("answer", ["{}", "[]", '{"waiting": "x", "deliveries": 7, "delivery": []}', "\\x1b[2J"])
async def test_an_answer_that_means_nothing_is_one_line(command: str, answer: str) -> None:
    app = web.Application()

    async def anything(_: web.Request) -> web.Response:
        return web.Response(text=answer, content_type="application/json")

    app.router.add_route("*", "/{path:.*}", anything)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        done = await asyncio.to_thread(run, *command.split(), "--base-url", f"http://{host}:{port}")
    finally:
        await runner.cleanup()
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


WAITING = {
    "id": "0" * 24,
    "what": "registry.example.com/team/app:1.2.3",
    "provider": "azure",
    "project": None,
    "receiver": "acr",
    "since": "2026-01-02T03:04:05+00:00",
    "tries": 2,
    "lastError": "503",
    "nextTry": None,
    "nextTryExact": True,
}


def test_what_waits_says_since_when_why_and_until_when() -> None:
    counts = {"waiting": 1, "waitingExact": False, "poisoned": 0, "poisonedExact": True, "poison": []}
    assert list(lines({**counts, "oldest": WAITING["since"], "deliveries": [WAITING]})) == [
        "waiting: about 1, the oldest since 2026-01-02 03:04:05",
        f"  {'0' * 24}  azure (cluster)/acr: registry.example.com/team/app:1.2.3",
        "    since 2026-01-02 03:04:05, tried 2 time(s), next once the cluster answers",
        "    last error: 503",
        "given up: 0",
    ]


@pytest.mark.parametrize("option", ["--retry", "--discard"])
def test_an_empty_id_is_none(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["queue", option, ""])
    assert ended.value.code == 2
    assert "it is empty" in capsys.readouterr().err
