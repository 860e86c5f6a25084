"""``deliveries``: what became of the latest deliveries."""

import asyncio
import json
import signal
import subprocess
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from receivers.journal.journal import State
from receivers.local.cli import STATES, main
from receivers.local.commands.deliveries import Progress
from tests.local.commands.running import NOTHING_SET, PATIENCE, PROGRAM
from tests.pages import journalling
from tests.pages.sites import Site, running_site


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["deliveries", *arguments, "--output", "json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["deliveries"]
    return rows


def test_each_is_a_line_with_its_reason(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    repository = journalling.new_repository()
    rows = [journalling.row(repository), journalling.row(repository, state=State.FAILED)]
    asyncio.run(journalling.write(recorder.store, rows))
    assert main(["deliveries", "--repository", repository]) == 0
    failed, refreshed = sorted(capsys.readouterr().out.splitlines(), key=lambda line: "refreshed" in line)
    what = f"myregistry.azurecr.io/{repository}:1.2.3  azure kargo-demo/acr"
    assert refreshed.endswith(f"  {rows[0].id}  refreshed  {what}: Warehouse guestbook")
    assert failed.endswith(f"  {rows[1].id}  failed     {what}: the cluster did not answer in time")


def test_filters_choose(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    repository = journalling.new_repository()
    young = journalling.row(repository, state=State.FAILED)
    old = journalling.row(repository, state=State.FAILED, age=timedelta(hours=2))
    asyncio.run(journalling.write(recorder.store, [young, old]))
    of_these = ["--repository", repository]
    assert [row["id"] for row in listed(capsys, *of_these)] == [young.id, old.id]
    assert [row["id"] for row in listed(capsys, *of_these, "--since", "1h")] == [young.id]
    assert [row["id"] for row in listed(capsys, *of_these, "--limit", "1")] == [young.id]
    assert listed(capsys, *of_these, "--state", "refreshed") == []
    assert listed(capsys, *of_these, "--provider", "quay") == []
    assert listed(capsys, *of_these, "--project", "another") == []


def test_every_outcome_of_a_delivery_can_be_chosen() -> None:
    assert set(STATES) == set(State) - {State.GONE}  # only a Warehouse can be gone


def test_none_is_told_too(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deliveries", "--repository", "nobody/pushed/this"]) == 0
    assert capsys.readouterr().out == "no deliveries\n"


@pytest.mark.usefixtures("recorder")
def test_a_name_that_nobody_knows_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    note = "no receiver of that name is known: acrr; acr may be meant"
    assert main(["deliveries", "--receiver", "acrr"]) == 0
    assert capsys.readouterr().out == f"no deliveries: {note}\n"
    assert main(["deliveries", "--receiver", "acrr", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deliveries": [], "note": note}
    assert main(["deliveries", "--receiver", "acrr", "--all"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"kargo-receivers deliveries: {note}\n")


def test_follow_tells_each_delivery_and_what_became_of_it(recorder: Site) -> None:
    repository = journalling.new_repository()
    rows = [journalling.row(repository, tag=tag, state=State.QUEUED) for tag in ("1.0.0", "2.0.0")]
    asyncio.run(journalling.write(recorder.store, rows[:1]))
    environment = {"EXTERNAL_WEBHOOK_SERVER_BASE_URL": recorder.url, "PAGES_KEY": "key-of-the-pages"}
    command = [str(PROGRAM), "deliveries", "--follow", "--repository", repository, "--output", "json"]
    with subprocess.Popen(
        command, env={**NOTHING_SET, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        deadline = threading.Timer(PATIENCE, process.kill)
        deadline.start()
        told = [json.loads(process.stdout.readline())]
        asyncio.run(journalling.write(recorder.store, rows[1:]))
        told.append(json.loads(process.stdout.readline()))
        rows[0].state = State.REFRESHED
        asyncio.run(journalling.write(recorder.store, rows[:1]))
        told.append(json.loads(process.stdout.readline()))
        deadline.cancel()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert [(row["tag"], row["state"]) for row in told] == [
        ("1.0.0", "queued"),
        ("2.0.0", "queued"),
        ("1.0.0", "refreshed"),
    ]


def test_the_wrong_key_is_code_1(recorder: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deliveries", "--key", "another"]) == 1
    assert "does not hold the key" in capsys.readouterr().err


def test_a_service_without_a_journal_is_code_1(
    running_recorder: Site, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with running_site(tmp_path, running_recorder.store, JOURNAL="none") as site:
        assert main(["deliveries", "--base-url", site.url]) == 1
    assert "has no journal" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:9/path"])
def test_a_service_that_does_not_run_is_code_1(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert main(["deliveries", "--base-url", url]) == 1
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--since", "soon"], ["--limit", "0"], ["--limit", "501"], ["--state", "gone"]])
def test_bad_usage_is_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["deliveries", *arguments])
    assert ended.value.code == 2


def exported(*arguments: str, site: Site, reader: list[str] | None = None) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code of an export, what it printed on stdout or what of it ``reader`` read, and its stderr."""
    environment = {"EXTERNAL_WEBHOOK_SERVER_BASE_URL": site.url, "PAGES_KEY": "key-of-the-pages"}
    with subprocess.Popen(
        [str(PROGRAM), "deliveries", "--all", *arguments],
        env={**NOTHING_SET, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if reader:
            read = subprocess.run(
                reader, stdin=process.stdout, stdout=subprocess.PIPE, timeout=PATIENCE, check=True
            ).stdout
            process.stdout.close()
            told = process.stderr.read()
        else:
            read, told = process.communicate(timeout=PATIENCE)
        status = process.wait(PATIENCE)
    return status, [json.loads(line) for line in read.splitlines()], told.decode()


def test_all_are_exported_as_they_are_listed_newest_first(
    recorder: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receivers.local.commands.deliveries.NEWS", 3)
    repository = journalling.new_repository()
    rows = [journalling.row(repository, tag=f"1.0.{number}", age=timedelta(minutes=number)) for number in range(8)]
    asyncio.run(journalling.write(recorder.store, rows))
    of_these = ["--repository", repository]
    assert main(["deliveries", "--all", *of_these]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["id"] for row in told] == [row.id for row in rows]
    assert told == listed(capsys, *of_these)
    assert main(["deliveries", "--all", *of_these, "--warehouse", "kargo-demo/none"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["deliveries", "--all", *of_these, "--warehouse", "kargo-demo/guestbook", "--receiver", "acr"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_an_export_whose_reader_has_enough_ends_quietly(recorder: Site) -> None:
    repository = journalling.new_repository()
    asyncio.run(journalling.write(recorder.store, [journalling.row(repository) for _ in range(300)]))
    status, told, complaint = exported("--repository", repository, site=recorder, reader=["head", "-n", "1"])
    assert (status, len(told), complaint) == (0, 1, "")


def test_a_long_export_says_how_far_it_has_come(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    progress = Progress(clock=lambda: now)
    page = [{"receivedAt": "2026-11-21T12:00:00.123+00:00"}] * 500
    progress.add(page)
    assert capsys.readouterr().err == ""
    now = 1.5
    progress.add(page)
    progress.add(page)
    progress.add([])
    assert capsys.readouterr().err == "1,000 deliveries so far, back to 2026-11-21T12:00:00\n"
