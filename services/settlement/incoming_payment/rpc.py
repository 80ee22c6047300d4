"""Payments in on the wire. A bank that isn't the lender sees that money goes on, not to whom or for what."""

from aval.settlement.v1 import settlement_pb2

from chassis import wire
from services.settlement.incoming_payment import model
from services.settlement.incoming_payment.division import Collection
from services.settlement.incoming_payment.model import IncomingPayment

# A lender's own: cleared for whoever may not see it.
LENDERS = ("bank", "loan", "repayment")


def to_proto(payment: IncomingPayment, reader: str) -> settlement_pb2.IncomingPayment:
    """Returns the wire form for a tenant: the exporter sees all, the bank of another's loan only its own part."""
    return wire.fill(
        settlement_pb2.IncomingPayment,
        payment,
        creditor_account=f"accounts/{payment.creditor_account}",
        remittance_information="\n".join((payment.remittance_information, *payment.remittance_documents)).strip(),
        declaration=payment.declarations[0] if len(payment.parts) == 1 else "",
        collections=[_seen(payment, part, reader) for part in payment.collections if part.amount],
    )


def _seen(payment: IncomingPayment, collection: Collection, reader: str) -> settlement_pb2.Collection:
    message = _collection(collection)
    if not model.may_see_lender(payment, collection, reader):
        for field in LENDERS:
            message.ClearField(field)
    return message


def _collection(collection: Collection) -> settlement_pb2.Collection:
    return wire.fill(settlement_pb2.Collection, collection, repayment=f"repayments/{collection.repayment_id}")
