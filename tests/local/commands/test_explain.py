"""``explain``: what a request would mean, without posting it."""

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receivers import examples
from receivers.events import Push
from receivers.local.cli import main
from receivers.providers import PROVIDERS
from tests.local.commands.running import Serving

ACTIONS = [
    {
        "action": "Refresh",
        "whenExpression": 'request.header("X-Event") == "push" and request.params("team") == "a"',
        "targetSelectionCriteria": [{"kind": "Warehouse", "name": "${{ request.body.name }}"}],
    },
    {
        "action": "Refresh",
        "whenExpression": "request.body.none.deeper",
        "targetSelectionCriteria": [{"kind": "Warehouse", "name": "app"}],
    },
]
GENERIC = {"provider": "generic", "name": "ci", "project": "kargo-demo", "secret": "s" * 16, "actions": ACTIONS}


@pytest.fixture
def with_actions(in_sample: Serving, settings: pytest.MonkeyPatch) -> Serving:
    settings.setenv("RECEIVERS", json.dumps([GENERIC]))
    return in_sample


def given(tmp_path: Path, document: object) -> str:
    file = tmp_path / "body.json"
    file.write_text(json.dumps(document))
    return str(file)


@pytest.mark.usefixtures("in_sample")
def test_a_push_is_explained_warehouse_by_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = {"repository": "team/guestbook", "tag": "2.0.0"}
    body = {"action": "push", "target": target, "request": {"host": "myregistry.azurecr.io"}}
    assert main(["explain", "azure", "--body", given(tmp_path, body)]) == 1
    what, *decisions = capsys.readouterr().out.splitlines()
    assert what == "myregistry.azurecr.io/team/guestbook:2.0.0"
    assert "  would not refresh Warehouse kargo-demo/guestbook: tag 2.0.0 does not satisfy ^1.0.0" in decisions


@pytest.mark.usefixtures("with_actions")
def test_each_action_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ("--body", given(tmp_path, {"name": "guestbook"}), "--header", "X-Event: push", "--query", "team=a")
    assert main(["explain", "generic", *told]) == 0
    first, second, decision = capsys.readouterr().out.splitlines()
    assert first == "1: selected by the receiver"
    assert second.startswith("2: Error evaluating whenExpression: ")
    assert decision == "  would refresh Warehouse kargo-demo/guestbook: the receiver selects it"


def example_of_nexus(tmp_path: Path) -> list[str]:
    push = Push(repository="myregistry.azurecr.io/team/guestbook", tag="1.2.3", media_type=examples.IMAGE)
    example = PROVIDERS["nexus"].example(push, datetime.now(UTC))
    file = tmp_path / "body.json"
    file.write_bytes(example.body)
    headers = [part for name, value in example.headers.items() for part in ("--header", f"{name}: {value}")]
    return ["--body", str(file), *headers]


@pytest.mark.usefixtures("in_sample")
@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({"registry": "myregistry.azurecr.io"}, "myregistry.azurecr.io/team/guestbook:1.2.3"),
        ({}, "a receiver of nexus needs registry"),
    ],
)
def test_a_sender_in_generic_s_place_is_explained_as_that_sender_s(
    tmp_path: Path,
    settings: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
    meant: str,
) -> None:
    standing = {
        **GENERIC,
        "actions": [{"action": "Refresh", "parameters": {"kargo-receivers/sender": "nexus", **options}}],
    }
    settings.setenv("RECEIVERS", json.dumps([standing]))
    for asked in ("generic", "nexus"):
        assert main(["explain", asked, "--receiver", "ci", *example_of_nexus(tmp_path)]) == (0 if options else 1)
        assert meant in capsys.readouterr().out.splitlines()[0]


@pytest.mark.usefixtures("with_actions")
def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "generic", "--output", "json", "--body", given(tmp_path, {"name": "x"})]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in document["events"]] == ["Ignored", "Faulty"]
    assert document["decisions"] == []


@pytest.mark.usefixtures("in_sample")
def test_a_push_that_nobody_subscribes_to_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = io.TextIOWrapper(io.BytesIO(b'{"docker_url": "quay.io/a/b", "updated_tags": ["1"]}'))
    monkeypatch.setattr(sys, "stdin", body)
    assert main(["explain", "quay"]) == 1
    assert capsys.readouterr().out == "quay.io/a/b:1\n  concerns no Warehouse\n"


@pytest.mark.usefixtures("in_sample")
def test_a_body_that_would_be_refused_is_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "quay", "--body", given(tmp_path, [])]) == 1
    assert capsys.readouterr().out == "400 invalid request body\n"


@pytest.mark.usefixtures("in_sample")
@pytest.mark.parametrize("odd", [("--body", "/no/such/file"), ("--header", "x", "--body", "/dev/null")])
def test_what_cannot_be_read_is_code_2(odd: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "quay", *odd]) == 2
    assert capsys.readouterr().err.startswith("kargo-receivers explain: ")


# A push, as people write it


@pytest.mark.usefixtures("in_sample")
def test_a_push_says_what_it_would_refresh_and_who_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "myregistry.azurecr.io/team/guestbook:1.2.3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "myregistry.azurecr.io/team/guestbook:1.2.3",
        "  would refresh Warehouse kargo-demo/guestbook: tag 1.2.3 satisfies ^1.0.0",
        "    told by azure kargo-demo/acr",
        "  would not refresh Warehouse kargo-demo/guestbook-next: tag 1.2.3: no allowTagsRegexes matches",
    ]


@pytest.mark.usefixtures("in_sample")
def test_a_push_of_git_has_a_ref_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    told = ("https://github.com/example/guestbook-config", "--ref", "refs/heads/other", "--changed-file", "a")
    assert main(["explain", *told]) == 1
    assert "would not refresh Warehouse kargo-demo/guestbook-config" in capsys.readouterr().out


@pytest.mark.usefixtures("in_sample")
def test_a_name_that_is_mistyped_is_code_1_and_told_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "myregistry.azurecr.io/team/guestbok:1.2.3", "--output", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["refreshes"], document["alike"][0]) == (False, "myregistry.azurecr.io/team/guestbook")


@pytest.mark.usefixtures("in_sample")
def test_a_project_of_which_none_subscribes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "myregistry.azurecr.io/team/guestbook:1.2.3", "--project", "other"]) == 1
    assert "concerns no Warehouse" in capsys.readouterr().out


@pytest.mark.parametrize(
    "odd", [("two words",), ("team/app:1", "--body", "-"), ("team/app", "--ref", "main"), ("quay", "--ref", "refs/x")]
)
def test_what_is_neither_a_push_nor_a_request_is_code_2(
    odd: tuple[str, ...], settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *odd]) == 2
    assert capsys.readouterr().err.startswith("kargo-receivers explain: ")
