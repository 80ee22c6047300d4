"""Compares port charges on a bill with the tariffs that the port has published. Pure.

Operators publish their charges and may charge nothing that isn't published (Ministry of Transport and NDRC, measures
on port charges, 2019, articles on publication); of fixed and guided prices the tariff is the most. Which tariff counts
is said by its own dates: the one in force on the day of the service that began last.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import to_date
from services.declarations.window.records import kinds as records_kinds

# Tariffs of a charge by kinds.port_charge.
Tariffs = Mapping[str, Sequence[records_pb2.Record]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: the amounts charged and published (None: nothing to compare with), and the tariff's name."""

    problem: Problem
    charged: Money
    published: Money | None = None
    tariff: str = ""


def subjects(bill: records_pb2.Bill) -> Iterator[str]:
    """Returns the subjects of the tariffs that a bill is compared with."""
    return (records_kinds.port_charge(charge.port, charge.charge_code) for charge in bill.charges)


def findings(bill: records_pb2.Bill, tariffs: Tariffs) -> list[Finding]:
    """Returns where a bill of port charges differs from what is published; nothing for any other bill."""
    if bill.kind != records_pb2.Bill.PORT_CHARGE:
        return []
    amount = money.from_proto(bill.amount)
    if not bill.charges:
        return [Finding(NOT_ITEMISED, amount)]
    of_charges = [_of_charge(index, charge, bill, tariffs) for index, charge in enumerate(bill.charges)]
    return [finding for finding in [*of_charges, _of_sum(bill, amount)] if finding]


def _of_charge(index: int, charge: records_pb2.PortCharge, bill: records_pb2.Bill, tariffs: Tariffs) -> Finding | None:
    on = to_date(charge.service_date if charge.HasField("service_date") else bill.issue_date)
    charged = money.from_proto(charge.amount)
    said = {"port": charge.port, "code": charge.charge_code, "day": on.isoformat(), "charged": str(charged)}
    tariff = _on(tariffs.get(records_kinds.port_charge(charge.port, charge.charge_code), ()), on)
    if tariff is None:
        return Finding(_problem(index, "PORT_CHARGE_NOT_PUBLISHED", said), charged)
    price = money.from_proto(tariff.port_tariff.unit_price)
    said |= {"price": str(price), "unit": tariff.port_tariff.unit, "name": tariff.port_tariff.display_name}
    if price.currency != charged.currency:
        return Finding(_problem(index, "PORT_CHARGE_CURRENCY_DIFFERS", said), charged, None, tariff.name)
    published = price.times(Decimal(charge.quantity.value))
    if charged == published:
        return None
    is_above = charged > published
    reason = "PORT_CHARGE_ABOVE_TARIFF" if is_above else "PORT_CHARGE_BELOW_TARIFF"
    difference = charged - published if is_above else published - charged
    said |= {"quantity": charge.quantity.value, "published": str(published), "difference": str(difference)}
    return Finding(_problem(index, reason, said), charged, published, tariff.name)


def _on(tariffs: Iterable[records_pb2.Record], on: datetime.date) -> records_pb2.Record | None:
    """Returns the tariff that counted on a day: of several the one that began last."""
    counting = [record for record in tariffs if _counts(record.port_tariff, on)]
    return max(counting, key=lambda record: to_date(record.port_tariff.valid_from), default=None)


def _counts(tariff: records_pb2.PortTariff, on: datetime.date) -> bool:
    last = to_date(tariff.valid_to) if tariff.HasField("valid_to") else datetime.date.max
    return to_date(tariff.valid_from) <= on <= last


def _of_sum(bill: records_pb2.Bill, amount: Money) -> Finding | None:
    itemised = money.total([money.from_proto(charge.amount) for charge in bill.charges], amount.currency)
    if itemised == amount:
        return None
    texts = [text.format(amount=amount, itemised=itemised) for text in _SUM]
    return Finding(Problem("bill.amount", "PORT_CHARGES_DONT_ADD_UP", *texts), amount, itemised)


NOT_ITEMISED = Problem(
    "bill.charges",
    "PORT_CHARGES_NOT_ITEMISED",
    "The bill doesn't say which charges it is for, so it can't be compared with the published tariff; ask the operator"
    " to itemise it.",
    "账单未列明收费项目，无法与公示收费标准核对；请要求经营人列明。",
)
_SUM = (
    "The bill is {amount}, its charges come to {itemised}; ask the operator which is right.",
    "账单金额为 {amount}，收费项目合计 {itemised}；请与经营人核对。",
)
_TEXTS: Mapping[str, tuple[str, str]] = {
    "PORT_CHARGE_ABOVE_TARIFF": (
        "{name} ({code}) at {port}: {charged} is charged for {quantity}; at the published {price} a {unit} it is"
        " {published}, so {difference} less. Ask the operator to correct the bill.",
        "{port} {name}（{code}）：{quantity} 收取 {charged}；公示价每 {unit} {price}，"
        "应为 {published}，多收 {difference}。请要求经营人更正账单。",
    ),
    "PORT_CHARGE_BELOW_TARIFF": (
        "{name} ({code}) at {port}: {charged} is charged for {quantity}; at the published {price} a {unit} it is"
        " {published}, so {difference} more. Nothing is asked of you.",
        "{port} {name}（{code}）：{quantity} 收取 {charged}；公示价每 {unit} {price}，"
        "应为 {published}，少收 {difference}。无须处理。",
    ),
    "PORT_CHARGE_NOT_PUBLISHED": (
        "No published tariff of {port} for {code} counted on {day}; ask the operator by which price {charged} is"
        " charged.",
        "{day} 时 {port} 没有 {code} 的公示收费标准；请询问经营人收取 {charged} 的依据。",
    ),
    "PORT_CHARGE_CURRENCY_DIFFERS": (
        "{name} ({code}) at {port} is published at {price} a {unit}, and charged as {charged}; compare them yourself.",
        "{port} {name}（{code}）公示价为每 {unit} {price}，收取 {charged}，币制不同；请自行核对。",
    ),
}


def _problem(index: int, reason: str, said: Mapping[str, str]) -> Problem:
    return Problem(f"bill.charges[{index}]", reason, *(text.format(**said) for text in _TEXTS[reason]))
