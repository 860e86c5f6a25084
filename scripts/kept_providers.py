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
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

# How Terraform introduces itself to a provider; without it one explains that it is none to be run by hand.
_INTRODUCTION = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "5,6",
}
_RARE_COLLECTIONS = {"GOGC": "400"}  # of garbage: memory is cheaper than time here

STARTS_WITHIN = 60.0  # seconds, a provider; it takes two
ENDS_WITHIN = 10.0  # seconds, a command that is told to


@contextmanager
def kept(folder: Path) -> Iterator[Mapping[str, str]]:
    """The environment in which Terraform uses the providers of a folder, as long as the block lasts.

    Raises FileNotFoundError where `terraform init` was not run, FileExistsError where it left several versions of a
    provider, ChildProcessError for a provider that does not start.
    """
    programs = sorted((folder / "providers").glob("*/*/*/*/*/terraform-provider-*"))
    if not programs:
        raise FileNotFoundError(f"{folder} has no providers: run terraform init first")
    by_address = {_address(program): program for program in programs}
    for program in programs:
        if by_address[_address(program)] != program:
            folder = folder / "providers"
            raise FileExistsError(
                f"{folder} has two versions of {_address(program)}: delete it, and run terraform init"
            )
    with ExitStack() as running:
        attached = {address: running.enter_context(_running(program)) for address, program in by_address.items()}
        yield {**_RARE_COLLECTIONS, "TF_REATTACH_PROVIDERS": json.dumps(attached)}


def _address(program: Path) -> str:
    """registry.terraform.io/hashicorp/random of …/registry.terraform.io/hashicorp/random/3.9.0/linux_amd64/…"""
    return "/".join(program.parts[-6:-3])


@contextmanager
def _running(program: Path) -> Iterator[Mapping[str, object]]:
    """Where Terraform finds a provider that was started."""
    environment = {**os.environ, **_INTRODUCTION, **_RARE_COLLECTIONS}
    process = subprocess.Popen(
        [program.resolve()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    with process:
        try:
            yield _attachment(program, process)
        finally:
            _signal(process, signal.SIGKILL)


def _attachment(program: Path, process: subprocess.Popen[str]) -> Mapping[str, object]:
    # Version of the handshake, version of the protocol, network, address, protocol, certificate
    match _first_line(program, process).strip().split("|"):
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


def _first_line(program: Path, process: subprocess.Popen[str]) -> str:
    """What a provider says when it has started. Raises ChildProcessError for one that says nothing for too long."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _signal(process, signal.SIGKILL)

    timer = threading.Timer(STARTS_WITHIN, end)
    timer.start()
    try:
        line = cast("TextIO", process.stdout).readline()
    finally:
        timer.cancel()
    if late.is_set():
        raise ChildProcessError(f"{program.name} does not start within {STARTS_WITHIN:.0f} s")
    return line


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a process, and to all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit code of a command. It ends when this is interrupted, with all that it started."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, text=True, process_group=0)
    try:
        return process.wait()
    except BaseException:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_WITHIN)
        _signal(process, signal.SIGKILL)
        process.wait()
        raise


def _end_by_signals() -> None:
    """Leave by an exception where a signal would end this program and nothing that it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def main() -> int:
    """Runs the command, and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    _end_by_signals()
    try:
        with kept(given.folder) as environment:
            return _run([given.command, *given.arguments], environment)
    except OSError as error:
        print(f"kept_providers: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
