"""Matches the three flows of an order, which are order, logistics and payment, or says why they differ. Pure.

Amounts, days and shares that may differ are rows of data/match_terms.csv.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis.clock import MICROSECONDS
from chassis.errors import Problem
from chassis.money import Money
from services.declarations.customs.code_tables import code_table
from services.declarations.window.retail.flows.model import State
from services.declarations.window.retail.versions import Change

_DAY_US = 86_400 * MICROSECONDS
_UNSAID = "DIRECTION_UNSPECIFIED"
PAYMENT, WAYBILL = "payment", "waybill"


@dataclass(frozen=True, slots=True)
class OrderSide:
    """The matched fields of an order. value: of the goods; due: what payments must come to."""

    id: str
    direction: str
    platform_code: str
    order_number: str
    value: Money
    due: Money
    match_state: State
    send_us: int
    change: Change
    revision: int


@dataclass(frozen=True, slots=True)
class WaybillSide:
    """The matched fields of a waybill; order_number is empty where only a list ties it to an order."""

    id: str
    direction: str
    order_number: str
    send_us: int
    change: Change


@dataclass(frozen=True, slots=True)
class PaymentSide:
    """The matched fields of a payment; platform_code is empty where the payment doesn't say it."""

    id: str
    direction: str
    order_number: str
    platform_code: str
    amount: Money
    pay_us: int
    change: Change


@dataclass(frozen=True, slots=True)
class Terms:
    """The allowed differences: a share of the amount due, at least so many minor units, and days from the sending."""

    amount_share_max: Decimal
    amount_minor_units_max: int
    payment_days_max: int
    waybill_days_max: int


@dataclass(frozen=True, slots=True)
class Match:
    """An order's match: its legs by id, and every reason why it isn't MATCHED."""

    state: State
    waybills: Sequence[str]
    payments: Sequence[str]
    reasons: Sequence[Problem]


def terms(on: date) -> Terms:
    """Returns the terms of a day."""
    table = code_table("match_terms")
    return Terms(
        Decimal(table.value("amount_share_max", on)),
        int(table.value("amount_minor_units_max", on)),
        int(table.value("payment_days_max", on)),
        int(table.value("waybill_days_max", on)),
    )


def match(order: OrderSide, waybills: Sequence[WaybillSide], payments: Sequence[PaymentSide], limits: Terms) -> Match:
    """Matches an order with the waybills and payments that name its number.

    A payment of another platform is another order's. A document that was taken back counts as never sent.
    """
    carried = [waybill for waybill in waybills if waybill.change != Change.DELETE]
    paid = [
        payment
        for payment in payments
        if payment.change != Change.DELETE and payment.platform_code in ("", order.platform_code)
    ]
    reasons = [*_waybill_reasons(order, carried, limits), *_payment_reasons(order, paid, limits)]
    return Match(
        _state(order, reasons),
        [waybill.id for waybill in carried],
        [payment.id for payment in paid],
        reasons,
    )


def _state(order: OrderSide, reasons: Sequence[Problem]) -> State:
    if order.change == Change.DELETE:
        return State.WITHDRAWN
    if all(reason.reason.startswith("MISSING_") for reason in reasons):
        return State.INCOMPLETE if reasons else State.MATCHED
    return State.DIFFERENT


def _waybill_reasons(order: OrderSide, waybills: Sequence[WaybillSide], limits: Terms) -> Iterator[Problem]:
    if not waybills:
        yield Problem(
            WAYBILL, "MISSING_WAYBILL", "No waybill of the order has come; have the carrier send it.", _NO_WAYBILL
        )
    yield from _direction_reasons(WAYBILL, order, [waybill.direction for waybill in waybills])
    yield from _time_reasons(WAYBILL, order, [waybill.send_us for waybill in waybills], limits.waybill_days_max)


def _payment_reasons(order: OrderSide, payments: Sequence[PaymentSide], limits: Terms) -> Iterator[Problem]:
    if not payments:
        yield Problem(
            PAYMENT,
            "MISSING_PAYMENT",
            "No payment of the order has come; have the payment company send it.",
            _NO_PAYMENT,
        )
        return
    yield from _direction_reasons(PAYMENT, order, [payment.direction for payment in payments])
    yield from _time_reasons(PAYMENT, order, [payment.pay_us for payment in payments], limits.payment_days_max)
    yield from _amount_reasons(order, [payment.amount for payment in payments], limits)


_NO_WAYBILL = "尚未收到该订单的运单；请物流企业报送。"
_NO_PAYMENT = "尚未收到该订单的支付（收款）单；请支付企业报送。"


def _direction_reasons(leg: str, order: OrderSide, directions: Sequence[str]) -> Iterator[Problem]:
    if any(direction not in (order.direction, _UNSAID) for direction in directions):
        yield Problem(
            leg,
            "DIRECTION_DIFFERS",
            f"The order is {order.direction}, the {leg} is the other way; correct the one or the other.",
            f"订单方向为 {order.direction}，与其他单证不一致；请更正其一。",
        )


def _time_reasons(leg: str, order: OrderSide, times_us: Sequence[int], days_max: int) -> Iterator[Problem]:
    if any(abs(time_us - order.send_us) > days_max * _DAY_US for time_us in times_us):
        yield Problem(
            leg,
            "TIME_DIFFERS",
            f"The {leg} and the order are more than {days_max} days apart; check that they belong together.",
            f"与订单时间相差超过 {days_max} 天；请核对是否属于同一交易。",
        )


def _amount_reasons(order: OrderSide, amounts: Sequence[Money], limits: Terms) -> Iterator[Problem]:
    if any(amount.currency != order.due.currency for amount in amounts):
        yield Problem(
            PAYMENT,
            "CURRENCY_DIFFERS",
            f"The order is in {order.due.currency}, a payment in another currency; correct the one or the other.",
            f"订单币制为 {order.due.currency}，支付币制不一致；请更正其一。",
        )
        return
    paid = Money(order.due.currency, sum(amount.minor_units for amount in amounts))
    # The platform may collect an export's goods alone, and the freight apart.
    if not any(_agrees(paid, due, limits) for due in (order.due, order.value)):
        yield Problem(
            PAYMENT,
            "AMOUNT_DIFFERS",
            f"{paid} was paid, {order.due} is due; correct the one or the other.",
            f"已支付 {paid}，应付 {order.due}；请更正其一。",
        )


def _agrees(paid: Money, due: Money, limits: Terms) -> bool:
    tolerance = max(limits.amount_share_max * due.minor_units, Decimal(limits.amount_minor_units_max))
    return due.currency == paid.currency and abs(paid.minor_units - due.minor_units) <= tolerance
