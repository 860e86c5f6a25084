"""Nothing secret appears where it does not belong: every handler, page, row, message, log line, metric and span.

The service goes through good, bad and failing times.
"""

import base64
import json
from dataclasses import replace

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from receivers import limits
from receivers.deliveries import matching
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from testbed.objects import PROJECT
from testbed.servers import ApiServer
from tests.canaries import (
    AZURE,
    BEFORE,
    BODY,
    HEADER,
    HEADERS,
    HOOKS,
    PAGES_KEY,
    ROTATED,
    STALE,
    STATIC,
    STATIC_BEFORE,
    UNKNOWN_TOKEN,
    Canaries,
    prepare,
    push,
    running_canaries,
    secrets_of,
)
from tests.providers.proofs import receiver
from tests.service import until


async def good_times(canaries: Canaries) -> None:
    for hook in (*HOOKS, replace(AZURE, provider="acr"), ROTATED, BEFORE, STATIC, STATIC_BEFORE):
        assert (await canaries.deliver(hook)).status == 200
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
            assert (await canaries.deliver(hook, body)).status == (200 if PROVIDERS[hook.provider].lenient else 400)
        if PROVIDERS[hook.provider].needs_secret(receiver(hook.provider)):
            assert (await canaries.post(hook.path, push(hook))).status == 401
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
    for hook in (*HOOKS, STATIC):
        assert (await canaries.deliver(hook)).status == 202
    await canaries.azurite.kill()
    for hook in (AZURE, STATIC):
        assert (await canaries.deliver(hook)).status == 503
    for page in ("/deliveries", "/queue"):
        await canaries.unlock("GET", page, headers={"X-Pages-Key": PAGES_KEY})
    await canaries.azurite.start()
    canaries.proxy.release()
    canaries.proxy.clear()
    await (await canaries.service.runtime()).availability.back()


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
