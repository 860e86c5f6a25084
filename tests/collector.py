"""An OpenTelemetry collector for tests: takes OTLP over HTTP, and keeps what came."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

METRICS, TRACES = "/v1/metrics", "/v1/traces"
AT_ONCE = {"OTEL_METRIC_EXPORT_INTERVAL": "100", "OTEL_BSP_SCHEDULE_DELAY": "50"}  # milliseconds


class Collector:
    """What was sent, in the order it came. ``status`` is what it answers; while it hangs it answers nothing."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.received: list[tuple[str, bytes]] = []
        self.authorizations: set[str] = set()
        self.answering = threading.Event()
        self.answering.set()

    def metrics(self) -> dict[str, Metric]:
        """Every metric by name, as it was sent last."""
        return {
            metric.name: metric
            for body in self._bodies(METRICS)
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> dict[tuple[tuple[str, object], ...], float]:
        """The values of a metric by attributes; of a histogram how many values there were."""
        metric = self.metrics().get(name)
        if metric is None:
            return {}
        kind = metric.WhichOneof("data")
        points = getattr(metric, str(kind)).data_points
        return {_key(point.attributes): point.count if kind == "histogram" else _number(point) for point in points}

    def spans(self) -> list[Span]:
        """Every span."""
        return [
            span
            for body in self._bodies(TRACES)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, object]:
        """What the sender says of itself."""
        last = ExportMetricsServiceRequest.FromString(self._bodies(METRICS)[-1])
        return values(last.resource_metrics[0].resource.attributes)

    def _bodies(self, path: str) -> list[bytes]:
        return [body for at, body in list(self.received) if at == path]


def values(attributes: Any) -> dict[str, object]:  # noqa: ANN401 - a repeated field of protobuf has no public type
    """Attributes as a dictionary."""
    return {attribute.key: _value(attribute) for attribute in attributes}


def _key(attributes: Any) -> tuple[tuple[str, object], ...]:  # noqa: ANN401 - as above
    return tuple(sorted(values(attributes).items()))


def _value(attribute: KeyValue) -> object:
    return getattr(attribute.value, str(attribute.value.WhichOneof("value")))


def _number(point: Any) -> float:  # noqa: ANN401 - as above
    number: float = getattr(point, point.WhichOneof("value"))
    return number


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on loopback."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.answering.wait()
            collector.received.append((self.path, body))
            collector.authorizations.add(self.headers.get("Authorization", ""))
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield collector
        finally:
            collector.answering.set()
            server.shutdown()
            serving.join()
