"""Payments out on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from services.settlement.outgoing_payment.model import OutgoingPayment


def to_proto(payment: OutgoingPayment) -> settlement_pb2.OutgoingPayment:
    """The wire form."""
    message = settlement_pb2.OutgoingPayment(
        name=payment.name,
        debit_account=f"accounts/{payment.debit_account}",
        amount=money.to_proto(payment.amount),
        creditor_name=payment.creditor_name,
        creditor_account=payment.creditor_account,
        creditor_agent_bic=payment.creditor_agent_bic,
        creditor_town=payment.creditor_town,
        creditor_country=payment.creditor_country,
        remittance_information=payment.remittance_information,
        uetr=payment.uetr,
        state=payment.state.value,
        message=payment.message,
        etag=str(payment.revision),
        reason=payment.reason,
    )
    message.create_time.FromMicroseconds(payment.create_us)
    message.expire_time.FromMicroseconds(payment.expire_us)
    return message
