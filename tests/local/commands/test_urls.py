"""``urls``: the receivers and where they are reached."""

import json
import re

import pytest

from receivers.local.cli import main
from tests.local.commands.running import Serving

TOKEN = re.compile(r"[0-9a-f]{64}")


def test_every_receiver_is_listed_with_a_masked_url(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["urls"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "PROVIDER", "PROJECT", "URL"]
    assert [row.split()[:3] for row in rows] == [
        ["acr", "azure", "kargo-demo"],
        ["docker-hub", "dockerhub", "kargo-demo"],
        ["github", "github", "kargo-demo"],
        ["quay", "quay", "kargo-demo"],
    ]
    for row in rows:
        assert re.fullmatch(rf"{in_sample.url}/\w+/[0-9a-f]{{4}}…", row.split()[3])


def test_a_sender_in_generic_s_place_is_named_and_has_generic_s_url(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    actions = [{"parameters": {"kargo-receivers/sender": "zot", "registry": "zot.example.com"}}]
    receivers = [
        {"provider": "generic", "name": "zot", "secret": "s" * 16, "actions": actions},
        {"provider": "generic", "name": "ci", "secret": "s" * 16},
    ]
    settings.setenv("RECEIVERS", json.dumps(receivers))
    assert main(["urls"]) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines() if "(cluster)" in row]
    assert [row[:2] for row in rows] == [["ci", "generic"], ["zot", "zot"]]
    assert all(row[3].startswith(f"{in_sample.url}/generic/") for row in rows)


def test_reveal_prints_whole_urls(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["urls", "--reveal"]) == 0
    revealed = [row.split()[3] for row in capsys.readouterr().out.splitlines()[1:]]
    assert sorted(revealed) == sorted(curl.split()[-1] for curl in in_sample.curls)


def test_the_steps_have_the_real_url_once_it_is_revealed(
    in_sample: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    url = next(curl.split()[-1] for curl in in_sample.curls if "/azure/" in curl)
    assert main(["urls", "--steps"]) == 0
    masked = capsys.readouterr().out
    assert '--uri "$URL" --actions push chart_push' in masked
    assert not TOKEN.search(masked)
    assert main(["urls", "--steps", "--reveal"]) == 0
    assert f'--uri "{url}" --actions push chart_push' in capsys.readouterr().out


def test_json_is_one_document(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["urls", "--output", "json"]) == 0
    out = capsys.readouterr().out
    receiver = json.loads(out)["receivers"][0]
    assert receiver["url"].startswith(f"{in_sample.url}/azure/")
    assert (receiver["name"], receiver["provider"], receiver["project"]) == ("acr", "azure", "kargo-demo")
    assert receiver["problem"] is None
    assert not TOKEN.search(out)


def test_the_base_url_can_be_given(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["urls", "--base-url", "https://hooks.example.com/kargo/"]) == 0
    assert "https://hooks.example.com/kargo/azure/" in capsys.readouterr().out


def test_without_a_base_url_it_is_the_local_host(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", "")
    assert main(["urls"]) == 0
    assert "http://127.0.0.1:7071/azure/" in capsys.readouterr().out


def test_receivers_of_the_settings_are_listed_too(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("RECEIVERS", '[{"provider": "acr", "name": "events", "secret": "do-not-print-this"}]')
    assert main(["urls", "--reveal"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"events +acr +\(cluster\) +http", out)
    assert "do-not-print-this" not in out


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({}, "no cluster is configured"),
        ({"READ_SECRETS": "perhaps"}, "READ_SECRETS: must be true or false"),
        ({"CLUSTER_SERVER": "http://127.0.0.1:9", "CLUSTER_TOKEN": "t"}, "the cluster at http://127.0.0.1:9 cannot be"),
    ],
)
def test_without_settings_or_cluster_it_is_one_line_and_code_2(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], complaint: str
) -> None:
    for name, value in variables.items():
        settings.setenv(name, value)
    assert main(["urls"]) == 2
    out, complaints = capsys.readouterr()
    assert (out, complaints.count("\n")) == ("", 1)
    assert complaint in complaints
