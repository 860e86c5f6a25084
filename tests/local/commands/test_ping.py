"""``ping``: whether a running service answers, and whether it knows its receivers."""

import json
import re

import pytest

from receivers.local.cli import main
from tests.local.commands.running import Serving

PINGED = (("azure", "acr"), ("github", "github"))  # the second one's ping is signed


def test_health_readiness_and_each_receiver_that_has_a_ping(
    in_sample: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ping"]) == 0
    healthz, readyz, *receivers = capsys.readouterr().out.splitlines()
    assert healthz == f"{in_sample.url}/healthz: 200"
    assert readyz == f"{in_sample.url}/readyz: 200 ready"
    for receiver, (provider, name) in zip(receivers, PINGED, strict=True):
        url = rf"{in_sample.url}/{provider}/[0-9a-f]{{4}}…"
        assert re.fullmatch(rf"kargo-demo/{name} {url}: 200 .*configured correctly.*", receiver)
        in_sample.line(f"{provider} kargo-demo/{name}: ping -> 200")


def test_json_is_one_document(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [answer["status"] for answer in document["answers"]] == [200, 200, 200, 200]
    assert document["notPinged"] is None


def test_without_the_cluster_the_service_is_asked_all_the_same(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("KUBECONFIG", "")
    assert main(["ping"]) == 0
    assert "receivers were not pinged: no cluster is configured" in capsys.readouterr().out


def test_a_service_that_does_not_run_is_code_1(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ping", "--base-url", "http://127.0.0.1:9"]) == 1
    assert "healthz: no answer" in capsys.readouterr().out


def test_a_receiver_that_the_service_does_not_know_is_code_1(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("RECEIVERS", '[{"provider": "azure", "name": "unknown-there", "secret": "a-secret-of-16-chars"}]')
    assert main(["ping"]) == 1
    assert re.search(r"\(cluster\)/unknown-there .*: 404 \{\}", capsys.readouterr().out)
