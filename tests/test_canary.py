"""Nothing secret appears where it does not belong: every handler, page, row, message, log line, metric and span.

The service runs with recognisable secrets and with every logger at DEBUG, and goes through good, bad and failing times.
"""

import base64
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from receivers import limits
from receivers.deliveries import matching
from receivers.examples import payloads
from receivers.local.azurite import Azurite
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.servers import ApiServer
from tests.collector import AT_ONCE, Collector, running_collector
from tests.local.host.wire import Response
from tests.objects import IMAGE, PROJECT, Hook, project_config, secret, warehouse
from tests.service import Service, running_service, until

HOOKS = tuple(
    Hook(provider=provider, name=provider, secret=f"canary-secret-of-{provider}")
    for provider in ("azure", "quay", "dockerhub")
)
AZURE, QUAY, DOCKERHUB = HOOKS
ROTATED = Hook(provider="azure", name="rotated", secret="canary-secret-new")
BEFORE = replace(ROTATED, secret="canary-secret-previous")
STALE = Hook(provider="azure", name="stale", secret="canary-secret-stale")
STATIC = Hook(provider="quay", name="static", secret="canary-secret-static")
STATIC_BEFORE = replace(STATIC, secret="canary-secret-static-previous")
URLS = (*HOOKS, ROTATED, BEFORE, STALE, STATIC, STATIC_BEFORE)
UNKNOWN_TOKEN = "ca9a27" * 10 + "0000"

PAGES_KEY = "canary-pages-key"
COLLECTOR_KEY = "canary-collector-key"
BODY = "canary-body"  # in every text of a sender that is no name of an artifact
HEADER = "canary-header"
QUERY = "canary-query"
HEADERS = {
    "Authorization": f"Bearer {HEADER}",
    "Cookie": f"session={HEADER}",
    "User-Agent": HEADER,
    "X-Hub-Signature-256": f"sha256={HEADER}",
    "X-Functions-Key": HEADER,
    "X-Registry-Password": HEADER,
}
PUSH = {"repository": IMAGE, "tag": "1.2.3", "digest": "sha256:" + "0" * 64, "media_type": ""}
BUDGET = 2.0


@dataclass
class Told:
    """What the service told, by where it did."""

    places: list[tuple[str, str]] = field(default_factory=list)

    def at(self, place: str, text: str | bytes) -> None:
        self.places.append((place, text if isinstance(text, str) else text.decode(errors="replace")))

    def holding(self, canaries: Mapping[str, str]) -> list[str]:
        """Each canary that was found, with where, and what stands around it."""
        return [
            f"{name} in {place}: …{text[max(0, text.index(form) - 80) : text.index(form) + 40]}…"
            for place, text in self.places
            for name, value in canaries.items()
            for form in forms(value)
            if form in text
        ]


def forms(value: str) -> set[str]:
    """How a secret may be written: as it is, percent-encoded, in base64, or half of it, which a mask may leave."""
    half = value[: len(value) // 2] if len(value) >= 64 else value
    return {value, half, quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("=")}


class Log(logging.Handler):
    """Keeps every record, formatted, with its arguments as they are."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._told.at(f"log {record.name}", f"{self.format(record)} {record.args!r}")


@contextmanager
def everything_logged(told: Told) -> Iterator[None]:
    """Every logger at DEBUG, whatever its level was before, those that come later included."""
    log = Log(told)
    root = logging.getLogger()
    loggers = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = {each: each.level for each in (root, *loggers)}
    for each in loggers:
        each.setLevel(logging.NOTSET)
    root.setLevel(logging.DEBUG)
    root.addHandler(log)
    try:
        yield
    finally:
        root.removeHandler(log)
        for each, level in before.items():
            each.setLevel(level)


def push(hook: Hook) -> bytes:
    """A push as the sender writes it, with canaries wherever it may write what it likes."""
    repository = "team/app" if hook.provider == "dockerhub" else IMAGE
    _, body = payloads.push(hook.provider, **{**PUSH, "repository": repository})
    document = json.loads(body)
    document["comment"] = BODY
    match hook.provider:
        case "dockerhub":
            document["callback_url"] = f"https://registry.hub.docker.com/u/team/app/hook/{BODY}/"
            document["push_data"]["pusher"] = BODY
            document["repository"] |= {"description": BODY, "full_description": BODY, "dockerfile": BODY, "owner": BODY}
        case "quay":
            document["homepage"] = f"https://quay.io/{BODY}"
        case _:
            document["request"] |= {"useragent": BODY, "addr": BODY}
            document["actor"] = {"name": BODY}
            document["source"] = {"instanceID": BODY}
    return json.dumps(document).encode()


@dataclass
class Canaries:
    """A service full of them, and what it told."""

    service: Service
    proxy: FaultProxy
    azurite: Azurite
    collector: Collector
    told: Told

    async def post(self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
        """A delivery. Its answer is told too."""
        response = await self.service.post(f"{path}?code={QUERY}", body, headers={**HEADERS, **(headers or {})})
        self._answered(f"answer to {path.split('/')[1]}", response)
        return response

    async def ask(self, method: str, path: str, **form: str) -> Response:
        """A page, as who knows the key."""
        response = await self.unlock(method, path, headers={"X-Pages-Key": PAGES_KEY}, **form)
        assert response.status in {200, 303}, f"{method} {path}: {response.status} {response.body.decode()}"
        return response

    async def unlock(self, method: str, path: str, *, headers: Mapping[str, str], **form: str) -> Response:
        """A page, for who has these headers."""
        given = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        response = await self.service.ask(method, path, headers=given.items(), body=urlencode(form).encode())
        self._answered(f"page {method} {path}", response)
        return response

    def _answered(self, place: str, response: Response) -> None:
        headers = [f"{name}: {value}" for name, value in response.headers if name != "set-cookie"]
        self.told.at(place, "\n".join(headers))
        self.told.at(place, response.body)


@asynccontextmanager
async def running_canaries(cluster: ApiServer, azurite: Azurite) -> AsyncIterator[Canaries]:
    static = {
        "provider": STATIC.provider,
        "name": STATIC.name,
        "project": STATIC.project,
        "secret": STATIC.secret,
        "previousSecret": STATIC_BEFORE.secret,
    }
    told = Told()
    with everything_logged(told), running_collector() as collector:
        async with (
            FaultProxy(cluster.url, ca_file=cluster.ca_file) as proxy,
            running_service(
                cluster.kubeconfig("kargo-receivers", url=proxy.url),
                ANSWER_BUDGET_SECONDS=str(BUDGET),
                AzureWebJobsStorage=azurite.connection_string,
                CLUSTER_TOKEN="canary-cluster-token",
                COSMOS_KEY="canary-cosmos-key",
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
                OTEL_EXPORTER_OTLP_HEADERS=f"authorization={COLLECTOR_KEY},without-a-value-{COLLECTOR_KEY}",
                PAGES_KEY=PAGES_KEY,
                RECEIVERS=json.dumps([static]),
                **AT_ONCE,
            ) as service,
        ):
            with everything_logged(Told()):  # for loggers that were made with the service; the first one listens on

                async def ready() -> bool:
                    return (await service.ask("GET", "/readyz")).status == 200

                await until(ready)
                yield Canaries(service, proxy, azurite, collector, told)


async def prepare(cluster: ApiServer) -> None:
    """Receivers of every provider, one whose Secret was rotated, one whose Secret has changed; Warehouses."""
    hooks = (*HOOKS, ROTATED)
    await cluster.apply(
        project_config((*hooks, STALE)),
        *(secret(hook.secret_name, {"secret": hook.secret}) for hook in HOOKS),
        secret(ROTATED.secret_name, {"secret": ROTATED.secret, "secret-previous": BEFORE.secret}),
        secret(STALE.secret_name, {"secret": "canary-secret-after-the-stale-one"}),
        warehouse("app"),
        warehouse("from-hub", image="team/app"),
    )
    await cluster.allow_secrets(PROJECT)


async def good_times(canaries: Canaries) -> None:
    for hook in (AZURE, replace(AZURE, provider="acr"), QUAY, DOCKERHUB, ROTATED, BEFORE, STATIC, STATIC_BEFORE):
        assert (await canaries.post(hook.path, push(hook))).status == 200
    for action in ("ping", "delete"):
        for provider in ("azure", "acr"):
            body = json.dumps({"action": action, "actor": {"name": BODY}}).encode()
            assert (await canaries.post(replace(AZURE, provider=provider).path, body)).status == 200
    await canaries.service.ask("OPTIONS", AZURE.path, headers=[*HEADERS.items(), ("Content-Length", "0")])


async def bad_senders(canaries: Canaries) -> None:
    for hook in (*HOOKS, STATIC):
        for body in (
            BODY.encode(),
            f'{{"{BODY}":'.encode(),
            f'["{BODY}"]'.encode(),
            f'"{BODY}"'.encode(),
            b"\xff",
            b"",
        ):
            assert (await canaries.post(hook.path, body)).status == 400
        assert (await canaries.post(hook.path, BODY.encode() * (limits.BODY // 10))).status == 413
    for path in (
        STALE.path,
        f"/azure/{UNKNOWN_TOKEN}",
        f"/azure/{UNKNOWN_TOKEN}/x",
        f"/quay/{AZURE.token}",
        f"/azure/{AZURE.token.upper()}",
        f"/azure/{AZURE.token}%00",
    ):
        assert (await canaries.post(path, push(AZURE))).status == 404
    await canaries.service.ask("GET", AZURE.path, headers=HEADERS.items())


async def a_failing_cluster(canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until deliveries were tried again, and given up."""
    queue = (await canaries.service.runtime()).queue

    async def given_up() -> bool:
        assert queue is not None
        return (await queue.peek()).poisoned >= 3

    with monkeypatch.context() as patch:
        patch.setattr(limits, "RETRY_DELAYS", (0.0,))
        patch.setattr(limits, "RETRY_WAIT", 0.1)
        patch.setattr(limits, "RETRY_AGE", 0.0)
        for fault in (403, 429, 500):
            canaries.proxy.clear()
            canaries.proxy.answer(fault, times=None, method="PATCH")
            assert (await canaries.post(AZURE.path, push(AZURE))).status == 202
        await until(given_up)
    canaries.proxy.clear()


async def a_cluster_and_storage_that_are_away(canaries: Canaries) -> None:
    canaries.proxy.hang()
    for hook in (AZURE, DOCKERHUB, STATIC):
        assert (await canaries.post(hook.path, push(hook))).status == 202
    await canaries.azurite.kill()
    for hook in (AZURE, STATIC):
        assert (await canaries.post(hook.path, push(hook))).status == 503
    for page in ("/deliveries", "/queue"):
        await canaries.unlock("GET", page, headers={"X-Pages-Key": PAGES_KEY})
    await canaries.azurite.start()
    canaries.proxy.release()


async def defects(canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(matching, "match", fail)
        assert (await canaries.post(AZURE.path, push(AZURE))).status == 500
    runtime = await canaries.service.runtime()
    assert runtime.retries is not None
    await runtime.retries.handle(b"this is no message")


async def visits(canaries: Canaries) -> None:
    """Every page, for people and for programs; who has no key, and who has another one."""
    found = (await canaries.ask("GET", "/deliveries?format=json")).json()["deliveries"]
    deliveries = [f"/deliveries/{each['id']}" for each in found]
    for page in ("/deliveries", "/receivers", "/queue", *deliveries):
        await canaries.ask("GET", page)
        await canaries.ask("GET", f"{page}?format=json")
        await canaries.unlock("GET", page, headers={})
        await canaries.unlock("GET", page, headers={"X-Pages-Key": HEADER, "Cookie": f"kargo-receivers={HEADER}"})
    await canaries.unlock("GET", f"/deliveries?key={PAGES_KEY}", headers={})
    await canaries.unlock("POST", "/pages/key", headers={}, key=PAGES_KEY, next="/queue")
    await canaries.unlock("POST", "/pages/key", headers={}, key=HEADER, next="/queue")
    for hook in HOOKS:
        await canaries.ask("POST", "/receivers/test", provider=hook.provider, project=PROJECT, name=hook.name)
    await canaries.ask("POST", "/deliveries/redeliver", since="1h")
    await canaries.ask("POST", "/queue/revive")
    for probe in ("/readyz", "/healthz"):
        canaries.told.at(probe, (await canaries.service.ask("GET", probe, headers=HEADERS.items())).body)


async def kept(canaries: Canaries) -> None:
    """What stands in the Storage account, raw."""
    connection = canaries.azurite.connection_string
    async with TableServiceClient.from_connection_string(connection) as tables:
        async for table in tables.list_tables():
            async for entity in tables.get_table_client(table.name).list_entities():
                canaries.told.at(f"table {table.name}", repr(dict(entity)))
    async with QueueServiceClient.from_connection_string(connection) as queues:
        async for queue in queues.list_queues():
            for message in await queues.get_queue_client(queue.name).peek_messages(max_messages=32):
                canaries.told.at(f"queue {queue.name}", base64.b64decode(message.content))


async def exported(canaries: Canaries) -> None:
    """What the collector got."""
    for path, body in canaries.collector.received:
        canaries.told.at(f"telemetry {path}", body)


def secrets_of(canaries: Canaries) -> dict[str, str]:
    """What must not appear anywhere, by name."""
    connection = dict(part.split("=", 1) for part in canaries.azurite.connection_string.strip(";").split(";"))
    return {
        **{f"token of {hook.name} ({hook.secret})": hook.token for hook in URLS},
        "an unknown token": UNKNOWN_TOKEN,
        "a receiver's secret": "canary-secret",
        "key of the Storage account": connection["AccountKey"],
        "token of the cluster": "token-of-kargo-receivers",
        "CLUSTER_TOKEN": "canary-cluster-token",
        "COSMOS_KEY": "canary-cosmos-key",
        "PAGES_KEY": PAGES_KEY,
        "key of the collector": COLLECTOR_KEY,
        "body": BODY,
        "header": HEADER,
        "query": QUERY,
    }


async def test_nothing_secret_is_told_anywhere(
    embedded_api_server: ApiServer,
    azurite: Azurite,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    await prepare(embedded_api_server)
    async with running_canaries(embedded_api_server, azurite) as canaries:
        runtime = await canaries.service.runtime()
        await good_times(canaries)
        await bad_senders(canaries)
        await a_failing_cluster(canaries, monkeypatch)
        await a_cluster_and_storage_that_are_away(canaries)
        await defects(canaries, monkeypatch)

        async def written() -> bool:
            assert runtime.journal is not None
            return not runtime.journal.fault()

        await until(written)
        await kept(canaries)
        await visits(canaries)
        await kept(canaries)

        async def sent() -> bool:
            return len(canaries.collector.spans()) > 50

        await until(sent)
    await exported(canaries)
    output = capfd.readouterr()
    canaries.told.at("stdout", output.out)
    canaries.told.at("stderr", output.err)
    places = {place for place, _ in canaries.told.places}
    assert {"table deliveries", "table receivers", "queue refreshes-poison", "answer to azure", "/readyz"} <= places
    assert {"telemetry /v1/metrics", "telemetry /v1/traces", "log receivers.deliveries.report", "stderr"} <= places
    assert canaries.told.holding(secrets_of(canaries)) == []


async def test_a_url_is_told_to_who_asks_for_it_and_no_other_with_it(
    embedded_api_server: ApiServer, azurite: Azurite
) -> None:
    await prepare(embedded_api_server)
    async with running_canaries(embedded_api_server, azurite) as canaries:
        form = {"provider": AZURE.provider, "project": PROJECT, "name": AZURE.name}
        for page in ("/receivers/url", "/receivers/url?format=json"):
            response = await canaries.ask("POST", page, **form)
            assert AZURE.path.encode() in response.body
    asked = f"token of {AZURE.name} ({AZURE.secret})"
    shown = canaries.told.holding(secrets_of(canaries))
    assert {line.partition(" in ")[0] for line in shown} == {asked}
    assert {line.partition(" in ")[2].partition(":")[0] for line in shown} == {
        "page POST /receivers/url",
        "page POST /receivers/url?format=json",
    }
