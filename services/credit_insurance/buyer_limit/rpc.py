"""Buyer limits on the wire."""

from collections.abc import Mapping

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money, rpc
from chassis.money import Money
from ledger.model import Account
from services.credit_insurance import lines
from services.credit_insurance.buyer_limit.model import BuyerLimit


def to_proto(limit: BuyerLimit, accounts: Mapping[str, Account]) -> credit_insurance_pb2.BuyerLimit:
    """The wire form; what is available is the ledger's, once the limit has a line."""
    message = credit_insurance_pb2.BuyerLimit(
        name=limit.name,
        policy=limit.policy,
        insurer=limit.insurer,
        enterprise=limit.enterprise,
        buyer_name=limit.buyer_name,
        buyer_country=limit.buyer_country,
        requested_amount=money.to_proto(limit.requested_amount),
        payment_term_days=limit.payment_term_days,
        refuse=limit.refuse,
        state=limit.state.value,
        maker=limit.maker,
        checker=limit.checker,
        etag=str(limit.revision),
    )
    message.create_time.FromMicroseconds(limit.create_us)
    if limit.amount and limit.start_date and limit.end_date:
        message.amount.CopyFrom(money.to_proto(limit.amount))
        message.start_date.CopyFrom(rpc.date(limit.start_date))
        message.end_date.CopyFrom(rpc.date(limit.end_date))
    if line := accounts.get(lines.line_id(limit.name)):
        message.available.CopyFrom(money.to_proto(Money(line.currency, line.available_to_debit)))
    return message
