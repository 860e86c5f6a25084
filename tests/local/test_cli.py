"""The command line: what it understands, and what it costs."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from receivers import version
from receivers.local import cli

COMMANDS = ("serve", "urls", "send", "ping", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert re.search(rf"^example:\n  kargo-receivers {command}", text, re.MULTILINE)
    assert re.search(r"^exit codes:\n  0  ", text, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_the_help_is_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    example = re.search(r"^  kargo-receivers (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert example
    assert cli.parser().parse_args(example[1].split()).command == command


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"kargo-receivers {version.VERSION}\n"


def test_help_imports_nothing_heavy() -> None:
    heavy = "aiohttp, azure_functions_runtime, kubernetes, msgspec, pydantic, uvicorn, uvloop, yaml"
    program = f"""
import sys
from receivers.local.cli import main
try:
    main(["--help"])
except SystemExit:
    print(sorted({{module.partition(".")[0] for module in sys.modules}} & set({heavy.split(", ")!r})))
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["send"], ["send", "nobody"], ["serve", "--port", "x"]])
def test_bad_usage_is_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: kargo-receivers")


def test_a_missing_package_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}", name="aiohttp")

    monkeypatch.setattr("receivers.local.cli.importlib.import_module", without)
    assert cli.main(["urls"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "aiohttp is missing" in complaint
    assert "make run" in complaint


def test_a_reader_that_has_enough_ends_a_command_quietly() -> None:
    program = [sys.executable, "-m", "receivers.local.cli", "schema"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_a_disk_that_is_full_is_told_in_one_line() -> None:
    program = [sys.executable, "-m", "receivers.local.cli", "schema"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "kargo-receivers schema: stdout cannot be written: No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("streams", "arguments", "status"),
    [(">&-", "schema", 0), (">&- 2>&-", "schema", 0), ("2>&-", "status --base-url nonsense", 2)],
)
def test_a_stream_that_is_closed_gets_nothing(streams: str, arguments: str, status: int) -> None:
    program = f'"$0" -m receivers.local.cli {arguments} {streams}'
    done = subprocess.run(["sh", "-c", program, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("name", ["app", "a/b/c", "/app", "kargo-demo/", ""])
def test_a_warehouse_without_its_project_is_bad_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["deliveries", "--warehouse", name])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("a Warehouse is written with its project: PROJECT/NAME\n")


@pytest.mark.parametrize(("command", "asks"), [("urls", True), ("doctor", True), ("status", False), ("schema", False)])
def test_only_a_command_that_asks_the_cluster_can_lack_one(
    command: str, asks: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert ("or no cluster" in capsys.readouterr().out) is asks
