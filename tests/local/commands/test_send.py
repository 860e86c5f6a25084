"""``send``: a delivery as the sender would make it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from receivers.kargo import paths
from receivers.local.cli import main
from receivers.providers import PROVIDERS, STAND_INS
from testbed.processes import free_port
from tests.identity_tokens import OPTIONS
from tests.local.commands.running import Serving, serving

TOKEN = re.compile(r"[0-9a-f]{64}")


@pytest.mark.parametrize(
    ("provider", "pushed"),
    [
        ("azure", "myregistry.azurecr.io/team/guestbook:1.2.3"),
        ("acr", "myregistry.azurecr.io/team/guestbook:1.2.3"),
        ("quay", "quay.io/example/storefront:1.2.3"),
        ("dockerhub", "example/toolbox:1.2.3"),
    ],
)
def test_what_is_sent_by_itself_refreshes_a_warehouse(
    in_sample: Serving, capsys: pytest.CaptureFixture[str], provider: str, pushed: str
) -> None:
    assert main(["send", provider]) == 0
    what, where, answer, delivery = capsys.readouterr().out.splitlines()
    assert what == pushed
    assert re.fullmatch(rf"to {in_sample.url}/{provider}/[0-9a-f]{{4}}…", where)
    assert answer == '200 {"msg":"refreshed 1 warehouse(s)"}'
    assert delivery.removeprefix("delivery ").partition(",")[0] in in_sample.line(f"{pushed} -> 200")


RECEIVERS = json.dumps(
    [
        {"provider": name, "name": f"of-{name}", "secret": f"secret-of-{name}-in-tests"}
        | dict.fromkeys(provider.requires, "registry.example.com")
        for name, provider in PROVIDERS.items()
    ]
    + [
        {
            "provider": "generic",
            "name": f"in-place-of-{name}",
            "secret": f"secret-in-place-of-{name}-in-tests",
            "actions": [
                {
                    "action": "Refresh",
                    "parameters": {"kargo-receivers/sender": name}
                    | dict.fromkeys(PROVIDERS[name].requires, "registry.example.com"),
                }
            ],
        }
        for name in STAND_INS
    ]
)


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The sample with a receiver of every provider in the settings."""
    folder = tmp_path_factory.mktemp("everybody")
    with serving(folder, "--embedded", "--port", str(free_port()), RECEIVERS=RECEIVERS) as service:
        service.line("ready on ")
        yield service


@pytest.fixture
def among_everybody(everybody: Serving, settings: pytest.MonkeyPatch) -> Serving:
    settings.setenv("KUBECONFIG", everybody.kubeconfig)
    settings.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", everybody.url)
    settings.setenv("RECEIVERS", RECEIVERS)
    return everybody


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_can_be_sent_as_and_proves_itself(
    among_everybody: Serving, capsys: pytest.CaptureFixture[str], provider: str
) -> None:
    document = sent(capsys, provider, "--receiver", f"of-{provider}")
    assert document["url"].startswith(f"{among_everybody.url}/{provider}/")


@pytest.mark.parametrize("provider", sorted(STAND_INS))
def test_one_in_generic_s_place_is_sent_to_as_its_sender_does(
    among_everybody: Serving, capsys: pytest.CaptureFixture[str], provider: str
) -> None:
    for asked in (provider, "generic"):
        document = sent(capsys, asked, "--receiver", f"in-place-of-{provider}")
        assert document["url"].startswith(f"{among_everybody.url}/generic/")
        among_everybody.line(f"{provider} (cluster)/in-place-of-{provider}: ")


def test_to_a_url_alone_the_proof_s_secret_comes_from_the_environment(
    among_everybody: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = paths.token(project=None, name="of-harbor", secrets=(b"secret-of-harbor-in-tests",))
    url = f"{among_everybody.url}/harbor/{token}"
    assert main(["send", "harbor", "--url", url]) == 2
    assert "set RECEIVER_SECRET" in capsys.readouterr().err
    settings.setenv("RECEIVER_SECRET", "another")
    assert main(["send", "harbor", "--url", url]) == 1
    assert '401 {"error":"unauthorized"}' in capsys.readouterr().out
    settings.setenv("RECEIVER_SECRET", "secret-of-harbor-in-tests")
    assert sent(capsys, "harbor", "--url", url)["status"] == 200


def sent(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document of a delivery that was taken."""
    assert main(["send", *arguments, "--output", "json"]) == 0
    out = capsys.readouterr().out
    assert not re.search(r"/[0-9a-f]{64}", out)
    document: dict[str, Any] = json.loads(out)
    return document


def test_a_push_of_git_can_be_told_by_its_ref_and_files(
    among_everybody: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--receiver", "of-github", "--repository", "https://github.com/team/app")
    document = sent(capsys, "github", *where, "--ref", "refs/heads/x", "--changed-file", "a", "--changed-file", "b")
    assert (document["repository"], document["ref"]) == ("https://github.com/team/app", "refs/heads/x")
    among_everybody.line("https://github.com/team/app.git:refs/heads/x -> 200")
    assert main(["send", "github", *where, "--ref", "refs/heads/x"]) == 0
    assert capsys.readouterr().out.startswith("https://github.com/team/app refs/heads/x\n")


def test_a_ref_without_a_repository_is_of_one_that_a_warehouse_subscribes_to(
    among_everybody: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    document = sent(capsys, "github", "--receiver", "of-github", "--ref", "refs/heads/main")
    assert document["repository"] == "https://github.com/example/guestbook-config"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (("--repository", "ghcr.io/team/app", "--tag", "1.2.3"), "ghcr.io/team/app:1.2.3"),
        (("--repository", "ghcr.io/team/app"), "ghcr.io/team/app:1.2.3"),
        (("--tag", "1.4.0"), "myregistry.azurecr.io/team/guestbook:1.4.0"),
    ],
)
def test_a_git_host_can_tell_of_its_registry(
    among_everybody: Serving, capsys: pytest.CaptureFixture[str], told: tuple[str, ...], shown: str
) -> None:
    document = sent(capsys, "github", "--receiver", "of-github", *told)
    assert (f"{document['repository']}:{document['tag']}", document["ref"]) == (shown, "")
    among_everybody.line(f"{shown} -> 200")


def test_a_pull_request_without_a_url_is_none(among_everybody: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", "github", "--receiver", "of-github", "--pull-request", ""]) == 2
    assert "--pull-request needs" in capsys.readouterr().err


def test_a_merged_pull_request_can_be_told(among_everybody: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://github.com/team/app/pull/7"
    assert sent(capsys, "github", "--receiver", "of-github", "--pull-request", url)["pullRequest"] == url
    among_everybody.line(f"pull request {url} -> 200")
    assert main(["send", "quay", "--receiver", "of-quay", "--pull-request", url]) == 2
    assert "quay tells of no pull requests" in capsys.readouterr().err


def test_json_is_one_document(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    document = sent(capsys, "quay")
    assert document["provider"] == "quay"
    assert document["status"] == 200
    assert json.loads(document["body"]) == {"msg": "refreshed 1 warehouse(s)"}
    assert document["deliveryId"] in in_sample.line("storefront:1.2.3 -> 200")


def test_everything_about_the_push_can_be_told(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    digest = f"sha256:{'a' * 64}"
    chart = "application/vnd.cncf.helm.config.v1+json"
    told = ["--repository", "myregistry.azurecr.io/charts/guestbook", "--tag", "1.9.0"]
    document = sent(capsys, "azure", *told, "--digest", digest, "--media-type", chart)
    assert (document["digest"], document["mediaType"]) == (digest, chart)
    assert "refreshed kargo-demo/guestbook-chart" in in_sample.line("charts/guestbook:1.9.0")


def test_why_nothing_was_refreshed_is_told(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", "azure", "--tag", "2.0.0"]) == 0
    out = capsys.readouterr().out
    assert "  not kargo-demo/guestbook: tag 2.0.0 does not satisfy ^1.0.0\n" in out
    document = sent(capsys, "azure", "--repository", "myregistry.azurecr.io/team/nobody-wants-it")
    assert document["reasons"] == ["no Warehouse wants it; `kargo-receivers explain` tells what they want"]
    assert sent(capsys, "azure", "--tag", "")["reasons"][0].startswith("ignored, ")
    assert sent(capsys, "azure")["reasons"] == []


def test_an_empty_tag_is_a_push_by_digest(in_sample: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", "azure", "--tag", ""]) == 0
    assert capsys.readouterr().out.startswith("myregistry.azurecr.io/team/guestbook@sha256:")
    assert "-> 200" in in_sample.line("team/guestbook was pushed by digest alone, and subscriptions discover tags")


def test_a_whole_url_needs_no_cluster(
    sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = next(curl.split()[-1] for curl in sample.curls if "/quay/" in curl)
    assert main(["send", "quay", "--url", url, "--repository", "quay.io/example/storefront"]) == 0
    out = capsys.readouterr().out
    assert '200 {"msg":"refreshed 1 warehouse(s)"}' in out
    assert not TOKEN.search(out)


def test_an_answer_that_is_no_success_is_code_1(
    sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", "quay", "--url", f"{sample.url}/quay/{'0' * 64}"]) == 1
    assert "404 {}" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/quay/0123456789", "http://[/quay/0123456789"])
def test_no_answer_is_code_1_and_shows_no_token(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert main(["send", "quay", "--url", url]) == 1
    out = capsys.readouterr().out
    assert "no answer" in out
    assert "0123456789" not in out


TWO = '[{"provider": "quay", "name": "other", "secret": "a-secret-of-16-chars"}]'


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "several quay receivers: (cluster)/other, kargo-demo/quay"),
        (["--receiver", "nobody"], "no such quay receiver"),
        (["--project", "nowhere"], "no such quay receiver"),
    ],
)
def test_which_receiver_must_be_clear(
    in_sample: Serving,
    settings: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    settings.setenv("RECEIVERS", TWO)
    assert main(["send", "quay", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_of_several_receivers_one_is_chosen_by_project(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("RECEIVERS", TWO)
    assert main(["send", "quay", "--project", "kargo-demo"]) == 0


def test_what_only_the_sender_can_prove_is_not_sent(
    in_sample: Serving, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = {"provider": "gar", "name": "tokens", "project": "kargo-demo", "secret": "a-secret-of-the-tests"}
    settings.setenv("RECEIVERS", json.dumps([receiver | OPTIONS]))
    assert main(["send", "gar"]) == 2
    assert "nothing was sent: it demands an identity token" in capsys.readouterr().err


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("url", ["nonsense", "ftp://example.com/azure/0123456789"])
def test_a_url_that_nothing_can_be_sent_to_is_bad_usage(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", "azure", "--url", url]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "kargo-receivers send: --url must start with https:// or http://\n")
