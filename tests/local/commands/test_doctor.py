"""``doctor`` on the command line."""

import json

import pytest

from receivers.local.cli import main
from tests.local.commands.running import Serving


def test_a_sound_project_is_code_0(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    *_, looked_at, pages, summary = capsys.readouterr().out.splitlines()
    assert looked_at.endswith("4 receiver(s), 6 Warehouse(s)")
    assert pages.startswith("the pages are closed")
    assert summary == "0 error(s), 0 warning(s)"


def test_faults_are_code_1_and_each_says_what_to_do(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = '{"provider": "quay", "name": "code", "secret": "a-secret-of-16-chars"}'
    settings.setenv("RECEIVERS", f"[{twice}, {twice}]")
    assert main(["doctor"]) == 1
    checks, findings = capsys.readouterr().out.split("\n\n", 1)
    assert "[error]   receivers      1 error(s)" in checks.splitlines()
    finding, remedy, *_ = findings.splitlines()
    assert finding.startswith("error: receiver")
    assert remedy.strip()


def test_a_receiver_that_no_sender_can_reach_is_a_fault_of_the_settings(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("RECEIVERS", '[{"provider": "gitbucket", "name": "code", "secret": "a-secret-of-16-chars"}]')
    for command in ("doctor", "urls"):
        assert main([command]) == 2
        told = capsys.readouterr()
        assert "RECEIVERS[0].provider: must be one of acr, alibaba" in told.out + told.err


def test_json_is_one_document(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document.pop("lookedAt").endswith("4 receiver(s), 6 Warehouse(s)")
    assert "PAGES_KEY" in document.pop("pages")
    checks = document.pop("checks")
    assert {check["result"] for check in checks} == {"ok"}
    assert {"check": "base URL", "result": "ok", "text": "this service answers there, of this version"} in checks
    assert document == {"complete": True, "findings": []}


def test_settings_that_cannot_be_used_are_code_2(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("READ_SECRETS", "perhaps")
    assert main(["doctor", "--output", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["complete"] is False
    assert [finding["subject"] for finding in document["findings"]] == ["setting READ_SECRETS"]


@pytest.mark.parametrize("url", ["http://[", "http://exa mple", "http://example.com:port"])
def test_a_base_url_that_is_none_is_code_2(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert main(["doctor", "--base-url", url]) == 2
    assert capsys.readouterr() == ("", "kargo-receivers doctor: the base URL is not a URL\n")
    settings.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", url)
    assert main(["doctor"]) == 2
    assert "error: setting EXTERNAL_WEBHOOK_SERVER_BASE_URL: must be a URL with a host" in capsys.readouterr().out
