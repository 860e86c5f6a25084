"""scripts/kept_providers.py leaves nothing running, and says why a provider does not start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import kept_providers
from tests.infra.terraform import ROOT

STARTS = 'echo "1|5|unix|/tmp/provider|grpc"; exec sleep 600'
WAITS = 'echo "$TF_REATTACH_PROVIDERS"; sleep 600 & wait'
ADDRESS = "registry.terraform.io/hashicorp/random"


def provider(folder: Path, script: str, *, version: str = "3.9.0") -> None:
    program = folder / "providers" / ADDRESS / version / "linux_amd64" / f"terraform-provider-random_v{version}"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    program = [sys.executable, str(ROOT / "scripts" / "kept_providers.py"), str(folder), *command]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["terminated", "hung up"]
)
def test_a_signal_ends_the_command_and_the_providers(tmp_path: Path, number: signal.Signals, status: int) -> None:
    provider(tmp_path, STARTS)
    with started(tmp_path, "sh", "-c", WAITS) as process:
        assert process.stdout is not None
        attached = json.loads(process.stdout.readline())
        process.send_signal(number)
        # Until the last one ends that has the command's stdout
        rest = process.communicate(timeout=30)
    assert (process.returncode, *rest) == (status, "", "")
    with pytest.raises(ProcessLookupError):
        os.kill(attached[ADDRESS]["Pid"], 0)


def test_the_exit_code_is_that_of_the_command(tmp_path: Path) -> None:
    provider(tmp_path, STARTS)
    with started(tmp_path, "sh", "-c", "exit 7") as process:
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 7


def test_two_versions_of_a_provider_are_refused(tmp_path: Path) -> None:
    for version in ("3.9.0", "3.10.0"):
        provider(tmp_path, STARTS, version=version)
    with started(tmp_path, "echo", "ran") as process:
        said, complaint = process.communicate(timeout=30)
    assert (process.returncode, said) == (2, "")
    assert complaint == (
        f"kept_providers: {tmp_path / 'providers'} has two versions of {ADDRESS}: delete it, and run terraform init\n"
    )


@pytest.mark.parametrize("script", ["sleep 600", "printf 1; sleep 600"], ids=["nothing", "half a line"])
def test_a_provider_that_says_too_little_is_ended(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_providers, "STARTS_WITHIN", 0.2)
    provider(tmp_path, script)
    with pytest.raises(ChildProcessError, match="does not start within 0 s"), kept_providers.kept(tmp_path):
        pytest.fail("it started")


def test_a_provider_that_ends_at_once_is_said(tmp_path: Path) -> None:
    provider(tmp_path, "exit 1")
    with started(tmp_path, "echo", "ran") as process:
        assert process.communicate(timeout=30) == (
            "",
            "kept_providers: terraform-provider-random_v3.9.0 does not start\n",
        )
    assert process.returncode == 2
