"""Ordering the payment of a bill."""

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from chassis.errors import NotFound
from services.settlement.account import store as accounts
from services.settlement.account.model import Kind
from services.settlement.bill_payment import rpc, store
from services.settlement.bill_payment.model import BillPayment, State


def pay(transaction: Transaction, request: settlement_pb2.PayBillRequest) -> settlement_pb2.BillPayment:
    """The payment is on its way. NotFound where the account isn't the caller's."""
    asked = request.payment
    account = accounts.find(transaction.connection, asked.debit_account)
    if account is None or account.owner != transaction.caller.tenant or account.kind is not Kind.CURRENT:
        raise NotFound(resource=asked.debit_account)
    payment = BillPayment(
        id=transaction.ids.resource("payment"),
        bill=asked.bill,
        bank=account.bank,
        enterprise=account.owner,
        debit_account=account.id,
        currency=account.currency,
        payee="",
        amount=None,
        late_fee=None,
        state=State.CLAIMING,
        reason="",
        create_us=transaction.now_us,
        revision=1,
    )
    store.add(transaction, payment)
    return rpc.to_proto(payment)
