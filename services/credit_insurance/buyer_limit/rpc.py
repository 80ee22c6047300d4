"""Buyer limits on the wire."""

from collections.abc import Mapping

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import wire
from ledger.model import Account
from services.credit_insurance import lines
from services.credit_insurance.buyer_limit.model import BuyerLimit


def to_proto(limit: BuyerLimit, accounts: Mapping[str, Account]) -> credit_insurance_pb2.BuyerLimit:
    """Returns the wire form; the ledger says what is available, once the limit has a line."""
    return wire.fill(credit_insurance_pb2.BuyerLimit, limit, available=lines.available(accounts, limit.name))
