"""``queue``: what waits for another try, and what was given up."""

import asyncio
import json

import pytest

from receivers.local.cli import main
from tests.pages import journalling
from tests.pages.sites import Site


def test_what_was_given_up_is_told_with_its_reason(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    delivery = asyncio.run(journalling.give_up(recorder.store, journalling.new_repository()))
    assert main(["queue"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "waiting: 0"
    assert f"  {delivery}  azure kargo-demo/acr: given up after 78 tries" in lines
    assert main(["queue", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["poisoned"] == len(document["poison"])
