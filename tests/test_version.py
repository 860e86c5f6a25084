"""Which version this is: one source, and a package also tells which build."""

import tomllib
from pathlib import Path

import pytest

from receivers import version

ROOT = Path(__file__).parent.parent


def test_a_checkout_shows_the_version_alone() -> None:
    assert version.shown() == version.VERSION


def test_a_package_shows_its_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = tmp_path / "build.txt"
    build.write_text("1.2.3+0123456789ab\n")
    monkeypatch.setattr(version, "BUILD", build)
    assert version.shown() == "1.2.3+0123456789ab"


def test_the_projects_metadata_takes_it_from_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "receivers.version.VERSION"}
