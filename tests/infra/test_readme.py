"""The module's README is in step with its variables and outputs."""

import subprocess
import sys
from pathlib import Path

from tests.infra.terraform import INFRA, ROOT, copy_of


def check(infra: Path) -> int:
    command = [sys.executable, str(ROOT / "scripts" / "infra_readme.py"), "--check", str(infra)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_the_readme_is_in_step() -> None:
    assert check(INFRA) == 0


def test_a_changed_description_is_noticed(tmp_path: Path) -> None:
    copy = copy_of(INFRA, tmp_path / "infra")
    variables = copy / "variables.tf"
    variables.write_text(variables.read_text().replace("Tags on every resource", "Labels on every resource"))
    assert check(copy) == 1
