"""Traces by OpenTelemetry's API, with its standard environment variables; nothing here is ours but names.

Every span attribute is declared in docs/telemetry.md. Business keys come from fields that carry the
span_attribute option in the protos.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from aval.type.v1 import access_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, StatusCode

from chassis.span_outbox import MOST_KEPT, SpanOutbox, listens

tracer = trace.get_tracer("aval")

TRACEPARENT = "traceparent"
# The attribute of a link that says what the other trace is, and its value for the trace of a caller from outside.
LINK = "aval.link"
CALLER = "caller"
# Deeper than this no message of ours carries a business key.
DEEPEST = 3
MOST_VALUES = 5


def start(service: str) -> Callable[[], None]:
    """Exports spans if the environment names an endpoint. Returns what flushes and stops."""
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint:
        return lambda: None
    # The outbox tries again what fails, and tells what is lost in the end.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    most_kept = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", MOST_KEPT))
    provider.add_span_processor(SpanOutbox(OTLPSpanExporter(), partial(listens, endpoint), most_kept))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def traceparent_of(span: Span) -> str:
    """Returns the W3C trace context of a span; empty if nothing is recorded."""
    carrier: dict[str, str] = {}
    if span.get_span_context().is_valid:
        propagate.inject(carrier, context=trace.set_span_in_context(span))
    return carrier.get(TRACEPARENT, "")


def trace_metadata(span: Span) -> list[tuple[str, str]]:
    """Returns the metadata that carries a span's context to another process; none where nothing is recorded."""
    traceparent = traceparent_of(span)
    return [(TRACEPARENT, traceparent)] if traceparent else []


def context_of(traceparent: str) -> Any:
    """Returns the parent context that a stored or received traceparent names."""
    return propagate.extract({TRACEPARENT: traceparent} if traceparent else {})


@contextlib.contextmanager
def _current(name: str, **options: Any) -> Iterator[Span]:
    """Gives a span as the current one.

    An exception that ends it leaves its kind there, not its text, which may quote a request.
    """
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **options) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(StatusCode.ERROR, getattr(error, "reason", type(error).__name__))
            raise


def server_span(method: str, metadata: Mapping[str, str]) -> Any:
    """Gives a span for a call that came in, as the current one."""
    return _current(method, context=context_of(metadata.get(TRACEPARENT, "")), kind=SpanKind.SERVER)


def edge_span(name: str, traceparent: str) -> Any:
    """Gives a span for a call from outside, as the current one: a trace of its own begins.

    The caller's trace is linked, never joined: strangers would fill or hide others' traces by a header. Open it only
    once a route and an identity are known.
    """
    return _current(name, kind=SpanKind.SERVER, **_from_outside(traceparent))


def start_edge_span(name: str, traceparent: str) -> Span:
    """Starts a span as `edge_span` does, to be ended by the caller and not the current one: for streams."""
    return tracer.start_span(name, kind=SpanKind.SERVER, **_from_outside(traceparent))


def _from_outside(traceparent: str) -> dict[str, Any]:
    """Returns the options of a span without a parent, linked to the caller's trace where it names one.

    The sampled flag of the caller counts for nothing.
    """
    caller = trace.get_current_span(context_of(traceparent)).get_span_context()
    links = [Link(caller, {LINK: CALLER})] if caller.is_valid else []
    return {"context": Context(), "links": links}


def client_span(method: str) -> Any:
    """Gives a span for a call that goes out, as the current one."""
    return _current(method, kind=SpanKind.CLIENT)


@contextlib.contextmanager
def task_span(saga: str, step: str, resource: str, traceparent: str) -> Iterator[Span]:
    """Gives a span for a saga's step, in the trace of the command that came to owe it."""
    with _current(f"{saga} {step}", context=context_of(traceparent), kind=SpanKind.INTERNAL) as span:
        span.set_attribute("aval.resource", resource)
        yield span


@contextlib.contextmanager
def event_span(source: str, type: str, resource: str, traceparent: str) -> Iterator[Span]:
    """Gives a span for the reaction to a foreign event, in the trace that caused it."""
    with _current(f"{source} {type}", context=context_of(traceparent), kind=SpanKind.CONSUMER) as span:
        span.set_attribute("aval.resource", resource)
        yield span


Extract = Callable[[Message], list[str]]


def business_keys(descriptor: Descriptor, depth: int = 0) -> list[tuple[str, Extract]]:
    """Returns what becomes span attributes of a message: names and how to find the values."""
    extracts: list[tuple[str, Extract]] = []
    for field in descriptor.fields:
        name: str = field.GetOptions().Extensions[access_pb2.span_attribute]  # type: ignore[index]
        if name:
            extracts.append((name, _values_of(field)))
        elif field.message_type and depth < DEEPEST and field.message_type.full_name.startswith("aval."):
            inner = business_keys(field.message_type, depth + 1)
            extracts += [(key, _nested(field, extract)) for key, extract in inner]
    return extracts


def _values_of(field: FieldDescriptor) -> Extract:
    def extract(message: Message) -> list[str]:
        value = getattr(message, field.name)
        values = list(value[:MOST_VALUES]) if field.is_repeated else [value]
        # The attribute is the key itself; the collection's name in front of it is no part of it.
        return [text.rsplit("/", 1)[-1] for text in values if text]

    return extract


def _nested(field: FieldDescriptor, inner: Extract) -> Extract:
    def extract(message: Message) -> list[str]:
        value = getattr(message, field.name)
        children = list(value[:MOST_VALUES]) if field.is_repeated else [value]
        return [text for child in children for text in inner(child)]

    return extract


def annotate(span: Span, keys: list[tuple[str, Extract]], message: Message) -> None:
    """Sets a message's business keys on a span."""
    if not span.is_recording():
        return
    for name, extract in keys:
        if values := extract(message):
            span.set_attribute(name, values[0] if len(values) == 1 else values)
