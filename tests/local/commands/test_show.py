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


def test_no_such_delivery_is_code_1(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "0" * 24]) == 1
    assert "no delivery with this id" in capsys.readouterr().err


@pytest.mark.parametrize("delivery", ["", "x", "0" * 23, "../queue"])
def test_what_is_no_id_is_code_2(delivery: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["show", delivery])
    assert ended.value.code == 2
