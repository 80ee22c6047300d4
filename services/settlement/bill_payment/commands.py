"""Ordering the payment of a bill."""

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from services.settlement.account import store as account_store
from services.settlement.bill_payment import rpc
from services.settlement.bill_payment.store import BILL_PAYMENTS


def pay(transaction: Transaction, request: settlement_pb2.PayBillRequest) -> settlement_pb2.BillPayment:
    """Orders the payment of a bill, which goes on by itself. Raises NotFound where the account isn't the caller's."""
    account = account_store.current(transaction, request.payment.debit_account)
    identifier = transaction.ids.resource("payment")
    payment = rpc.ordered(request.payment, account, identifier=identifier, now_us=transaction.now_us)
    return rpc.to_proto(BILL_PAYMENTS.add(transaction, payment, "bill_payment.ordered"))
