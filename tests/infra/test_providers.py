"""Terraform knows the providers that the app serves, from one generated file."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.infra.terraform import INFRA, ROOT, Terraform


def written(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "infra_providers.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_file_is_in_step_with_the_providers() -> None:
    assert written("--check", str(INFRA)).returncode == 0


def test_one_that_is_not_is_named_and_can_be_written_anew(tmp_path: Path) -> None:
    (tmp_path / "providers.json").write_text("{}")
    assert "make providers" in written("--check", str(tmp_path)).stderr
    assert written(str(tmp_path)).returncode == 0
    assert (tmp_path / "providers.json").read_bytes() == (INFRA / "providers.json").read_bytes()


ADDED = """
run "managed_in_the_cluster" {
  variables {
    receivers = {
      new = { provider = "brand-new", project = "shop", configured_in = "cluster", manage_in_cluster = true }
    }
  }
  assert {
    condition     = keys(local.receiver_secret_data["new"]) == ["its-key"]
    error_message = "another key"
  }
}

run "refused" {
  command = plan
  variables {
    receivers = {
      cluster = { provider = "other-path", configured_in = "cluster" }
      nobody  = { provider = "nobody" }
    }
  }
}
"""


def test_one_that_is_added_needs_no_other_change_of_the_module(terraform: Terraform, broken: Path) -> None:
    file = broken / "providers.json"
    added = {
        "brand-new": {"data_key": "its-key", "in_kargo": True, "requires": []},
        "other-path": {"data_key": "its-key", "in_kargo": False, "requires": []},
    }
    known = json.loads(file.read_text()) | added
    file.write_text(json.dumps(known))
    header, *_ = (broken / "tests" / "cluster.tftest.hcl").read_text().split("\nrun ")
    (broken / "tests" / "added.tftest.hcl").write_text(header + ADDED)

    said = re.sub(r"[\s│]+", " ", terraform.test(broken, "added").stdout)

    assert 'run "managed_in_the_cluster"... pass' in said
    assert f"provider must be one of {', '.join(sorted(known))}." in said
    in_kargo = sorted(name for name, each in known.items() if each["in_kargo"])
    assert f"takes Kargo's own keys, {', '.join(in_kargo)}; use one of them" in said
