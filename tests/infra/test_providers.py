"""Terraform knows the providers that the app serves, from one generated file."""

import subprocess
import sys
from pathlib import Path

from tests.infra.terraform import INFRA, ROOT


def written(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "infra_providers.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_file_is_in_step_with_the_providers() -> None:
    assert written("--check", str(INFRA)).returncode == 0


def test_one_that_is_not_is_named_and_can_be_written_anew(tmp_path: Path) -> None:
    (tmp_path / "providers.json").write_text("{}")
    assert "infra_providers.py" in written("--check", str(tmp_path)).stderr
    assert written(str(tmp_path)).returncode == 0
    assert (tmp_path / "providers.json").read_bytes() == (INFRA / "providers.json").read_bytes()
