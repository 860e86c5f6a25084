"""What importing the app brings along: every import delays the first answer of a cold start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED_BY_SOME = (
    "aiohttp",
    "azure.cosmos",
    "azure.data",
    "azure.identity",
    "azure.storage",
    "kubernetes",
    "uvicorn",
    "uvloop",
    "yaml",
)


def test_the_picture_of_the_rooms_is_the_code_s_own(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/layers.py"]
    assert subprocess.run([*command, "--check"], cwd=ROOT, check=False).returncode == 0
    another = tmp_path / "another.md"
    another.write_text((ROOT / "docs/how-it-works.md").read_text().replace("pages --> journal", "pages --> kargo"))
    assert subprocess.run([*command, "--check", another], cwd=ROOT, check=False, capture_output=True).returncode == 1
    subprocess.run([*command, another], cwd=ROOT, check=True)
    assert another.read_bytes() == (ROOT / "docs/how-it-works.md").read_bytes()


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The modules in a process that has imported function_app and nothing else."""
    program = "import function_app, json, sys; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "package",
    [
        "aiohttp",
        "kubernetes",
        "azure.identity",
        "azure.storage",
        "azure.data",
        "azure.cosmos",
        "uvicorn",
        "uvloop",
        "yaml",
    ],
)
def test_what_only_some_settings_need_is_not_imported_with_the_app(imported: set[str], package: str) -> None:
    assert {name for name in imported if f"{name}.".startswith(f"{package}.")} == set()


def test_what_runs_without_azure_is_not_imported_with_the_app(imported: set[str]) -> None:
    assert {name for name in imported if name.startswith("receivers.local")} == set()
