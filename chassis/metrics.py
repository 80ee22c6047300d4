"""Metrics by OpenTelemetry's API, with its standard environment variables; docs/telemetry.md declares each."""

import os
from collections.abc import Iterable, Mapping

from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
OBSERVE_SECONDS = 5.0
PEER = "aval.peer"
SOURCE = "aval.source"

meter = metrics.get_meter("aval")
_owed_age = meter.create_gauge("aval.owed.age", unit="s", description="The age of the oldest owed call to a peer.")
_events_age = meter.create_gauge("aval.events.age", unit="s", description="Since when a source's log isn't followed.")
_events_behind = meter.create_gauge("aval.events.behind", unit="{position}", description="Positions not yet taken.")
_events_parked = meter.create_gauge("aval.events.parked", unit="{event}", description="A source's events that wait.")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment names an endpoint for metrics, and doesn't say that none are wanted."""
    return any(environment.get(name) for name in ENDPOINTS) and environment.get("OTEL_METRICS_EXPORTER") != "none"


def start(service: str) -> None:
    """Exports metrics if the environment wants them, until the process ends: a last value would say nothing more."""
    if is_wanted(os.environ):
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        resource = Resource.create({"service.name": service})
        metrics.set_meter_provider(MeterProvider([reader], resource, shutdown_on_exit=False))


def tell_owed(peers: Iterable[str], ages: Mapping[str, float]) -> None:
    """Tells the age in seconds of the oldest owed call to each peer: 0 where nothing is owed."""
    for peer in peers:
        _owed_age.set(ages.get(peer, 0.0), {PEER: peer})


def tell_followed(source: str, *, behind: int, age_seconds: float, parked: int) -> None:
    """Tells how far a source's log is followed: positions not yet taken, since when, and the events that wait."""
    attributes = {SOURCE: source}
    _events_behind.set(behind, attributes)
    _events_age.set(age_seconds, attributes)
    _events_parked.set(parked, attributes)
