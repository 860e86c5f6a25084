"""The workflows run what the repository has, with rights and versions that are said."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.terraform import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def jobs(workflow: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    return found


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_one_commit(workflow: Path) -> None:
    uses = re.findall(r"uses: (.*)", workflow.read_text())
    assert uses
    assert [each for each in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_target_of_make_exists(workflow: Path) -> None:
    called = [
        name for line in re.findall(r"make ([a-z ]+)$", workflow.read_text(), re.MULTILINE) for name in line.split()
    ]
    assert called
    assert set(called) <= TARGETS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_a_job_that_signs_in_may_ask_for_its_token(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    for job in jobs(workflow).values():
        signs_in = any("azure/login" in step.get("uses", "") for step in job["steps"])
        assert job.get("permissions") == ({"contents": "read", "id-token": "write"} if signs_in else None)
        assert job["timeout-minutes"] <= 60


def test_what_is_applied_was_asked_for_planned_and_let_pass() -> None:
    apply = jobs(ROOT / ".github" / "workflows" / "deploy.yml")["apply"]
    assert (apply["if"], apply["needs"], apply["environment"]) == ("inputs.apply", "plan", "production")


def test_no_plan_is_kept() -> None:
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    assert "upload-artifact" not in text
    assert "-out" not in text
