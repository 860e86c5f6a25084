"""``show``: all that is known of one delivery."""

import asyncio
import json

import pytest

from receivers.journal.journal import State
from receivers.local.cli import main
from tests.pages import journalling
from tests.pages.sites import Site


def test_what_was_decided_and_why_is_told(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    row = journalling.row(journalling.new_repository(), state=State.FAILED)
    asyncio.run(journalling.write(recorder.store, [row]))
    assert main(["show", row.id]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"delivery {row.id}" in lines
    assert "outcome failed" in lines
    assert f"what myregistry.azurecr.io/{row.repository}:1.2.3" in lines
    assert "answered 500" in lines
    assert "kargo-demo/guestbook: failed: tag satisfies" in lines


def test_json_is_one_document(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    row = journalling.row(journalling.new_repository())
    asyncio.run(journalling.write(recorder.store, [row]))
    assert main(["show", row.id, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["delivery"]["id"] == row.id


def test_the_beginning_of_an_id_will_do_unless_several_begin_so(
    recorder: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (journalling.row(journalling.new_repository()) for _ in range(2))
    one.id, other.id = f"{one.id[:12]}aaaaaaaaaaaa", f"{one.id[:12]}aaaaaaaaaabb"
    asyncio.run(journalling.write(recorder.store, [one, other]))
    assert main(["show", one.id[:23]]) == 0
    assert one.id in capsys.readouterr().out
    assert main(["show", one.id[:20]]) == 1
    listed = capsys.readouterr().out
    assert one.id in listed
    assert other.id in listed


def test_no_such_delivery_is_code_1(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "0" * 24]) == 1
    assert "no delivery with this id" in capsys.readouterr().err


@pytest.mark.parametrize("delivery", ["", "x", "000", "0" * 25, "../queue"])
def test_what_is_no_id_is_code_2(delivery: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["show", delivery])
    assert ended.value.code == 2
