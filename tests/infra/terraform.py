"""Terraform as the tests use it: on copies of infra/, with the mocked providers of its own tests."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
INFRA = ROOT / "infra"
EXAMPLES = tuple(sorted(folder.name for folder in (INFRA / "examples").iterdir() if folder.is_dir()))
HOW_TO_GET_TERRAFORM = "needs terraform 1.11 or later: https://developer.hashicorp.com/terraform/install"
HOW_TO_GET_PROVIDERS = (
    "needs Terraform's providers: the registry to download them from, or TF_CLI_CONFIG_FILE with a mirror"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as a mocked apply left it."""

    kind: str
    name: str
    key: str | int | None  # of for_each or count
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What a mocked apply left: every resource of every module, and the outputs of the root module."""

    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type."""
        return [resource for resource in self.resources if resource.kind == kind]

    @property
    def app_settings(self) -> Mapping[str, str]:
        """The settings of the Function App."""
        site = next(each for each in self.of("azapi_resource") if each.name == "site")
        return {each["name"]: each["value"] for each in site.values["body"]["properties"]["siteConfig"]["appSettings"]}


class ProvidersMissing(Exception):
    """`terraform init` cannot get the providers."""


class Terraform:
    """Runs terraform in copies of infra/, with ``environment``."""

    def __init__(self, program: str, plugins: Path) -> None:
        configuration = subprocess.run(
            [ROOT / "scripts" / "terraform-providers"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self._program = program
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        self.environment |= {
            "TF_PLUGIN_CACHE_DIR": str(plugins),  # six folders, one download
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "true",
            **({"TF_CLI_CONFIG_FILE": configuration} if configuration else {}),
        }

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Standard output and error are one text. No exit code is an exception."""
        return subprocess.run(
            [self._program, f"-chdir={folder}", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def prepare(self, infra: Path) -> None:
        """Initialises the module and the examples. Raises :class:`ProvidersMissing`."""
        for folder in (infra, *(infra / "examples" / name for name in EXAMPLES)):
            done = self.run(folder, "init", "-backend=false", "-input=false", "-no-color")
            if done.returncode:
                raise ProvidersMissing(done.stdout)

    def order(self, folder: Path) -> dict[str, set[str]]:
        """For each resource, all that is done before it."""
        done = self.run(folder, "graph")
        assert done.returncode == 0, done.stdout
        direct: dict[str, set[str]] = {}
        for after, before in re.findall(r'"([^"]+)" -> "([^"]+)"', done.stdout):
            direct.setdefault(after, set()).add(before)
        return {name: _reached(name, direct) for name in direct}

    def test(self, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
        """Runs one file of tests."""
        return self.run(folder, "test", "-no-color", f"-filter=tests/{name}.tftest.hcl")

    def states(self, folder: Path, name: str) -> dict[str, State]:
        """What each run of a file of tests left, by the name of the run."""
        done = self.run(folder, "test", "-json", "-verbose", f"-filter=tests/{name}.tftest.hcl")
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        states = {message["@testrun"]: _state(message["test_state"]) for message in messages if "test_state" in message}
        assert done.returncode == 0, [message["@message"] for message in messages if message["@level"] == "error"]
        return states


def copy_of(infra: Path, to: Path) -> Path:
    """A copy to be broken. Providers stay where they are."""
    return Path(shutil.copytree(infra, to, symlinks=True))


def _reached(name: str, direct: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = [name]
    while left:
        new = direct.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def _state(document: Mapping[str, Any]) -> State:
    outputs = {name: output["value"] for name, output in document["outputs"].items()}
    return State(tuple(_resources(document["root_module"])), outputs)


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for each in module.get("resources", ()):
        if each["mode"] == "managed":
            yield Resource(each["type"], each["name"], each.get("index"), each["values"])
    for child in module.get("child_modules", ()):
        yield from _resources(child)
