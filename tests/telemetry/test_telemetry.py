"""Metrics and traces, as a collector gets them from the whole service."""

import asyncio
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from unittest.mock import Mock

import msgspec
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from receivers import limits
from receivers.journal.journal import Finding
from receivers.local.azurite import Azurite
from receivers.telemetry.instruments import Instruments
from receivers.telemetry.telemetry import Telemetry
from testbed.fault_proxy import FaultProxy
from testbed.host import running_process
from testbed.objects import PROJECT, Hook, project_config, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer
from tests.collector import AT_ONCE, Collector, running_collector, values
from tests.examples import NOON, delivery, push, row
from tests.local.host.wire import ask
from tests.service import ROOT, Service, acr_push, running_service, until

HOOK = Hook(provider="azure", name="acr")
DELIVERIES = "kargo_receivers.deliveries"
ANSWERS = "kargo_receivers.answer.duration"
REFRESHES = "kargo_receivers.refresh.duration"
HANDLINGS = "kargo_receivers.handled.duration"
FINDINGS = "kargo_receivers.found.duration"
MISSED = "kargo_receivers.not_found"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running
    for thread in exporting():
        thread.join(10)
    assert exporting() == []


def exporting() -> list[threading.Thread]:
    """The threads that send to a collector, or wait until everything is sent."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(("Otel", "telemetry"))]


@pytest.fixture
async def cluster(embedded_api_server: ApiServer) -> ApiServer:
    """A project with one receiver and one Warehouse."""
    await embedded_api_server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app"))
    await embedded_api_server.allow_secrets(PROJECT)
    return embedded_api_server


@pytest.fixture
async def service(cluster: ApiServer, collector: Collector, azurite: Azurite) -> AsyncIterator[Service]:
    async with running_service(
        cluster.kubeconfig("kargo-receivers"),
        AzureWebJobsStorage=azurite.connection_string,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        **AT_ONCE,
    ) as running:
        yield running


def told(**attributes: object) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(attributes.items()))


async def test_deliveries_are_counted_by_provider_outcome_and_status(service: Service, collector: Collector) -> None:
    for path, body in (
        (HOOK.path, acr_push()),
        (HOOK.path, acr_push()),
        (HOOK.path, {"action": "ping"}),
        (HOOK.path, b"not JSON"),
        (f"/quay/{'0' * 64}", acr_push()),
    ):
        await service.post(path, body)

    async def all_counted() -> bool:
        return sum(collector.points(DELIVERIES).values()) == 5

    await until(all_counted)
    assert collector.points(DELIVERIES) == {
        told(provider="azure", outcome="refreshed", status=200): 2,
        told(provider="azure", outcome="ping", status=200): 1,
        told(provider="azure", outcome="refused", status=400): 1,
        told(provider="quay", outcome="refused", status=404): 1,
    }
    assert collector.points(ANSWERS)[told(provider="azure", outcome="refreshed")] == 2
    assert sum(collector.points(REFRESHES).values()) == collector.points(REFRESHES)[told(result="refreshed")]
    assert collector.resource()["service.name"] == "kargo-receivers"


async def test_a_delivery_is_a_span_with_its_steps_within(service: Service, collector: Collector) -> None:
    response = await service.post(HOOK.path, acr_push())

    async def there() -> bool:
        return any(span.name == "delivery azure" for span in collector.spans())

    await until(there)
    (whole,) = [span for span in collector.spans() if span.name == "delivery azure"]
    steps = [span for span in collector.spans() if span.parent_span_id == whole.span_id]
    assert [step.name for step in sorted(steps, key=lambda step: step.start_time_unix_nano)] == [
        "find",
        "parse",
        "match",
        "refresh",
    ]
    assert {step.trace_id for step in steps} == {whole.trace_id}
    assert values(whole.attributes) == {
        "provider": "azure",
        "outcome": "refreshed",
        "status": 200,
        "delivery": response.header("x-delivery-id"),
    }
    assert all(not step.attributes for step in steps)
    assert all(whole.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano for step in steps)


async def test_a_request_to_an_unknown_url_is_counted_and_not_traced(service: Service, collector: Collector) -> None:
    """A flood of them would leave no room for the spans of others."""
    assert (await service.post("/quay/" + "0" * 64, {})).status == 404
    await service.post(HOOK.path, acr_push())

    async def there() -> bool:
        counted = collector.points(DELIVERIES).get(told(provider="quay", outcome="refused", status=404))
        return counted == 1 and any(span.name == "delivery azure" for span in collector.spans())

    await until(there)
    assert [span.name for span in collector.spans() if span.name == "delivery quay"] == []


def test_what_waits_for_the_libraries_holds_nothing_of_what_was_told() -> None:
    """A thousand deliveries of thousands of tags each, and a thousand rows of 250 KB, may wait."""
    telemetry = Telemetry("", mirror=Mock(), availability=Mock(), queue=None)
    large = "x" * 10_000
    tracemalloc.start()
    try:
        for number in range(100):
            telemetry.delivered(delivery(push(tag=f"{number}{large}")))
            handled = msgspec.structs.replace(row(), tag=f"{number}{large}", handled_at=NOON)
            telemetry.handled(handled)
            telemetry.handled(row())
        del handled
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()


async def test_the_time_until_kargo_has_acted_is_recorded(
    service: Service, collector: Collector, cluster: ApiServer
) -> None:
    await service.post(HOOK.path, acr_push())
    status = {"status": {"lastHandledRefresh": await refresh_of(cluster, "app")}}
    await cluster.patch("Warehouse", "app", PROJECT, status, subresource="/status")

    async def recorded() -> bool:
        return collector.points(HANDLINGS) == {told(provider="azure"): 1}

    await until(recorded)


async def test_the_time_until_kargo_has_found_it_is_recorded_and_what_it_does_not_find_is_counted(
    service: Service, collector: Collector
) -> None:
    telemetry = (await service.runtime()).telemetry
    assert telemetry is not None
    for finding in (Finding.FOUND, Finding.SOUGHT, Finding.MISSING):
        found_at = NOON if finding is Finding.FOUND else None
        telemetry.sought(msgspec.structs.replace(row(), finding=finding, found_at=found_at))

    async def recorded() -> bool:
        return [collector.points(name) for name in (FINDINGS, MISSED)] == [{told(provider="azure"): 1}] * 2

    await until(recorded)


async def test_queues_mirror_and_cluster_are_observed(
    cluster: ApiServer, collector: Collector, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUE_INTERVAL", 0.1)
    async with (
        FaultProxy(cluster.url, ca_file=cluster.ca_file) as proxy,
        running_service(
            cluster.kubeconfig("kargo-receivers", url=proxy.url),
            AzureWebJobsStorage=azurite.connection_string,
            ANSWER_BUDGET_SECONDS="2",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            **AT_ONCE,
        ) as service,
    ):
        assert (await service.post(HOOK.path, {"action": "ping"})).status == 200
        proxy.hang()
        assert (await service.post(HOOK.path, acr_push())).status == 202

        async def observed() -> bool:
            waiting = collector.points("kargo_receivers.queue.waiting").get(())
            away = collector.points("kargo_receivers.cluster.away").get((), 0.0)
            return waiting == 1 and away > 0

        await until(observed)
        assert collector.points("kargo_receivers.queue.poisoned") == {(): 0}
        assert collector.points("kargo_receivers.queue.age").keys() == {()}
        ages = collector.points("kargo_receivers.mirror.age")
        assert ages.keys() == {
            told(resource=resource) for resource in ("projectconfigs", "clusterconfigs", "warehouses")
        }
        proxy.release()


async def test_every_metric_is_described_in_the_documentation(service: Service, collector: Collector) -> None:
    await service.post(HOOK.path, acr_push())

    async def there() -> bool:
        return "kargo_receivers.queue.waiting" in collector.metrics() and DELIVERIES in collector.metrics()

    await until(there)
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [name for name in collector.metrics() if f"| `{name}` |" not in text] == []


async def test_a_failed_delivery_is_an_error_of_the_service_as_it_is_called(
    cluster: ApiServer, collector: Collector
) -> None:
    async with (
        FaultProxy(cluster.url, ca_file=cluster.ca_file) as proxy,
        running_service(
            cluster.kubeconfig("kargo-receivers", url=proxy.url),
            ANSWER_BUDGET_SECONDS="2",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_SERVICE_NAME="webhooks",
            **AT_ONCE,
        ) as service,
    ):
        assert (await service.post(HOOK.path, {"action": "ping"})).status == 200
        proxy.answer(500, times=None, method="PATCH")
        assert (await service.post(HOOK.path, acr_push())).status == 503

        async def there() -> bool:
            return bool(collector.metrics()) and len([span for span in collector.spans() if span.parent_span_id]) >= 6

        await until(there)
        proxy.clear()
    wrong = [span for span in collector.spans() if span.status.code == Status.STATUS_CODE_ERROR]
    assert [values(span.attributes)["outcome"] for span in wrong] == ["failed"]
    assert collector.resource()["service.name"] == "webhooks"


async def test_the_collector_gets_its_key_and_the_log_no_part_of_it(
    cluster: ApiServer, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_service(
        cluster.kubeconfig("kargo-receivers"),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20hidden,hidden-too",
        **AT_ONCE,
    ) as service:
        await service.post(HOOK.path, {"action": "ping"})

        async def there() -> bool:
            return bool(collector.received)

        await until(there)
    assert collector.authorizations == {"Bearer hidden"}
    assert "a header of OTEL_EXPORTER_OTLP_HEADERS is not name=value" in caplog.text
    assert "hidden" not in caplog.text


@pytest.mark.parametrize("fault", ["hangs", "fails", "is not there"])
async def test_a_collector_that_does_not_work_delays_no_answer_and_no_end(
    cluster: ApiServer, collector: Collector, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "hangs":
        collector.answering.clear()
        monkeypatch.setattr(limits, "TELEMETRY_TIMEOUT", 600.0)
    collector.status = 500
    endpoint = "http://127.0.0.1:9" if fault == "is not there" else collector.url
    async with asyncio.timeout(60):
        async with running_service(
            cluster.kubeconfig("kargo-receivers"),
            ANSWER_BUDGET_SECONDS="2",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            **AT_ONCE,
        ) as service:

            async def recording() -> bool:
                runtime = await service.runtime()
                return runtime.telemetry is not None and runtime.telemetry._instruments is not None

            await until(recording)
            for _ in range(20):
                assert (await service.post(HOOK.path, acr_push())).status == 200


async def test_what_was_not_sent_yet_is_sent_when_the_process_ends(cluster: ApiServer, collector: Collector) -> None:
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig("kargo-receivers")),
        "AzureWebJobsStorage": "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    with running_process(ROOT, environment) as (url, _):
        response = await ask(url, "POST", HOOK.path, headers=[], body=b'{"action":"ping"}')

        async def imported() -> bool:
            return bool(collector.received)

        await until(imported)
        assert collector.spans() == []
    assert [values(span.attributes)["delivery"] for span in collector.spans() if not span.parent_span_id] == [
        response.header("x-delivery-id")
    ]


async def test_what_was_not_sent_yet_is_sent_when_it_ends_while_the_libraries_are_loaded(
    cluster: ApiServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop, make = asyncio.get_running_loop(), Telemetry._make

    def made_late(telemetry: Telemetry) -> Instruments:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()
        return make(telemetry)

    monkeypatch.setattr(Telemetry, "_make", made_late)
    async with running_service(
        cluster.kubeconfig("kargo-receivers"), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url
    ) as service:
        assert (await service.post(HOOK.path, {"action": "ping"})).status == 200
        await begun.wait()
        loop.call_later(0.1, go_on.set)  # when it is being closed
    assert [span.name for span in collector.spans() if not span.parent_span_id]


async def test_instruments_that_are_ready_after_the_end_send_what_waits_and_are_closed(
    cluster: ApiServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop, make, closed = asyncio.get_running_loop(), Telemetry._make, asyncio.Event()

    def made_late(telemetry: Telemetry) -> Instruments:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()
        instruments = make(telemetry)
        close = instruments.close

        def closes() -> None:
            close()
            loop.call_soon_threadsafe(closed.set)

        monkeypatch.setattr(instruments, "close", closes)
        return instruments

    monkeypatch.setattr(Telemetry, "_make", made_late)
    monkeypatch.setattr(limits, "TELEMETRY_CLOSE", 0.05)
    async with running_service(
        cluster.kubeconfig("kargo-receivers"), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url
    ) as service:
        assert (await service.post(HOOK.path, {"action": "ping"})).status == 200
        await begun.wait()
    assert not collector.spans()
    go_on.set()
    async with asyncio.timeout(30):
        await closed.wait()
    assert [span.name for span in collector.spans() if not span.parent_span_id]


WITHOUT = """
import asyncio, sys
import function_app
from receivers import runtime
from receivers.journal.journal import Filter
from receivers.pages import site
from receivers.storage.account import StorageError

async def main():
    service = await runtime.current()
    await service.warming
    while await rows(service.journal) != []:
        pass
    await service.close()

async def rows(journal):
    try:
        return [row async for row in journal.rows(Filter())]
    except StorageError:  # the machine is busy
        return None

asyncio.run(main())
print(*[name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))])
"""


async def test_nothing_of_it_is_imported_when_nobody_collects(cluster: ApiServer, azurite: Azurite) -> None:
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig("kargo-receivers")),
        "AzureWebJobsStorage": azurite.connection_string,
    }
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", WITHOUT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.split() == []


async def test_a_library_that_cannot_be_imported_costs_the_telemetry_alone(
    cluster: ApiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("receivers.telemetry.telemetry.INSTRUMENTS", "receivers.deliveries.no_such_module")
    kubeconfig = cluster.kubeconfig("kargo-receivers")
    async with running_service(kubeconfig, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as service:

        async def said() -> bool:
            assert (await service.post(HOOK.path, {"action": "ping"})).status == 200
            return "there are no metrics and no traces: No module named" in caplog.text

        await until(said)


async def test_what_cannot_be_recorded_costs_that_record_alone(
    service: Service, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def counted() -> bool:
        await service.post(HOOK.path, {"action": "ping"})
        return bool(collector.points(DELIVERIES))

    await until(counted)

    def fail(*_: object) -> None:
        raise ValueError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr("receivers.telemetry.instruments.Instruments.delivered", fail)
        assert (await service.post(HOOK.path, {"action": "ping"})).status == 200
    assert "not recorded in metrics and traces" in caplog.text


async def test_queues_that_cannot_be_read_are_not_guessed(
    cluster: ApiServer, collector: Collector, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUE_INTERVAL", 0.1)
    waiting = "kargo_receivers.queue.waiting"
    async with running_service(
        cluster.kubeconfig("kargo-receivers"),
        AzureWebJobsStorage=azurite.connection_string,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        **AT_ONCE,
    ) as service:
        await service.post(HOOK.path, {"action": "ping"})

        async def observed() -> bool:
            return collector.points(waiting) == {(): 0}

        async def unknown() -> bool:
            collector.received.clear()

            async def another() -> bool:
                return bool(collector.metrics())

            await until(another)
            return waiting not in collector.metrics()

        await until(observed)
        await azurite.kill()
        await until(unknown)
