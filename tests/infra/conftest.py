"""Terraform, and copies of infra/ that it is ready to check."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from scripts.kept_providers import kept
from tests.infra.terraform import (
    EXAMPLES,
    HOW_TO_GET_PROVIDERS,
    HOW_TO_GET_TERRAFORM,
    INFRA,
    ProvidersMissing,
    State,
    Terraform,
    copy_of,
)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip(HOW_TO_GET_TERRAFORM)
    return Terraform(program, tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="session")
def infra(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of infra/, initialised. Nobody changes it. Its providers run as long as there are tests."""
    folder = copy_of(INFRA, tmp_path_factory.mktemp("infra") / "infra")
    try:
        terraform.prepare(folder)
    except ProvidersMissing:
        pytest.skip(HOW_TO_GET_PROVIDERS)
    with kept(folder / ".terraform") as environment:
        terraform.environment.update(environment)
        yield folder


@pytest.fixture
def broken(infra: Path, tmp_path: Path) -> Path:
    """A copy of infra/, initialised, for the test to break."""
    return copy_of(infra, tmp_path / "infra")


@pytest.fixture(scope="session")
def examples(terraform: Terraform, infra: Path) -> Mapping[str, State]:
    """What applying each example leaves, with mocked providers."""
    return {name: terraform.states(infra / "examples" / name, name)["applies"] for name in EXAMPLES}


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """The manifests under other names: the API server is shared with tests that have roles of the same name."""
    shutil.copytree(INFRA / "kubernetes", tmp_path / "kubernetes")
    for part in ("base", "secrets", "server"):
        overlay = tmp_path / part
        overlay.mkdir()
        kustomization: dict[str, object] = {"resources": [f"../kubernetes/{part}"], "namePrefix": "tried-"}
        if part == "secrets":
            account = {"op": "replace", "path": "/subjects/0/name", "value": "tried-kargo-receivers"}
            kustomization["patches"] = [{"target": {"kind": ".*Binding"}, "patch": yaml.safe_dump([account])}]
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return tmp_path
