"""The newest value of each gauge that the platform's processes tell, in memory: told again within a minute."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis import clock
from gateway.traces.attributes import attributes_of

# More series than this our processes don't have.
MOST_SERIES = 10_000


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value with its service, name and attributes; its time in nanoseconds since the epoch."""

    service: str
    name: str
    unit: str
    attributes: Mapping[str, Any]
    value: float
    time_ns: int

    @property
    def series(self) -> tuple[str, ...]:
        """Returns what tells its series from others: a newer value takes its place there."""
        return self.service, self.name, *(f"{name}={value}" for name, value in sorted(self.attributes.items()))

    def to_json(self) -> Mapping[str, Any]:
        """Returns it for programs."""
        told = {"service": self.service, "name": self.name, "unit": self.unit, "attributes": dict(self.attributes)}
        return told | {"value": self.value, "time": clock.to_text(self.time_ns // 1000)}


class Gauges:
    """The newest values."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, ...], Gauge] = {}

    def keep(self, told: Iterable[Gauge]) -> None:
        """Takes what an export tells."""
        for gauge in told:
            if gauge.series in self._newest or len(self._newest) < MOST_SERIES:
                self._newest[gauge.series] = gauge

    def newest(self) -> Sequence[Gauge]:
        """Returns the newest value of each series, in the order of their names."""
        return [self._newest[series] for series in sorted(self._newest)]


def gauges_of(request: Any) -> Iterator[Gauge]:
    """Yields the gauges of an export."""
    for resource_metrics in request.resource_metrics:
        service = str(attributes_of(resource_metrics.resource.attributes).get("service.name", ""))
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in metric.gauge.data_points:
                    value = getattr(point, point.WhichOneof("value") or "as_double")
                    attributes = attributes_of(point.attributes)
                    yield Gauge(service, metric.name, metric.unit, attributes, value, point.time_unix_nano)
