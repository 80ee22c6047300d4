"""Offers on the wire: maker, checker and note are the bank's own."""

import decimal
from decimal import Decimal

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis import rpc as wire
from chassis.command import Transaction
from services.loans import interest, products
from services.loans.application.model import Application
from services.loans.offer.model import Offer, State, Terms


def _rate(message: loans_pb2.Offer) -> Decimal | None:
    try:
        rate = wire.to_decimal(message.annual_rate)
    except decimal.InvalidOperation:
        return None
    return rate if rate.is_finite() else None


def terms(message: loans_pb2.Offer) -> Terms:
    """The maker's terms."""
    return Terms(
        money.from_proto(message.amount),
        _rate(message),
        money.from_proto(message.fee),
        message.tenor_days,
        message.expire_time.ToMicroseconds(),
    )


def prepared(transaction: Transaction, application: Application, asked: Terms) -> Offer:
    """The offer of checked terms, with its costs."""
    assert asked.annual_rate is not None
    amount, days = asked.amount, asked.tenor_days
    basis = products.day_count_basis(amount.currency, transaction.business_date)
    owed = interest.interest(amount, asked.annual_rate, days, basis)
    cost = owed + asked.fee
    return Offer(
        id=transaction.ids.resource("offer"),
        application=application.name,
        bank=transaction.caller.tenant,
        enterprise=application.enterprise,
        amount=amount,
        annual_rate=asked.annual_rate,
        fee=asked.fee,
        tenor_days=days,
        day_count_basis=basis,
        interest=owed,
        all_in_cost=cost,
        all_in_rate=interest.all_in_rate(cost, amount - asked.fee, days, basis),
        expire_us=asked.expire_us,
        state=State.PENDING_APPROVAL,
        maker=transaction.caller.principal,
        checker="",
        note="",
        revision=1,
        create_us=transaction.now_us,
    )


def to_proto(offer: Offer, viewer: str = "") -> loans_pb2.Offer:
    """The wire form as a tenant sees it; nobody's by default."""
    message = loans_pb2.Offer(
        name=offer.name,
        application=offer.application,
        bank=offer.bank,
        enterprise=offer.enterprise,
        amount=money.to_proto(offer.amount),
        annual_rate=wire.decimal(offer.annual_rate),
        fee=money.to_proto(offer.fee),
        tenor_days=offer.tenor_days,
        day_count_basis=offer.day_count_basis,
        interest=money.to_proto(offer.interest),
        all_in_cost=money.to_proto(offer.all_in_cost),
        all_in_rate=wire.decimal(offer.all_in_rate),
        state=offer.state.value,
        etag=str(offer.revision),
    )
    message.expire_time.FromMicroseconds(offer.expire_us)
    message.create_time.FromMicroseconds(offer.create_us)
    if viewer == offer.bank:
        message.MergeFrom(loans_pb2.Offer(maker=offer.maker, checker=offer.checker, note=offer.note))
    return message
