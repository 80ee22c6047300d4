"""Payments in on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from services.settlement.incoming_payment.model import Collection, IncomingPayment


def to_proto(payment: IncomingPayment) -> settlement_pb2.IncomingPayment:
    """The wire form."""
    message = settlement_pb2.IncomingPayment(
        name=payment.name,
        uetr=payment.uetr,
        bank=payment.bank,
        amount=money.to_proto(payment.amount),
        debtor_name=payment.debtor_name,
        creditor_account=f"accounts/{payment.creditor_account}",
        remittance_information="\n".join((payment.remittance_information, *payment.remittance_documents)).strip(),
        declaration=payment.declaration,
        enterprise=payment.enterprise,
        state=payment.state.value,
        collections=[_collection(one) for one in payment.collections if one.amount],
        etag=str(payment.revision),
        reason=payment.reason,
    )
    if payment.remainder is not None:
        message.remainder.CopyFrom(money.to_proto(payment.remainder))
    message.create_time.FromMicroseconds(payment.create_us)
    return message


def _collection(one: Collection) -> settlement_pb2.Collection:
    assert one.amount is not None
    return settlement_pb2.Collection(
        loan=one.loan, repayment=f"repayments/{one.repayment_id}", bank=one.bank, amount=money.to_proto(one.amount)
    )
