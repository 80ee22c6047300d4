"""Payments of bills on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import wire
from services.settlement.account.model import Account
from services.settlement.bill_payment.model import MOVED, BillPayment


def to_proto(payment: BillPayment) -> settlement_pb2.BillPayment:
    """Returns the wire form; it names the transfer once the money has moved."""
    return wire.fill(
        settlement_pb2.BillPayment,
        payment,
        debit_account=f"accounts/{payment.debit_account}",
        transfer=payment.transfer_name if payment.state in MOVED else "",
    )


def ordered(message: settlement_pb2.BillPayment, account: Account, *, identifier: str, now_us: int) -> BillPayment:
    """Returns the payment out of an account that a message orders."""
    return wire.read(
        BillPayment,
        message,
        id=identifier,
        bank=account.bank,
        enterprise=account.owner,
        debit_account=account.id,
        currency=account.currency,
        create_us=now_us,
    )
