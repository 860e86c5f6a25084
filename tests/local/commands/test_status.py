"""``status``: whether a running service is well, in a terminal and for scripts."""

import asyncio
import json

import pytest

from receivers.local.cli import main
from testbed.servers import ApiServer
from tests.local.commands.running import Serving
from tests.pages import journalling
from tests.pages.sites import Site


def test_what_was_given_up_fails_and_says_what_to_do(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(journalling.give_up(recorder.store, journalling.new_repository()))
    assert main(["status"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "ok       Cluster: The API server answers." in lines
    assert any(line.startswith("FAILING  Retry queue: ") for line in lines)  # beside what other tests had fail
    assert lines[-1].startswith("do next: Retry queue: See why on the page of the queue")
    assert any(line.startswith("deliveries within 24 hours: ") for line in lines)
    assert main(["status", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["next"]["name"] == "Retry queue"


def test_all_is_well(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok       Cluster: The API server answers." in lines
    assert lines[-1] == "all is well"


def test_a_service_that_does_not_answer_is_told(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--base-url", "http://127.0.0.1:1"]) == 1
    assert "does not answer" in capsys.readouterr().err


async def test_what_is_another_service_is_told(
    embedded_api_server: ApiServer, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = embedded_api_server.url
    assert await asyncio.to_thread(main, ["status", "--base-url", url]) == 1
    assert capsys.readouterr().err == f"kargo-receivers status: {url} answered 404: is it a Kargo Receivers service?\n"
