"""Spans as they are kept, and one trace as a picture."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The business keys by which a trace is found; docs/telemetry.md declares them.
INDEXED = (
    "aval.declaration.number",
    "aval.payment.uetr",
    "aval.application.name",
    "aval.offer.name",
    "aval.loan.name",
    "aval.policy.name",
    "aval.covered_shipment.name",
    "aval.resource",
)
# The key of a trace that began at the edge: the trace that its caller named.
CALLER_TRACE = "caller trace"


@dataclass(frozen=True, slots=True)
class Span:
    """A span; times in nanoseconds since the epoch; `content` is JSON of attributes and events."""

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    start_ns: int
    end_ns: int
    status: str
    content: str

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Returns its attributes."""
        return dict(json.loads(self.content)["attributes"])

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Returns its events: name, time_ns, attributes."""
        return list(json.loads(self.content)["events"])

    def business_keys(self) -> Iterable[tuple[str, str]]:
        """Yields its business keys, and the traces of its callers."""
        attributes = self.attributes
        for trace_id in json.loads(self.content).get("callers", ()):
            yield CALLER_TRACE, trace_id
        for name in INDEXED:
            found = attributes.get(name, [])
            for value in found if isinstance(found, list) else [found]:
                yield name, str(value).removeprefix("declarations/")


@dataclass(frozen=True, slots=True)
class Bar:
    """A span in the picture: its row, depth, and place in parts of a thousand of the trace's time."""

    span: Span
    row: int
    depth: int
    left: int
    width: int
    colour: int

    @property
    def duration_us(self) -> int:
        """Returns how long it took."""
        return (self.span.end_ns - self.span.start_ns) // 1000


def waterfall(spans: Sequence[Span]) -> list[Bar]:
    """Returns the spans as a tree, parents before children, each by its start."""
    if not spans:
        return []
    start = min(span.start_ns for span in spans)
    whole = max(max(span.end_ns for span in spans) - start, 1)
    services = services_of(spans)
    bars = []
    for row, (depth, span) in enumerate(_in_tree_order(spans)):
        left = (span.start_ns - start) * 1000 // whole
        width = max((span.end_ns - span.start_ns) * 1000 // whole, 1)
        bars.append(Bar(span, row, depth, left, width, services.index(span.service)))
    return bars


def services_of(spans: Iterable[Span]) -> list[str]:
    """Returns the services in a trace, by when they come in."""
    ordered = sorted(spans, key=lambda span: span.start_ns)
    return list(dict.fromkeys(span.service for span in ordered))


def _in_tree_order(spans: Sequence[Span]) -> list[tuple[int, Span]]:
    """Orders spans depth first, without recursion: a trace may be deeper than the stack."""
    identifiers = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.start_ns, reverse=True):
        # A span whose parent was never received stands at the top.
        parent = span.parent_span_id if span.parent_span_id in identifiers else ""
        children.setdefault(parent, []).append(span)
    ordered, waiting = [], [(0, span) for span in children.get("", [])]
    while waiting:
        depth, span = waiting.pop()
        ordered.append((depth, span))
        waiting += [(depth + 1, child) for child in children.get(span.span_id, [])]
    return ordered


def to_json(trace_id: str, spans: Sequence[Span]) -> dict[str, Any]:
    """Returns a trace for programs."""
    return {
        "traceId": trace_id,
        "services": services_of(spans),
        "spans": [
            {
                "spanId": span.span_id,
                "parentSpanId": span.parent_span_id,
                "service": span.service,
                "name": span.name,
                "startNs": str(span.start_ns),
                "endNs": str(span.end_ns),
                "status": span.status,
                **json.loads(span.content),
            }
            for span in sorted(spans, key=lambda span: span.start_ns)
        ],
    }
