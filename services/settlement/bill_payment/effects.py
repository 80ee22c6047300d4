"""The effects of a bill payment's states on the money."""

from collections.abc import Mapping

from chassis.command import Transaction
from chassis.states import Effect
from ledger import store as ledger_store
from services.settlement.account import store as account_store
from services.settlement.account.model import Kind
from services.settlement.bill_payment import model
from services.settlement.bill_payment.model import BillPayment, State


def pay(transaction: Transaction, payment: BillPayment) -> None:
    """Moves the money to the payee, whose account is opened where it has none. Raises LedgerRefused."""
    payee = account_store.ensure(transaction, payment.bank, payment.payee, payment.currency, Kind.CURRENT)
    ledger_store.post(transaction, model.pay_transfer(payment))
    account_store.tell(transaction, "account.credited", payee)


ENTERING: Mapping[State, Effect[BillPayment]] = {State.POSTED: pay}
