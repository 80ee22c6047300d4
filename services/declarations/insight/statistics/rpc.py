"""Totals on the wire."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import insight_pb2

from chassis import money, rpc
from chassis.money import Money
from services.declarations.customs.direction import DIRECTIONS
from services.declarations.insight.counting.model import COUNTED
from services.declarations.insight.statistics.model import DIMENSIONS, Total, growth

DOCUMENTS: Mapping[insight_pb2.StatisticsDocument, str] = {
    insight_pb2.DECLARATION: COUNTED,
    insight_pb2.LIST: "LIST",
    insight_pb2.SUMMARISED_LIST: "SUMMARISED_LIST",
    insight_pb2.BONDED_SALE_LIST: "BONDED_SALE_LIST",
    insight_pb2.AREA_ENTRY: "AREA_ENTRY",
}
_BY_OUTCOME = {outcome: document for document, outcome in DOCUMENTS.items()}


def row(key: Sequence[str], now: Total) -> insight_pb2.StatisticsRow:
    """Returns a group's totals, by the dimensions and the currency."""
    texts: dict[str, Any] = dict(zip(DIMENSIONS, key, strict=False))
    texts["direction"] = DIRECTIONS.get(texts["direction"], "DIRECTION_UNSPECIFIED")
    document = _BY_OUTCOME.get(texts.pop("outcome"), insight_pb2.STATISTICS_DOCUMENT_UNSPECIFIED)
    value = money.to_proto(Money(key[-1], now.minor_units))
    return insight_pb2.StatisticsRow(
        document=document, declarations=now.declarations, lists=now.lists, value=value, **texts
    )


def compared(key: Sequence[str], now: Total, before: Total) -> insight_pb2.StatisticsRow:
    """Returns a group's totals beside those of the year before."""
    message = row(key, now)
    message.declarations_before, message.lists_before = before.declarations, before.lists
    message.value_before.CopyFrom(money.to_proto(Money(key[-1], before.minor_units)))
    for field, ratio in _growth(now, before).items():
        if ratio is not None:
            getattr(message, field).CopyFrom(rpc.decimal(ratio))
    return message


def _growth(now: Total, before: Total) -> Mapping[str, Decimal | None]:
    return {
        "declarations_growth": growth(now.declarations, before.declarations),
        "lists_growth": growth(now.lists, before.lists),
        "value_growth": growth(now.minor_units, before.minor_units),
    }
