"""An emulated Azure Cosmos DB account: @vercel/cosmosdb-server, an npm package.

Good enough to try what the journal does: it has no time to live, no throttling, and answers 500 where a document is
missing.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receivers.local.azurite.emulator import free_ports
from receivers.settings import Settings

PACKAGE, VERSION = "@vercel/cosmosdb-server", "1.0.1"
INSTALLED_WITHIN = 300  # seconds
# Its certificate is its own, and it names no endpoints.
OPTIONS = {"connection_verify": False, "enable_endpoint_discovery": False}


@contextmanager
def cosmos_db() -> Iterator[Settings]:
    """The settings of an account that is empty and runs; skips the test where it cannot be had."""
    script, node = _installed() / "node_modules" / PACKAGE / "lib" / "cli.js", shutil.which("node")
    assert node is not None
    (port,) = free_ports(1)
    command = [node, str(script), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert "Ready" in process.stdout.readline()
            yield Settings(journal="cosmos", cosmos_endpoint=f"https://127.0.0.1:{port}", cosmos_key="bm90aGluZw==")
        finally:
            process.kill()


def _installed() -> Path:
    """Its folder; installed now, once, unless it is there."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm, which installs an emulator of Azure Cosmos DB: https://nodejs.org")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kargo-receivers" / "cosmosdb" / VERSION
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            work = Path(temporary) / "work"
            command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(work)]
            installing = [*command, f"{PACKAGE}@{VERSION}"]
            done = subprocess.run(installing, capture_output=True, timeout=INSTALLED_WITHIN, check=False)
            if done.returncode:
                pytest.skip(f"npm could not install {PACKAGE} {VERSION}")
            work.rename(folder)
    return folder
