"""Offers on the wire: maker, checker and note are the bank's own."""

import decimal
from decimal import Decimal

from aval.loans.v1 import loans_pb2

from chassis import rpc, wire
from services.loans.offer.model import Offer, Terms


def _rate(message: loans_pb2.Offer) -> Decimal | None:
    """Returns the rate of a message; None where it is no number: "0.05" is one, "five" and "NaN" aren't."""
    try:
        rate = rpc.to_decimal(message.annual_rate)
    except decimal.InvalidOperation:
        return None
    return rate if rate.is_finite() else None


def terms(message: loans_pb2.Offer) -> Terms:
    """Returns the terms that a maker put into a message."""
    return wire.read(Terms, message, annual_rate=_rate(message))


def to_proto(offer: Offer, viewer: str = "") -> loans_pb2.Offer:
    """Returns the wire form as a tenant sees it; nobody's by default."""
    message = wire.fill(loans_pb2.Offer, offer)
    if viewer != offer.bank:
        for private in ("maker", "checker", "note"):
            message.ClearField(private)
    return message
