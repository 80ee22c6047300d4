"""Totals on the wire."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import insight_pb2, retail_pb2

from chassis import money, rpc
from chassis.money import Money
from services.declarations.insight.statistics.model import DIMENSIONS, Total, growth

DIRECTIONS = {"0": "EXPORT", "1": "IMPORT", "": "DIRECTION_UNSPECIFIED"}
DIGITS: Mapping[int, str] = {retail_pb2.EXPORT: "0", retail_pb2.IMPORT: "1"}


def digit(direction: int) -> str:
    """The direction as declaration numbers have it; empty for either."""
    return DIGITS.get(direction, "")


def row(key: Sequence[str], now: Total) -> insight_pb2.StatisticsRow:
    """One group's totals, by the dimensions and the currency."""
    texts: dict[str, Any] = dict(zip(DIMENSIONS, key, strict=False))
    texts["direction"] = DIRECTIONS[texts["direction"]]
    value = money.to_proto(Money(key[-1], now.minor_units))
    return insight_pb2.StatisticsRow(declarations=now.declarations, value=value, **texts)


def compared(key: Sequence[str], now: Total, before: Total) -> insight_pb2.StatisticsRow:
    """One group's totals beside those of the year before."""
    message = row(key, now)
    message.declarations_before = before.declarations
    message.value_before.CopyFrom(money.to_proto(Money(key[-1], before.minor_units)))
    for field, ratio in _growth(now, before).items():
        if ratio is not None:
            getattr(message, field).CopyFrom(rpc.decimal(ratio))
    return message


def _growth(now: Total, before: Total) -> Mapping[str, Decimal | None]:
    return {
        "declarations_growth": growth(now.declarations, before.declarations),
        "value_growth": growth(now.minor_units, before.minor_units),
    }
