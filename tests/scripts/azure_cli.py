"""The real Azure CLI, signed in to a simulated Azure on loopback, with its own folder of settings."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.scripts.azure import CLIENT, CLIENT_SECRET, CLOUD, TENANT, Azure

ROOT = Path(__file__).parent.parent.parent
HOW_TO_GET_AZ = "needs the Azure CLI, which `make azure-cli` installs"

# az itself waits a minute after a deployment, and scripts/deploy between two tries: here all waits are short.
SHORT_WAITS = """
import time
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.1))
"""


def installed() -> Path | None:
    """The Azure CLI of `make azure-cli`."""
    command = [str(ROOT / "tests" / "azure-cli" / "build"), "--where"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureCli:
    """Runs `az`, and programs that do."""

    program: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command with `az` on its PATH."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


def signed_in(program: Path, azure: Azure, *, authority: Path, folder: Path) -> AzureCli:
    """The Azure CLI with the simulation for its cloud, signed in as a service principal."""
    waits = folder / "waits"
    waits.mkdir()
    (waits / "sitecustomize.py").write_text(SHORT_WAITS)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(waits),
        "PYTHONWARNINGS": "ignore",
        "AZURE_CONFIG_DIR": str(folder / "az"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",  # it would ask login.microsoftonline.com
        "REQUESTS_CA_BUNDLE": str(authority),  # az
        "SSL_CERT_FILE": str(authority),  # scripts/deploy
    }
    cli = AzureCli(program=program, environment=environment)
    for command in (
        ("cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", azure.url),
        ("cloud", "set", "--name", CLOUD),
        ("login", "--service-principal", "--username", CLIENT, "--password", CLIENT_SECRET, "--tenant", TENANT),
    ):
        done = cli.run("az", *command)
        assert done.returncode == 0, done.stderr
    return cli
