"""Payments in on the wire. A bank that isn't the lender sees that money goes on, not to whom or for what."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.rpc import date
from services.settlement.incoming_payment import model
from services.settlement.incoming_payment.division import Collection, Part
from services.settlement.incoming_payment.model import IncomingPayment, Resolution


def to_proto(payment: IncomingPayment, reader: str) -> settlement_pb2.IncomingPayment:
    """Returns the wire form for a tenant: the exporter sees all, the bank of another's loan only its own part."""
    message = settlement_pb2.IncomingPayment(
        name=payment.name,
        uetr=payment.uetr,
        bank=payment.bank,
        amount=money.to_proto(payment.amount),
        debtor_name=payment.debtor_name,
        creditor_account=f"accounts/{payment.creditor_account}",
        remittance_information="\n".join((payment.remittance_information, *payment.remittance_documents)).strip(),
        declaration=payment.declarations[0] if len(payment.parts) == 1 else "",
        parts=map(_part, payment.parts),
        enterprise=payment.enterprise,
        state=payment.state.value,
        collections=[_collection(payment, part, reader) for part in payment.collections if part.amount],
        etag=str(payment.revision),
        reason=payment.reason,
        value_date=date(payment.value_date),
    )
    if payment.remainder is not None:
        message.remainder.CopyFrom(money.to_proto(payment.remainder))
    if payment.resolution is not None:
        message.resolution.CopyFrom(_resolution(payment.resolution))
    message.create_time.FromMicroseconds(payment.create_us)
    return message


def _part(part: Part) -> settlement_pb2.PaymentPart:
    message = settlement_pb2.PaymentPart(declaration=part.declaration)
    if part.amount is not None:
        message.amount.CopyFrom(money.to_proto(part.amount))
    return message


def _collection(payment: IncomingPayment, collection: Collection, reader: str) -> settlement_pb2.Collection:
    assert collection.amount is not None
    message = settlement_pb2.Collection(reference=collection.reference, amount=money.to_proto(collection.amount))
    if model.may_see_lender(payment, collection, reader):
        message.bank, message.loan = collection.bank, collection.loan
        message.repayment = f"repayments/{collection.repayment_id}"
    return message


def _resolution(resolution: Resolution) -> settlement_pb2.PaymentResolution:
    return settlement_pb2.PaymentResolution(
        kind=resolution.kind.value, reason=resolution.reason, maker=resolution.maker, checker=resolution.checker
    )
