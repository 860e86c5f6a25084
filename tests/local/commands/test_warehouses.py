"""``warehouses``: what each wants, and who can tell of it."""

import asyncio
import json

import pytest

from receivers.local.cli import main
from testbed.objects import warehouse
from testbed.servers import ApiServer


@pytest.mark.usefixtures("in_sample")
def test_where_everything_is_told_of_it_is_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warehouses"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "kargo-demo/guestbook",
        "  0: image myregistry.azurecr.io/team/guestbook: tags that are strict semantic versions that satisfy ^1.0.0 "
        "(SemVer); told by azure kargo-demo/acr",
    ]
    assert lines[-1] == "6 Warehouse(s); 6 subscription(s), 0 only polled, 0 unreadable"


@pytest.mark.usefixtures("in_sample")
def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warehouses", "--output", "json", "--limit", "2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["count"], len(document["warehouses"])) == (6, 2)


async def test_what_is_only_polled_is_code_1_with_a_receiver_for_it(
    embedded_api_server: ApiServer, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = warehouse("broken")
    broken["spec"]["subscriptions"] = [{"image": {"repoURL": 7}}]
    await embedded_api_server.apply(warehouse("app", image="quay.io/team/app"), broken)
    settings.setenv("KUBECONFIG", str(embedded_api_server.kubeconfig("admin")))
    assert await asyncio.to_thread(main, ["warehouses", "--only-uncovered", "--snippets"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "kargo-demo/app"
    assert lines[1].endswith("image quay.io/team/app: any tag (NewestBuild); only polled, every 5 min")
    assert "          - name: quay" in lines
    assert "  0: unreadable: repoURL is not a text" in lines
    assert lines[-1] == "2 Warehouse(s); 1 subscription(s), 1 only polled, 1 unreadable"


@pytest.mark.usefixtures("in_sample")
@pytest.mark.parametrize(("project", "meant"), [("kargo-dem", "; kargo-demo may be meant"), ("a\x1b", "")])
def test_a_project_without_warehouses_is_told(project: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warehouses", "--project", project]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.rstrip("\n").endswith(f"there is no Warehouse in a project {project}{meant}")) == (
        "",
        bool(meant),
    )
    assert "\x1b" not in told.err
