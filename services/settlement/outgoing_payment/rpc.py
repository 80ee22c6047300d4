"""Payments out on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import wire
from services.settlement.account.model import Account
from services.settlement.outgoing_payment.model import OutgoingPayment


def to_proto(payment: OutgoingPayment) -> settlement_pb2.OutgoingPayment:
    """Returns the wire form."""
    return wire.fill(settlement_pb2.OutgoingPayment, payment, debit_account=f"accounts/{payment.debit_account}")


def prepared(
    message: settlement_pb2.OutgoingPayment,
    account: Account,
    *,
    identifier: str,
    uetr: str,
    now_us: int,
    expire_us: int,
) -> OutgoingPayment:
    """Returns the payment out of an account that a message asks for."""
    return wire.read(
        OutgoingPayment,
        message,
        id=identifier,
        bank=account.bank,
        enterprise=account.owner,
        debit_account=account.id,
        uetr=uetr,
        create_us=now_us,
        expire_us=expire_us,
    )
