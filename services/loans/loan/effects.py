"""The effects of a loan's states on the ledger."""

from collections.abc import Mapping

from chassis.command import Transaction
from chassis.states import Effect
from ledger import store as ledger_store
from services.loans.loan import books
from services.loans.loan.model import Loan, State


def disburse(transaction: Transaction, loan: Loan) -> None:
    """Books the principal as outstanding, on accounts opened for it. Raises LedgerRefused."""
    ledger_store.open_accounts(transaction.connection, books.opening_accounts(loan))
    ledger_store.post(transaction, books.disbursement(loan))


ENTERING: Mapping[State, Effect[Loan]] = {State.ACTIVE: disburse}
