"""Keeps Terraform's providers running for a command, which runs Terraform often.

    python scripts/kept_providers.py FOLDER COMMAND [ARGUMENT...]

FOLDER is what `terraform init` installed the providers into: its `.terraform`, or `TF_DATA_DIR`. Terraform starts every
provider anew for every walk through its graph, twenty times for a file of six runs, and so spends two thirds of a test.
It uses those that `TF_REATTACH_PROVIDERS` names instead, a setting made for debuggers of providers:
https://developer.hashicorp.com/terraform/plugin/debugging. What is kept between the runs is a provider's process, none
of its configuration.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO, cast

# How Terraform introduces itself to a provider; without it one explains that it is none to be run by hand.
_INTRODUCTION = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "5,6",
}
_RARE_COLLECTIONS = {"GOGC": "400"}  # of garbage: memory is cheaper than time here


@contextmanager
def kept(folder: Path) -> Iterator[Mapping[str, str]]:
    """The environment in which Terraform uses the providers of a folder, as long as the block lasts.

    Raises FileNotFoundError where `terraform init` was not run, ChildProcessError for a provider that does not start.
    """
    programs = sorted((folder / "providers").glob("*/*/*/*/*/terraform-provider-*"))
    if not programs:
        raise FileNotFoundError(f"{folder} has no providers: run terraform init first")
    with ExitStack() as running:
        attached = {_address(program): running.enter_context(_running(program)) for program in programs}
        yield {**_RARE_COLLECTIONS, "TF_REATTACH_PROVIDERS": json.dumps(attached)}


def _address(program: Path) -> str:
    """registry.terraform.io/hashicorp/random of …/registry.terraform.io/hashicorp/random/3.9.0/linux_amd64/…"""
    return "/".join(program.parts[-6:-3])


@contextmanager
def _running(program: Path) -> Iterator[Mapping[str, object]]:
    """Where Terraform finds a provider that was started."""
    environment = {**os.environ, **_INTRODUCTION, **_RARE_COLLECTIONS}
    process = subprocess.Popen(
        [program.resolve()], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        try:
            yield _attachment(program, process)
        finally:
            process.kill()


def _attachment(program: Path, process: subprocess.Popen[str]) -> Mapping[str, object]:
    # Version of the handshake, version of the protocol, network, address, protocol, certificate
    match cast("TextIO", process.stdout).readline().strip().split("|"):
        case [_, version, network, address, protocol, *_]:
            return {
                "Protocol": protocol,
                "ProtocolVersion": int(version),
                "Pid": process.pid,
                "Test": True,  # Terraform leaves it running
                "Addr": {"Network": network, "String": address},
            }
        case _:
            raise ChildProcessError(f"{program.name} does not start")


def main() -> int:
    """Runs the command, and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    with kept(given.folder) as environment:
        command = [given.command, *given.arguments]
        return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
