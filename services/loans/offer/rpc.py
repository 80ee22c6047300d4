"""Offers on the wire: maker, checker and note are the bank's own."""

import decimal
from decimal import Decimal

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis import rpc as wire
from services.loans.offer.model import Offer, Terms


def _rate(message: loans_pb2.Offer) -> Decimal | None:
    try:
        rate = wire.to_decimal(message.annual_rate)
    except decimal.InvalidOperation:
        return None
    return rate if rate.is_finite() else None


def terms(message: loans_pb2.Offer) -> Terms:
    """Returns the terms that a maker put into a message."""
    return Terms(
        money.from_proto(message.amount),
        _rate(message),
        money.from_proto(message.fee),
        message.tenor_days,
        message.expire_time.ToMicroseconds(),
    )


def to_proto(offer: Offer, viewer: str = "") -> loans_pb2.Offer:
    """Returns the wire form as a tenant sees it; nobody's by default."""
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
