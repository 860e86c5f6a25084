"""``compare``: our URLs beside those that Kargo published."""

import json
from collections.abc import Mapping

import pytest

from receivers.base_path import ROUTE_PREFIX
from receivers.kargo import paths
from receivers.local.cli import main
from testbed.objects import SECRET, Hook, project_config, secret
from testbed.servers import ApiServer
from tests.local.commands.running import Serving, run

NEW = "the-new-receiver-secret"


def test_in_the_sample_all_are_the_same(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare"]) == 0
    *_, one, summary = capsys.readouterr().out.splitlines()
    assert one.endswith("same")
    assert summary == "0 of 4 differ"


def test_another_base_path_is_told_apart_from_another_secret(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv(ROUTE_PREFIX, "webhooks")
    assert main(["compare", "--output", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["differing"] == 4
    assert document["receivers"][0]["reason"].startswith("the token is the same, and what stands before it is /azure")


def test_receivers_of_the_settings_are_here_alone(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv(
        "RECEIVERS", '[{"provider": "zot", "name": "z", "secret": "a-secret-of-16-chars", "registry": "z"}]'
    )
    assert main(["compare"]) == 0
    assert "here alone: it stands in the settings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "published", "reason"),
    [
        ({"secret": SECRET}, "", "it is not in the status"),
        ({"secret": NEW, "secret-previous": SECRET}, SECRET, "the secret was changed: Kargo still shows"),
        ({"secret": NEW}, SECRET, "the secret was changed, and Kargo has not reconciled it since"),
        ({}, SECRET, "this service has no URL for it: its Secret"),
    ],
)
async def test_why_they_differ_is_told_and_tokens_are_masked(
    api_server: ApiServer, data: Mapping[str, str], published: str, reason: str
) -> None:
    hook = Hook(secret=published)
    await api_server.apply(
        secret(hook.secret_name, data), project_config([hook], published=[hook] if published else [])
    )
    kubeconfig = str(api_server.kubeconfig("admin"))
    done = run("compare", KUBECONFIG=kubeconfig)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"differs: {reason}" in done.stdout
    token = paths.token(project="kargo-demo", name=hook.name, secrets=(SECRET.encode(),))
    assert token not in done.stdout
    if published:
        assert token in run("compare", "--reveal", KUBECONFIG=kubeconfig).stdout
