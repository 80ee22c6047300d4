"""Payments of bills on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from services.settlement.bill_payment.model import MOVED, BillPayment


def to_proto(payment: BillPayment) -> settlement_pb2.BillPayment:
    """The wire form."""
    message = settlement_pb2.BillPayment(
        name=payment.name,
        bill=payment.bill,
        debit_account=f"accounts/{payment.debit_account}",
        enterprise=payment.enterprise,
        bank=payment.bank,
        payee=payment.payee,
        state=payment.state.value,
        reason=payment.reason,
        transfer=payment.transfer_name if payment.state in MOVED else "",
        etag=str(payment.revision),
    )
    if payment.amount is not None:
        message.amount.CopyFrom(money.to_proto(payment.amount))
    if payment.late_fee is not None:
        message.late_fee.CopyFrom(money.to_proto(payment.late_fee))
    message.create_time.FromMicroseconds(payment.create_us)
    return message
