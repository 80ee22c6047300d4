"""Spans: what ends in an exception says so, and quotes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from chassis import telemetry


@pytest.mark.parametrize(
    "begin",
    [
        lambda: telemetry.server_span("aval.X", {}),
        lambda: telemetry.edge_span("GET /x", ""),
        lambda: telemetry.client_span("aval.X"),
        lambda: telemetry.task_span("saga", "step", "things/1", ""),
        lambda: telemetry.event_span("source", "thing.made", "things/1", ""),
    ],
    ids=["server", "edge", "client", "task", "event"],
)
def test_the_text_of_an_exception_is_in_no_span(monkeypatch: pytest.MonkeyPatch, begin: Callable[[], Any]) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))
    with pytest.raises(ValueError, match="Zhao"), begin():
        raise ValueError("Zhao Wei is no time")
    (span,) = exporter.get_finished_spans()
    assert "Zhao" not in span.to_json()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
