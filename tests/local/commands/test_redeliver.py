"""``redeliver``: have one delivery, or all that failed, delivered again."""

import asyncio
import json
import re
from datetime import timedelta

import pytest

from receivers.journal.journal import State
from receivers.local.cli import main
from tests.pages import journalling
from tests.pages.sites import Site


def test_one_delivery_is_delivered_again(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    row = journalling.row("team/guestbook")
    asyncio.run(journalling.write(recorder.store, [row]))
    assert main(["redeliver", row.id]) == 0
    told = re.fullmatch(r"delivered again as ([0-9a-f]{24}), answered 200\n", capsys.readouterr().out)
    assert told
    assert main(["show", told[1]]) == 0
    assert f"redelivery of      {row.id}" in capsys.readouterr().out


def test_what_failed_is_delivered_again_once(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    repository = journalling.new_repository()
    failed = [journalling.row(repository, state=State.FAILED, age=timedelta(minutes=minutes)) for minutes in (1, 2, 90)]
    asyncio.run(journalling.write(recorder.store, failed))
    assert main(["redeliver", "--since", "1h", "--output", "json"]) == 0
    again = json.loads(capsys.readouterr().out)["redelivered"]
    originals = []
    for each in again:
        assert main(["show", each["id"], "--output", "json"]) == 0
        originals.append(json.loads(capsys.readouterr().out)["delivery"]["redeliveryOf"])
    assert {failed[0].id, failed[1].id} <= set(originals)
    assert failed[2].id not in originals


def test_what_pushed_nothing_is_code_1(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    row = journalling.row(journalling.new_repository(), state=State.PING)
    row.events = []
    asyncio.run(journalling.write(recorder.store, [row]))
    assert main(["redeliver", row.id]) == 1
    assert "there is nothing to deliver again" in capsys.readouterr().err


def test_what_would_be_refreshed_is_told_and_nothing_done(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [journalling.row("team/guestbook", state=State.FAILED), journalling.row(journalling.new_repository())]
    asyncio.run(journalling.write(recorder.store, rows))
    assert main(["redeliver", rows[0].id, "--preview"]) == 0
    assert capsys.readouterr().out == "1 delivery: it would refresh kargo-demo/guestbook\n"
    assert main(["redeliver", rows[1].id, "--preview", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["wouldRefresh"] == []
    assert main(["redeliver", "--since", "1h", "--preview"]) == 0
    assert re.search(r"^\d+ deliver(y|ies): it would refresh .*kargo-demo/guestbook", capsys.readouterr().out)
    assert main(["show", rows[0].id]) == 0
    assert "redelivered as" not in capsys.readouterr().out
    assert main(["redeliver", "0" * 24, "--preview"]) == 1


@pytest.mark.parametrize("arguments", [[], ["0" * 24, "--since", "1h"], ["--since", "1"], ["x"]])
def test_bad_usage_is_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["redeliver", *arguments])
    assert ended.value.code == 2
