"""Finding and installing Azurite, with an npm that needs no network."""

import json
import subprocess
from pathlib import Path

import pytest

from receivers.local.azurite import Azurite, Unavailable, install, installation, installed
from receivers.local.azurite import __main__ as command

NPM = "mkdir -p node_modules/azurite/dist/src && touch node_modules/azurite/dist/src/azurite.js"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a node and an npm that a test replaces, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program(folder, "node", "echo v22.1.0")
    program(folder, "npm", NPM)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_it_is_installed_once(programs: Path) -> None:
    with pytest.raises(Unavailable, match="make azurite"):
        installed()
    first = install()
    program(programs, "npm", "exit 1")
    assert first == install() == installed()
    assert first.script.exists()
    assert [folder.name for folder in first.folder.parent.iterdir()] == [first.folder.name]


def test_no_install_script_of_a_package_runs(programs: Path) -> None:
    program(programs, "npm", f'{NPM}; echo "$@" > arguments')
    assert "--ignore-scripts" in (install().folder / "arguments").read_text().split()


def test_a_failed_installation_leaves_nothing_and_says_why(programs: Path) -> None:
    program(programs, "npm", f"{NPM}; echo the network is down >&2; exit 1")
    with pytest.raises(Unavailable, match="could not install Azurite:\nthe network is down"):
        install()
    assert list(installation.folder().parent.iterdir()) == []


def test_an_npm_that_hangs_is_given_up(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "INSTALLED_WITHIN", 0)
    with pytest.raises(Unavailable, match="within 0 s"):
        install()


def test_two_installations_at_a_time_do_not_disturb_each_other(programs: Path) -> None:
    place = installation.folder()
    program(programs, "npm", f"{NPM}; cp -r . {place}")
    assert install().script.exists()


@pytest.mark.parametrize(
    ("node", "complaint"),
    [("echo v18.20.0", r"is v18\.20\.0\. Azurite needs Node 20"), ("exit 1", "is not usable")],
)
def test_a_node_that_is_too_old_or_broken_is_refused(programs: Path, node: str, complaint: str) -> None:
    program(programs, "node", node)
    with pytest.raises(Unavailable, match=complaint):
        install()


def test_without_npm_it_cannot_be_installed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (programs / "npm").unlink()
    monkeypatch.setenv("PATH", str(programs))
    (programs / "sh").symlink_to("/bin/sh")
    with pytest.raises(Unavailable, match=r"no npm on the PATH\. .*https://nodejs\.org"):
        install()


def test_the_command_prints_the_folder(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main() == 0
    assert capsys.readouterr().out.strip() == str(installation.folder())


def test_the_command_says_why_it_cannot(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(programs, "npm", "exit 1")
    assert command.main() == 1
    assert "npm could not install Azurite" in capsys.readouterr().err


def test_what_is_installed_is_pinned_and_names_no_registry() -> None:
    lock = json.loads(installation.LOCK.read_bytes())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages["node_modules/azurite"]["version"] == installation.version()
    assert all("integrity" in package and "resolved" not in package for package in packages.values())


def test_the_emulator_is_the_pinned_one(running_azurite: Azurite) -> None:
    found = installed()
    told = subprocess.run([found.node, found.script, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == installation.version()
