"""Terraform, and copies of infra/ that it is ready to check."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

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
def infra(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/, initialised. Nobody changes it."""
    folder = copy_of(INFRA, tmp_path_factory.mktemp("infra") / "infra")
    try:
        terraform.prepare(folder)
    except ProvidersMissing:
        pytest.skip(HOW_TO_GET_PROVIDERS)
    return folder


@pytest.fixture
def broken(infra: Path, tmp_path: Path) -> Path:
    """A copy of infra/, initialised, for the test to break."""
    return copy_of(infra, tmp_path / "infra")


@pytest.fixture(scope="session")
def examples(terraform: Terraform, infra: Path) -> Mapping[str, State]:
    """What applying each example leaves, with mocked providers."""
    return {name: terraform.states(infra / "examples" / name, name)["applies"] for name in EXAMPLES}
