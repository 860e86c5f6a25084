"""What ``/readyz`` tells everybody: what is missing and why, and nobody's name."""

import json
import logging
from pathlib import Path

import pytest

from receivers.cluster.api import RefusedError, UnreachableError
from receivers.cluster.credentials import CredentialsError
from receivers.deliveries.readiness import not_configured, shown
from receivers.settings import SettingsError
from testbed.fault_proxy import FaultProxy
from testbed.servers import ApiServer, RealServer
from tests.service import Service, running_service, until

WORDS = 'User "system:serviceaccount:team-a:canary" cannot list resource "warehouses" at https://10.0.0.7:6443'


async def test_the_name_of_a_refused_identity_is_not_told(
    real_api_server: RealServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_service(real_api_server.kubeconfig("nobody")) as service:

        async def refused() -> bool:
            return all(each["fault"] for each in (await service.ask("GET", "/readyz")).json()["resources"])

        await until(refused)
        response = await service.ask("GET", "/readyz")
        page = await service.ask("GET", "/receivers")
    assert {each["fault"] for each in response.json()["resources"]} == {
        "403 Forbidden: this app's identity may not list them"
    }
    for told in (response.body, page.body):
        assert b"nobody" not in told
        assert real_api_server.url.encode() not in told
    assert 'User "nobody" cannot list' in caplog.text, "the operator is told"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "401 Unauthorized: the API server does not accept this app's credential"),
        (403, "403 Forbidden: this app's identity may not list them"),
        (404, "404 Not Found: the cluster does not have them"),
        (500, "500 Internal Server Error"),
        (299, "299"),
    ],
)
def test_of_a_refusal_the_status_alone_is_told(status: int, told: str) -> None:
    assert shown(str(RefusedError(status, WORDS))) == told
    assert shown(str(RefusedError(status, f"\n{WORDS}"))) == told


def test_what_is_said_in_our_own_words_is_told() -> None:
    for words in ("", "no answer within 30 s", "cannot connect to the API server: Connection refused"):
        assert shown(str(UnreachableError(words))) == words


async def test_no_words_of_the_api_server_are_told(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    fault_proxy.answer(503, times=None)
    async with running_service(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)) as service:

        async def refused() -> bool:
            return all(each["fault"] for each in (await service.ask("GET", "/readyz")).json()["resources"])

        await until(refused)
        document = (await service.ask("GET", "/readyz")).json()
    assert {each["fault"] for each in document["resources"]} == {"503 Service Unavailable"}
    assert fault_proxy.url.removeprefix("http://") not in json.dumps(document)


def test_faults_of_the_settings_are_told_since_they_quote_nothing() -> None:
    told = not_configured(SettingsError("READ_SECRETS: must be true or false")).document
    assert told == {"ready": False, "missing": ["configuration"], "error": "READ_SECRETS: must be true or false"}
    missing = not_configured(CredentialsError("no cluster is configured: set KUBECONFIG")).document
    assert missing["error"] == "no cluster is configured: set KUBECONFIG"


async def test_a_kubeconfig_is_not_quoted_but_to_the_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kubeconfig = tmp_path / "canary-of-a-path"
    kubeconfig.write_text('{"current-context": "canary-of-a-context", "contexts": [], "clusters": [], "users": []}')
    async with running_service(kubeconfig) as service:
        answers = [await _told(service, path) for path in ("/readyz", "/readyz", "/receivers")]
    assert not any("canary" in answer for answer in answers)
    assert "KUBECONFIG: it cannot be used; the log of this app says why" in answers[0]
    complaints = [each for each in caplog.records if each.levelno == logging.ERROR and "not ready" in each.message]
    assert ["canary-of-a-context" in each.message for each in complaints] == [True]


async def _told(service: Service, path: str) -> str:
    response = await service.ask("GET", path)
    assert response.status == 503
    return response.body.decode()
