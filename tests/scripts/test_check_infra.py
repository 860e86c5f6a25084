"""scripts/check-infra fails on a broken copy, and says in its last line what it could not check."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.terraform import INFRA, ROOT, copy_of

NEEDED = ("bash", "cat", "cp", "dirname", "env", "git", "grep", "mkdir", "printf", "rm", "sh", "tail")


def check(infra: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts" / "check-infra"), str(infra)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("terraform"), reason="needs terraform")
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("variables.tf", "Tags on every resource", "Labels on every resource", "is not in step"),
        ("locals.tf", "locals {", "locals   {", "locals.tf"),
    ],
    ids=["README", "format"],
)
def test_a_broken_copy_does_not_pass(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    copy = copy_of(INFRA, tmp_path / "infra")
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    done = check(copy)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_the_last_line_says_that_there_is_no_terraform(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    copy = copy_of(INFRA, tmp_path / "infra")
    (copy / ".checkov.yaml").write_text(
        "framework: [secrets]\nquiet: true\n"
    )  # what it finds is not what is asked here
    done = check(copy, PATH=str(programs))
    assert done.returncode == 0, done.stderr
    assert "NOT checked: Terraform, because it is not installed" in done.stdout.splitlines()[-1]
