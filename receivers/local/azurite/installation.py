"""Finds or installs Azurite, in the user's cache: ``${XDG_CACHE_HOME:-~/.cache}/kargo-receivers/azurite``."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
PACKAGE, LOCK = HERE / "package.json", HERE / "package-lock.json"
OLDEST_NODE = 20  # what Azurite's own dependencies ask for
INSTALLED_WITHIN = 600  # seconds; it takes a quarter of a minute where the network is near
HOW_TO_GET_NODE = f"Azurite needs Node {OLDEST_NODE} or newer, with npm: https://nodejs.org"


class Unavailable(Exception):
    """Azurite cannot be had here. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An installed Azurite: the Node to run it with, and its folder."""

    node: Path
    folder: Path

    @property
    def script(self) -> Path:
        """What Node runs."""
        return self.folder / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


def installed() -> Installation:
    """The Azurite that is there. Raises :class:`Unavailable` when none is."""
    found = Installation(node(), folder())
    if not found.script.exists():
        raise Unavailable("Azurite is not installed: `make azurite` does it")
    return found


def install() -> Installation:
    """The Azurite that is there, or one that is installed now. Raises :class:`Unavailable`."""
    wanted = Installation(node(), folder())
    if wanted.script.exists():
        return wanted
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(f"there is no npm on the PATH. {HOW_TO_GET_NODE}")
    log.warning("installing Azurite %s, once, in %s", version(), wanted.folder)
    wanted.folder.parent.mkdir(parents=True, exist_ok=True)
    # It becomes the folder in one step: what is interrupted leaves nothing half-made.
    with tempfile.TemporaryDirectory(prefix="installing-", dir=wanted.folder.parent) as temporary:
        work = Path(temporary) / "work"
        work.mkdir()
        for file in (PACKAGE, LOCK):
            shutil.copy(file, work)
        run_npm(npm, work)
        if not wanted.script.exists():  # another installation may have been faster
            work.rename(wanted.folder)
    return wanted


def run_npm(npm: str, work: Path) -> None:
    """Install what the lock file names, and run none of its scripts."""
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(  # noqa: S603 - all of it is ours
            command, cwd=work, capture_output=True, text=True, timeout=INSTALLED_WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not install Azurite within {INSTALLED_WITHIN} s") from None
    if done.returncode:
        raise Unavailable(f"npm could not install Azurite:\n{done.stderr.strip()}")


def folder() -> Path:
    """Where this version, with these dependencies, belongs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    fingerprint = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return cache / "kargo-receivers" / "azurite" / f"{version()}-{fingerprint}"


def version() -> str:
    """The version that package.json pins."""
    pinned: str = json.loads(PACKAGE.read_bytes())["dependencies"]["azurite"]
    return pinned


def node() -> Path:
    """Node, if it is new enough. Raises :class:`Unavailable`."""
    found = shutil.which("node")
    if found is None:
        raise Unavailable(f"there is no node on the PATH. {HOW_TO_GET_NODE}")
    asked = [found, "--version"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout  # noqa: S603 - the user's own node
    major = told.strip().removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_NODE:
        raise Unavailable(f"{found} is {told.strip() or 'not usable'}. {HOW_TO_GET_NODE}")
    return Path(found)
