"""scripts/deploy with the real Azure CLI, against a simulated Azure: how it deploys, waits, and when it is content."""

import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from receivers.base_path import ROUTE_PREFIX
from scripts import deploy as deployment
from tests.scripts.azure import (
    APP,
    FORBIDDEN,
    GROUP,
    NAMES,
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    Azure,
    Refusal,
    simulated,
)
from tests.scripts.azure_cli import HOW_TO_GET_AZ, ROOT, AzureCli, installed, signed_in

DEPLOY = str(ROOT / "scripts" / "deploy")
VERSION = "1.2.3+0123456789ab"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Azure, AzureCli]]:
    program = installed()
    if program is None:
        pytest.skip(HOW_TO_GET_AZ)
    folder = tmp_path_factory.mktemp("azure")
    with simulated(folder) as (azure, authority):
        yield azure, signed_in(program, azure, authority=authority, folder=folder)


@pytest.fixture
def azure(running: tuple[Azure, AzureCli]) -> Azure:
    """A simulated Azure in which nothing was deployed and nothing goes wrong."""
    azure, _ = running
    azure.reset()
    return azure


@pytest.fixture
def cli(running: tuple[Azure, AzureCli]) -> AzureCli:
    """The Azure CLI, signed in there."""
    return running[1]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package, as far as a deployment looks into it."""
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("receivers/build.txt", f"{VERSION}\n")
    return path


def deploy(cli: AzureCli, package: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return cli.run(DEPLOY, *options, APP, GROUP, str(package))


def test_it_deploys_while_roles_propagate_and_sees_the_version_run(azure: Azure, cli: AzureCli, package: Path) -> None:
    azure.refuse(f"/sites/{APP}", FORBIDDEN)
    azure.refuse("/config/configreferences/appsettings/refresh", FORBIDDEN)
    azure.refuse("/api/publish", FORBIDDEN, FORBIDDEN)
    done = deploy(cli, package)
    assert done.returncode == 0, done.stderr
    assert azure.deployed == package.read_bytes()
    # No build there, and the content type that Flex Consumption takes.
    assert azure.published == [{"RemoteBuild": "false", "Deployer": "az_cli", "content-type": "application/zip"}]
    assert azure.count("/api/publish") == 3
    assert azure.count("/config/configreferences/appsettings/refresh") == 2
    assert f"{VERSION} to {APP} in {GROUP}, subscription {NAMES[SUBSCRIPTION]} ({SUBSCRIPTION})" in done.stderr
    assert done.stderr.count("for a role that was just assigned to count") == 4
    assert f"waiting for {azure.url}/healthz" in done.stderr
    assert done.stderr.endswith("deployed and ready\n")


def test_it_waits_for_another_deployment_and_asks_the_app_below_its_base_path(
    azure: Azure, cli: AzureCli, package: Path
) -> None:
    azure.refuse("/api/publish", Refusal(409, None))
    azure.settings[ROUTE_PREFIX] = "kargo/webhooks"
    done = deploy(cli, package)
    assert done.returncode == 0, done.stderr
    assert "for another deployment to end" in done.stderr
    assert f"waiting for {azure.url}/kargo/webhooks/healthz" in done.stderr


def test_what_no_waiting_can_change_is_not_repeated(azure: Azure, cli: AzureCli, package: Path) -> None:
    azure.refuse("/api/publish", *[Refusal(415, {"Message": "not supported"})] * 9)
    done = deploy(cli, package)
    assert done.returncode == 1
    assert azure.count("/api/publish") == 1
    assert "not deployed: " in done.stderr
    assert "Status Code: 415" in done.stderr


def test_the_content_type_of_the_usual_command_is_refused(azure: Azure, cli: AzureCli, package: Path) -> None:
    # The day that this fails, `az functionapp deploy` can be used again.
    app = ["--name", APP, "--resource-group", GROUP, "--type", "zip", "--src-path", str(package)]
    done = cli.run("az", "functionapp", "deploy", *app)
    assert done.returncode != 0
    assert [each["content-type"] for each in azure.published] == ["application/octet-stream"]
    assert not azure.deployed


def test_another_subscription_can_be_named(azure: Azure, cli: AzureCli, package: Path) -> None:
    done = deploy(cli, package, "--subscription", NAMES[OTHER_SUBSCRIPTION])
    assert done.returncode == 1, "the app is in the first one"
    assert f"subscription {NAMES[OTHER_SUBSCRIPTION]} ({OTHER_SUBSCRIPTION})" in done.stderr
    assert {each.split("/")[2] for each in azure.asked if "/sites/" in each} == {OTHER_SUBSCRIPTION}


@pytest.fixture
def app(tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """An app that runs the package, asked without the Azure CLI and without a pause between two questions."""
    with simulated(tmp_path) as (azure, authority):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        monkeypatch.setattr(deployment, "ASK_EVERY", 0.01)
        azure.deployed = package.read_bytes()
        yield azure


def test_an_app_that_takes_its_time_is_waited_for(app: Azure, capsys: pytest.CaptureFixture[str]) -> None:
    app.unhealthy = 5
    deployment.check(app.url, VERSION)
    assert app.count("/healthz") == 6
    assert capsys.readouterr().err.endswith("deployed and ready\n")


def test_an_app_that_is_not_ready_yet_is_deployed_and_said_to_be_unready(
    app: Azure, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "GETS_READY", 0.0)
    app.missing = ["warehouses"]
    deployment.check(app.url, VERSION)
    said = capsys.readouterr().err
    assert "deployed, but not ready yet" in said
    assert "warehouses" in said


def test_an_app_whose_rules_keep_this_machine_out_is_deployed_and_said_to_be_unseen(
    app: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    app.refuse("/healthz", Refusal(403, None))
    deployment.check(app.url, VERSION)
    assert "deployed, but not seen to run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "unhealthy", "reason"),
    [("1.2.2+ffffffffffff", 0, "still runs 1.2.2+ffffffffffff, not 1.2.3"), ("", 10**6, "does not answer 200 (503)")],
    ids=["another version", "unhealthy"],
)
def test_an_app_that_does_not_run_what_was_deployed_is_a_failure(
    app: Azure, monkeypatch: pytest.MonkeyPatch, version: str, unhealthy: int, reason: str
) -> None:
    monkeypatch.setattr(deployment, "STARTS", 0.2)
    app.stays, app.unhealthy = version, unhealthy
    with pytest.raises(deployment.NotDeployed, match=re.escape(reason)):
        deployment.check(app.url, VERSION)


def test_that_az_could_not_see_the_app_is_no_reason_to_deploy_again() -> None:
    for said in (
        "Failed to fetch host key to check for function app status",
        "Deployment was successful but the app appears to be unhealthy. Please check the app logs.",
    ):
        assert deployment.patiently("sh", "-c", f"echo 'ERROR: {said}' >&2; exit 1") == ""


def test_a_machine_that_the_rules_of_the_deployment_endpoint_keep_out_is_told_so_at_once() -> None:
    said = "An error occured during deployment. Status Code: 403, Details: The web app has blocked your access."
    with pytest.raises(deployment.NotDeployed, match="deployment_ip_ranges"):
        deployment.patiently("sh", "-c", f"echo 'ERROR: {said}' >&2; exit 1")


def test_a_file_that_is_no_package_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "some.zip").write_bytes(b"PK")
    for name, reason in (("some.zip", "is not a package"), ("none.zip", "run `make package`")):
        command = [DEPLOY, APP, GROUP, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert reason in done.stderr
