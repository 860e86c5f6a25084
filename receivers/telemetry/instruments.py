"""Metrics and spans by OpenTelemetry's SDK, sent as OTLP over HTTP. Imported when somebody collects them.

Attributes of metrics have few values, all known beforehand: no image, project or receiver is ever one. Spans beside
that have the delivery's id. docs/operations.md says what each metric means.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

from receivers import limits
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Outcome
from receivers.journal.journal import State
from receivers.retries.contents import Contents
from receivers.telemetry.telemetry import Answered

SERVICE = "kargo-receivers"  # unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise
SERVICE_NAME = "service.name"
NAMELESS = "unknown_service"
SECOND = 1_000_000_000  # nanoseconds

# Upper bounds of the histograms' buckets, in seconds.
ANSWERS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 5.0)
REFRESHES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 600.0)
HANDLINGS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 24 * 3600.0)
FINDINGS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0)


def _without_the_value(record: logging.LogRecord) -> bool:
    record.msg, record.args = "a header of OTEL_EXPORTER_OTLP_HEADERS is not name=value, and is left out", ()
    return True


# The library would quote the header, which is likely to be a key.
logging.getLogger("opentelemetry.util.re").addFilter(_without_the_value)


class Instruments:
    """Records. Collecting and sending are done in threads of the SDK; ``contents`` is what is known of the queues."""

    def __init__(
        self, endpoint: str, *, mirror: Mirror, availability: Availability, contents: Callable[[], Contents | None]
    ) -> None:
        resource = _resource()
        metrics = OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=limits.TELEMETRY_TIMEOUT)
        spans = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=limits.TELEMETRY_TIMEOUT)
        self._meters = MeterProvider(
            [PeriodicExportingMetricReader(metrics)], resource=resource, shutdown_on_exit=False
        )
        self._exporters = (metrics, spans)
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracers.add_span_processor(BatchSpanProcessor(spans))
        self._tracer = self._tracers.get_tracer(SERVICE)
        meter = self._meters.get_meter(SERVICE)
        self._deliveries = meter.create_counter("kargo_receivers.deliveries", "{delivery}", "Deliveries answered")
        self._answers = _histogram(meter, "answer.duration", "From arrival to answer", ANSWERS)
        self._refreshes = _histogram(meter, "refresh.duration", "From the first patch to the end", REFRESHES)
        self._handlings = _histogram(meter, "handled.duration", "From arrival until Kargo had acted", HANDLINGS)
        self._findings = _histogram(meter, "found.duration", "From arrival until Kargo had found it", FINDINGS)
        self._missing = meter.create_counter(
            "kargo_receivers.not_found", "{delivery}", "Deliveries of which Kargo did not find all"
        )
        self._mirror = mirror
        self._availability = availability
        self._contents = contents
        for name, unit, about, observe in (
            ("mirror.age", "s", "Since the cluster last confirmed what is known of it", self._ages),
            ("cluster.away", "s", "Since the cluster was found away; 0 while it is there", self._away),
            ("queue.waiting", "{message}", "Messages in the retry queue", self._waiting),
            ("queue.poisoned", "{message}", "Messages in the poison queue", self._poisoned),
            ("queue.age", "s", "Since the oldest delivery arrived whose next try is due", self._oldest),
        ):
            meter.create_observable_gauge(f"kargo_receivers.{name}", [observe], unit, about)

    def delivered(self, delivery: Answered) -> None:
        """Count a delivery, and make its spans where it is to be traced."""
        told = {"provider": delivery.provider, "outcome": delivery.outcome.value}
        self._deliveries.add(1, {**told, "status": delivery.status})
        self._answers.record(delivery.duration, told)
        if delivery.traced:
            self._trace(delivery, told)

    def refreshed(self, outcome: Outcome, seconds: float) -> None:
        """Record how long the refresh of one object took."""
        self._refreshes.record(seconds, {"result": outcome.result.value})

    def handled(self, provider: str, seconds: float) -> None:
        """Record how long it took from arrival until Kargo had acted on a delivery."""
        self._handlings.record(seconds, {"provider": provider})

    def found(self, provider: str, seconds: float) -> None:
        """Record how long it took from arrival until Kargo had found what a delivery told of."""
        self._findings.record(seconds, {"provider": provider})

    def missed(self, provider: str) -> None:
        """Count a delivery of which Kargo did not find all."""
        self._missing.add(1, {"provider": provider})

    def close(self) -> None:
        """Send what waits. A collector that hangs is waited for: do not wait for this."""
        self._tracers.shutdown()
        self._meters.shutdown()

    def abandon(self) -> None:
        """Try nothing again, so that a :meth:`close` under way ends with the request that it waits for."""
        for exporter in self._exporters:
            exporter.shutdown()

    def _trace(self, delivery: Answered, told: Mapping[str, str]) -> None:
        began = round(delivery.received_at.timestamp() * SECOND)
        root = Context()
        span = self._tracer.start_span(
            f"delivery {delivery.provider}",
            root,
            SpanKind.SERVER,
            {**told, "status": delivery.status, "delivery": delivery.id},
            start_time=began,
        )
        if delivery.outcome == State.FAILED:
            span.set_status(StatusCode.ERROR)
        within = set_span_in_context(span, root)
        for step in delivery.steps:
            self._tracer.start_span(step.name, within, start_time=step.began).end(step.ended)
        span.end(began + round(delivery.duration * SECOND))

    def _ages(self, _: CallbackOptions) -> Iterator[Observation]:
        for health in self._mirror.health():
            if health.age is not None:
                yield Observation(health.age, {"resource": health.resource})

    def _away(self, _: CallbackOptions) -> Iterator[Observation]:
        yield Observation(self._availability.away_for or 0.0)

    def _waiting(self, _: CallbackOptions) -> Iterator[Observation]:
        if (contents := self._contents()) is not None:
            yield Observation(contents.waiting)

    def _poisoned(self, _: CallbackOptions) -> Iterator[Observation]:
        if (contents := self._contents()) is not None:
            yield Observation(contents.poisoned)

    def _oldest(self, _: CallbackOptions) -> Iterator[Observation]:
        if (contents := self._contents()) is not None:
            now = datetime.now(UTC)
            yield Observation(
                max(((now - message.received_at).total_seconds() for message in contents.due), default=0.0)
            )


def _resource() -> Resource:
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, NAMELESS)).startswith(NAMELESS):
        return resource.merge(Resource({SERVICE_NAME: SERVICE}))
    return resource


def _histogram(meter: Meter, name: str, about: str, bounds: tuple[float, ...]) -> Histogram:
    return meter.create_histogram(f"kargo_receivers.{name}", "s", about, explicit_bucket_boundaries_advisory=bounds)
