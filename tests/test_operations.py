"""What docs/operations.md says: its queries find what the service logs, and the host lets the log through."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import re2

from receivers import limits
from receivers.deliveries import answers, report
from receivers.deliveries.delivery import Delivery
from receivers.events import Ignored, UnknownReceiver
from receivers.local.azurite import Azurite
from receivers.retries import messages
from receivers.retries.retries import Retries
from receivers.storage.drops import Drops
from receivers.telemetry.refusal_counter import RefusalCounter
from testbed.fault_proxy import FaultProxy
from testbed.objects import warehouse
from testbed.servers import ApiServer
from tests.examples import delivery, push, unwanted, wanted
from tests.service import ROOT, running_service
from tests.telemetry.test_telemetry import DELIVERIES

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```kusto\n(.*?)```", TEXT, re.DOTALL)
DELIVERY, TRY, MORE = (
    re2.compile(pattern) for pattern in dict.fromkeys(re.findall(r'extract_all\(@"(.*?)", message\)', TEXT))
)
GIVEN_UP, LATER = "; given up", "; tried again later"
SET_ASIDE = "a message of the retry queue was set aside"


def refused() -> Delivery:
    refused = delivery(receiver=None, answer=answers.refused(UnknownReceiver()))
    refused.events, refused.error = [], "No receiver has this URL"
    return refused


def ignored() -> Delivery:
    ignored = delivery(answer=answers.ignored(Ignored("action delete -> 200 is not supported")))
    ignored.events = [Ignored("action delete -> 200 is not supported")]
    return ignored


def decided() -> Delivery:
    decided = delivery()
    decided.matched, decided.decisions, decided.others = True, [unwanted(wanted().target)], 3
    return decided


@pytest.mark.parametrize(
    ("told", "receiver", "status"),
    [
        (delivery(), "kargo-demo/acr", "200"),
        (delivery(push(tag="1.0.0 [2 ms, x] -> 500")), "kargo-demo/acr", "200"),
        (decided(), "kargo-demo/acr", "200"),
        (delivery(answer=answers.queued(1, 2)), "kargo-demo/acr", "202"),
        (delivery(answer=answers.unavailable()), "kargo-demo/acr", "503"),
        (ignored(), "kargo-demo/acr", "200"),
        (refused(), "(no receiver)", "404"),
    ],
    ids=["refreshed", "an odd tag", "not matched", "queued", "failed", "ignored", "unknown URL"],
)
def test_the_query_takes_the_line_of_a_delivery_apart(told: Delivery, receiver: str, status: str) -> None:
    found = DELIVERY.search(report.line(told))
    assert found is not None
    provider, about, _, answered, _, milliseconds, identifier = found.groups()
    assert (provider, about, answered, milliseconds, identifier) == ("azure", receiver, status, "0", told.id)


@pytest.fixture
async def retries(
    embedded_api_server: ApiServer, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Retries]:
    """Later tries, in a cluster that refuses every patch."""
    await embedded_api_server.apply(warehouse("app"))
    monkeypatch.setattr(limits, "RETRY_WAIT", 1.0)
    async with (
        FaultProxy(embedded_api_server.url) as proxy,
        running_service(
            embedded_api_server.kubeconfig("kargo-receivers", url=proxy.url),
            AzureWebJobsStorage=azurite.connection_string,
        ) as service,
    ):
        proxy.answer(500, times=None, method="PATCH")
        runtime = await service.runtime()
        assert runtime.retries is not None
        yield runtime.retries
        proxy.clear()


@pytest.mark.parametrize(("age", "end"), [(timedelta(0), LATER), (timedelta(days=4), GIVEN_UP)])
async def test_the_queries_find_tries_that_failed(
    retries: Retries, caplog: pytest.LogCaptureFixture, age: timedelta, end: str
) -> None:
    (message,) = messages.of(delivery(at=datetime.now(UTC) - age))
    with caplog.at_level(logging.INFO):
        await retries.handle(messages.encode(message))
    (line,) = [line for line in caplog.messages if message.delivery in line]
    found = TRY.search(line)
    assert found is not None
    assert found.groups()[:2] == (message.delivery, "1")
    assert line.endswith(end)
    assert any(f'message endswith "{end}"' in query for query in QUERIES)


async def test_the_queries_find_messages_that_were_set_aside(
    retries: Retries, caplog: pytest.LogCaptureFixture
) -> None:
    await retries.handle(b"no message")
    assert [line for line in caplog.messages if line.startswith(SET_ASIDE)]
    assert any(f'message startswith "{SET_ASIDE}"' in query for query in QUERIES)


def test_the_query_counts_what_was_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    counter = RefusalCounter(None, interval=3600.0)

    async def flood() -> None:
        for _ in range(100):
            counter.delivered(refused())
        await counter.close()

    with caplog.at_level(logging.INFO):
        asyncio.run(flood())
    found = MORE.search(caplog.messages[-1])
    assert found is not None
    assert found.groups() == ("95", "to unknown URLs")
    assert MORE.search("1234 more requests to unknown URLs in the last minute")


def test_the_query_finds_rows_that_were_dropped(caplog: pytest.LogCaptureFixture) -> None:
    (pattern,) = re.findall(r'matches regex @"(.*?)"', TEXT)
    for count in (1, 2):
        Drops("journal row").note(count, "the store is away")
    assert [bool(re2.compile(pattern).search(line)) for line in caplog.messages] == [True, True]


def test_the_fourth_try_comes_a_quarter_of_an_hour_after_the_first() -> None:
    assert 10 * 60 < sum(limits.RETRY_DELAYS[1:4]) < 20 * 60


def test_the_examples_of_lines_are_such_lines() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith(("azure ", "quay ", "delivery "))]
    assert [bool(DELIVERY.search(line) or TRY.search(line)) for line in lines] == [True] * 4


def test_the_queries_name_metrics_that_there_are() -> None:
    metrics = set(re.findall(r"^\| `(kargo_receivers\.[\w.]+)` \|", TEXT, re.MULTILINE))
    assert DELIVERIES in metrics
    assert {name for query in QUERIES for name in re.findall(r'"(kargo_receivers\.[\w.]+)"', query)} <= metrics


def host_logging() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["logging"]
    return document


def test_the_lines_of_functions_reach_application_insights_unsampled() -> None:
    assert host_logging()["logLevel"]["Function"] == "Information"
    assert "Trace" in host_logging()["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")


@pytest.mark.parametrize(
    "category", ["Host.Results", "Microsoft.AspNetCore", "Microsoft.Azure.WebJobs.Script.WebHost.Middleware"]
)
def test_what_would_log_urls_of_requests_is_quiet(category: str) -> None:
    assert host_logging()["logLevel"][category] in {"None", "Warning"}
