"""``serve``: the service on one's own machine, with the sample or with a real cluster."""

import json
import re
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from receivers.base_path import ROUTE_PREFIX
from receivers.local import cli
from receivers.pages.site import START
from testbed.objects import Hook, project_config, secret_of, warehouse
from testbed.processes import free_port
from testbed.servers import ApiServer
from tests.cluster.kubectl import HOW_TO_GET_KUBECTL
from tests.local.commands.running import Serving, paste, run, serving

REFRESH = "kargo.akuity.io/refresh"
TOKEN = re.compile(r"[0-9a-f]{64}")


def curl_for(sample: Serving, provider: str) -> str:
    return next(curl for curl in sample.curls if f"/{provider}/" in curl)


def refresh_of(sample: Serving, warehouse: str) -> str:
    """The annotation, as kubectl sees it."""
    if shutil.which("kubectl") is None:
        pytest.skip(HOW_TO_GET_KUBECTL)
    found = paste(f"KUBECONFIG={sample.kubeconfig} kubectl get warehouse {warehouse} -o json")
    annotation: str = json.loads(found)["metadata"].get("annotations", {}).get(REFRESH, "")
    return annotation


@pytest.mark.parametrize("provider", ["azure", "quay", "dockerhub", "github"])
def test_a_printed_curl_refreshes_one_warehouse(sample: Serving, provider: str) -> None:
    answer = paste(curl_for(sample, provider))
    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith('\n\n{"msg":"refreshed 1 warehouse(s)"}\n')


def test_a_closed_pull_request_refreshes_the_promotion_that_waits_for_it(sample: Serving) -> None:
    pull_request = "https://github.com/example/guestbook-config/pull/7"
    where = {"KUBECONFIG": sample.kubeconfig, "EXTERNAL_WEBHOOK_SERVER_BASE_URL": sample.url}
    sent = run("send", "github", "--pull-request", pull_request, **where)
    assert sent.returncode == 0, sent.stderr
    assert '{"msg":"refreshed 1 promotion(s)"}' in sent.stdout
    assert "Promotion kargo-demo/production.waits-for-a-pull-request" in sample.line("guestbook-config/pull/7")


def test_each_delivery_is_told_in_one_line(sample: Serving) -> None:
    before = sample.output.count("\n")
    paste(curl_for(sample, "quay"))
    assert "-> 200 refreshed kargo-demo/storefront" in sample.line("quay kargo-demo/quay: quay.io/example/storefront:")
    assert sample.output.count("\n") == before + 1


def test_kubectl_sees_each_of_two_deliveries_in_the_same_second(sample: Serving) -> None:
    seen = [refresh_of(sample, "guestbook")]
    for _ in range(2):
        paste(curl_for(sample, "azure"))
        seen.append(refresh_of(sample, "guestbook"))
    assert len(set(seen)) == 3


def test_the_printed_kubectl_command_works_without_a_kubeconfig(sample: Serving) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip(HOW_TO_GET_KUBECTL)
    command = sample.line("kubectl --server ").replace(" --watch", "")
    assert "guestbook" in paste(f"KUBECONFIG= {command}")


def test_a_tag_that_no_warehouse_wants_refreshes_nothing_and_the_line_says_why(sample: Serving) -> None:
    answer = paste(curl_for(sample, "azure").replace('"tag": "1.2.3"', '"tag": "2.0.0"'))
    assert answer.endswith('{"msg":"refreshed 0 warehouse(s)"}\n')
    line = sample.line("myregistry.azurecr.io/team/guestbook:2.0.0")
    assert "refreshed nothing" in line
    assert "kargo-demo/guestbook (tag 2.0.0 does not satisfy ^1.0.0)" in line


def test_the_root_leads_to_the_pages(sample: Serving) -> None:
    answer = paste(f"curl -si {sample.url}/")
    assert answer.startswith("HTTP/1.1 302")
    assert f"location: {START}\n" in answer.replace("\r", "")
    assert paste(f"curl -si {sample.url}/nothing/here").startswith("HTTP/1.1 404")


def test_nothing_is_complained_about(sample: Serving) -> None:
    assert sample.faults == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "--embedded", "--port", str(free_port())) as sample:
        kubeconfig = Path(sample.kubeconfig)
        sample.line("ready on ")
        assert sample.end(number) == 0
        assert sample.left_behind == ""
        assert sample.faults == []
        assert not kubeconfig.parent.exists()


@pytest.mark.parametrize("option", ["--port", "--kubernetes-port"])
def test_a_port_that_is_taken_is_one_line_and_code_2(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"--port": str(free_port()), option: str(taken.getsockname()[1])}
        ended = run("serve", "--embedded", *(part for pair in ports.items() for part in pair))
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"{ports[option]}" in ended.stderr
    assert "while attempting" not in ended.stderr
    assert ended.stdout == ""


def test_no_cluster_is_one_line_that_names_the_way_out() -> None:
    ended = run("serve", "--port", str(free_port()))
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "KUBECONFIG" in ended.stderr
    assert "--embedded" in ended.stderr


def test_unusable_settings_are_named() -> None:
    ended = run("serve", "--embedded", "--port", str(free_port()), READ_SECRETS="perhaps")
    assert (ended.returncode, ended.stderr) == (2, "kargo-receivers serve: READ_SECRETS: must be true or false\n")


async def everything_in(server: ApiServer) -> dict[str, Any]:
    """The objects of the cluster, without what the API server itself changes with a patch."""
    kinds = ("Secret", "ProjectConfig", "Warehouse", "Namespace")
    objects = {f"{kind} {each['metadata']['name']}": each for kind in kinds for each in await server.every(kind)}
    for each in objects.values():
        for volatile in ("resourceVersion", "managedFields"):
            each["metadata"].pop(volatile, None)
    return objects


@pytest.fixture
async def real_cluster(api_server: ApiServer) -> ApiServer:
    """A cluster with a receiver and a Warehouse, and the least rights for the service."""
    hook = Hook(provider="quay", name="builds")
    await api_server.apply(secret_of(hook), project_config([hook]))
    await api_server.apply(warehouse("app", image="quay.io/team/app", constraint="~2.4"))
    await api_server.allow_secrets("kargo-demo")
    return api_server


async def test_in_a_real_cluster_nothing_changes_but_the_refresh_annotation(
    real_cluster: ApiServer, tmp_path: Path
) -> None:
    kubeconfig = str(real_cluster.kubeconfig("kargo-receivers"))
    before = await everything_in(real_cluster)
    with serving(tmp_path, "--port", str(free_port()), KUBECONFIG=kubeconfig) as service:
        service.line("ready on ")
        paste(f"KUBECONFIG={kubeconfig} {service.line(' send quay ')}")
        assert "refreshed kargo-demo/app" in service.line("quay.io/team/app:2.4.0")
        assert service.end() == 0
        assert service.faults == []
    after = await everything_in(real_cluster)
    assert after["Warehouse app"]["metadata"].pop("annotations").keys() == {REFRESH}
    assert after == before


async def test_the_url_of_a_real_cluster_is_not_printed_whole(real_cluster: ApiServer, tmp_path: Path) -> None:
    kubeconfig = str(real_cluster.kubeconfig("kargo-receivers"))
    with serving(tmp_path, "--port", str(free_port()), KUBECONFIG=kubeconfig) as service:
        service.line("ready on ")
        assert not TOKEN.search(service.output)
        assert "urls --reveal" in service.output


async def test_it_starts_without_the_cluster_says_so_and_is_ready_when_the_cluster_is(
    real_cluster: ApiServer, tmp_path: Path
) -> None:
    kubeconfig = str(real_cluster.kubeconfig("kargo-receivers"))
    await real_cluster.stop()
    with serving(tmp_path, "--port", str(free_port()), KUBECONFIG=kubeconfig) as service:
        assert "not ready" in service.line("listening on ")
        await real_cluster.start()
        service.line("ready on ")


def test_below_a_base_path_every_command_finds_it(
    tmp_path: Path, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv(ROUTE_PREFIX, "webhooks")
    with serving(tmp_path, "--embedded", "--port", str(free_port()), **{ROUTE_PREFIX: "webhooks"}) as running:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/webhooks", running.url)
        assert paste(curl_for(running, "azure")).startswith("HTTP/1.1 200")
        settings.setenv("KUBECONFIG", running.kubeconfig)
        settings.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", running.url)
        for command in ("ping", "send quay", "doctor", "urls"):
            assert cli.main(command.split()) == 0, command
        assert f"{running.url}/quay/" in capsys.readouterr().out
        for root in (running.url, f"{running.url}/"):
            assert f"location: /webhooks{START}\n" in paste(f"curl -si {root}").replace("\r", "")
