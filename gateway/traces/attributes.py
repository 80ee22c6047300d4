"""Attributes of OTLP as plain values."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1 import common_pb2


def attributes_of(pairs: Iterable[common_pb2.KeyValue]) -> dict[str, Any]:
    """Returns the attributes by name: {"aval.peer": "settlement"}."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: common_pb2.AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind) if kind else None
