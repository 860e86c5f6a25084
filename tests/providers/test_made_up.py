"""A new provider is a module and a line: in a copy of this project that has one more, all the rest finds it there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRIED = {  # files of tests, and how many tests of the made-up provider each has at least
    "tests/providers/test_conformance.py": 40,
    "tests/providers/test_properties.py": 5,
    "tests/local/commands/test_send.py": 1,
    "tests/test_examples.py": 1,
}


pytestmark = pytest.mark.time_limit(300)  # each runs tests in another process


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project, with one more provider."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("receivers", "testbed", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("function_app.py", "host.json", "pyproject.toml", "requirements.txt", "local.settings.sample.json"):
        shutil.copy(ROOT / name, folder / name)
    shutil.move(folder / "tests/providers/made_up.py", folder / "receivers/providers/made_up.py")
    registry = folder / "receivers/providers/__init__.py"
    before = registry.read_text()
    table = "_BEYOND_KARGO = {"
    registry.write_text(before.replace(table, f'{table}\n    "made-up": ("made_up", "MADE_UP"),', 1))
    assert registry.read_text() != before
    return folder


def passed(copy: Path, *arguments: str) -> int:
    """How many tests passed in the copy; all that were run have to."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    count = re.search(r"(\d+) passed", done.stdout)
    return int(count[1]) if count else 0


@pytest.mark.parametrize("file", TRIED)
def test_the_tests_of_every_provider_find_it(copy: Path, file: str) -> None:
    assert passed(copy, file, "-k", "made-up") >= TRIED[file]


def test_it_has_a_route_and_keeps_its_secrets(copy: Path) -> None:
    assert passed(copy, "tests/test_canary.py")


def test_terraform_and_the_ingress_are_told_of_it(copy: Path) -> None:
    shutil.copytree(ROOT / "scripts", copy / "scripts")
    shutil.copytree(ROOT / "infra/kubernetes", copy / "infra/kubernetes")
    command = [sys.executable, "scripts/infra_providers.py"]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)
    assert '"made-up"' in (copy / "infra/providers.json").read_text()
    assert "path: /made-up," in (copy / "infra/kubernetes/ingress/ingress.yaml").read_text()
