"""Opening the line of an undertaking in the ledger."""

from chassis.command import Transaction
from chassis.money import Money
from ledger import store as ledger_store
from services.credit_insurance import lines


def open_line(transaction: Transaction, undertaking: str, amount: Money) -> None:
    """Opens the line of a policy or buyer limit (its resource name) and books what was undertaken."""
    ledger_store.open_accounts(transaction.connection, lines.line_accounts(undertaking, amount.currency))
    ledger_store.post(transaction, lines.opening(undertaking, amount))
