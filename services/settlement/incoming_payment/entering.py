"""What entering a state does to the money and the notices."""

from collections.abc import Callable, Mapping

from chassis.command import Transaction
from ledger import store as ledger
from services.settlement.account import store as accounts
from services.settlement.account.model import Account, Kind
from services.settlement.incoming_payment import model
from services.settlement.incoming_payment.model import IncomingPayment, State
from services.settlement.notification import store as notifications
from services.settlement.notification.model import Credit


def receive(transaction: Transaction, payment: IncomingPayment) -> None:
    """The money is the bank's to hand on, in suspense."""
    for kind in (Kind.NOSTRO, Kind.SUSPENSE):
        accounts.own(transaction, payment.bank, payment.amount.currency, kind)
    ledger.post(transaction, model.receive_transfer(payment))


def sweep(transaction: Transaction, payment: IncomingPayment) -> None:
    """The money leaves suspense, whole."""
    _open_for_lenders(transaction, payment)
    ledger.post(transaction, *model.sweep_transfers(payment))
    for account, _ in _credited(transaction, payment):
        accounts.tell(transaction, "account.credited", account)


def _open_for_lenders(transaction: Transaction, payment: IncomingPayment) -> None:
    currency = payment.amount.currency
    for one in payment.collections:
        for kind in (Kind.NOSTRO, Kind.LENDING, Kind.INCOME):
            accounts.own(transaction, one.bank, currency, kind)
        if one.bank != payment.bank:
            accounts.ensure(transaction, payment.bank, one.bank, currency, Kind.CURRENT)


def _credited(transaction: Transaction, payment: IncomingPayment) -> list[tuple[Account, Credit]]:
    """Customers' accounts that the sweep credited: the exporter's, and other lenders'."""
    credits_ = [
        Credit(model.lender_account(payment, one), one.amount, "repayment", one.encumbrance)
        for one in payment.collections
        if one.amount and one.bank != payment.bank
    ]
    if payment.remainder:
        credits_.append(Credit(payment.creditor_account, payment.remainder, "remainder"))
    return _with_accounts(transaction, credits_)


def _with_accounts(transaction: Transaction, credits_: list[Credit]) -> list[tuple[Account, Credit]]:
    known = accounts.load(transaction.connection, [credit.account for credit in credits_])
    return [(known[credit.account], credit) for credit in credits_]


def complete(transaction: Transaction, payment: IncomingPayment) -> None:
    """Those whose accounts were credited get their notices."""
    for account, credit in _credited(transaction, payment):
        notifications.add(transaction, account, credit, payment)


def credit(transaction: Transaction, payment: IncomingPayment) -> None:
    """The whole payment goes to the account it is for, whose owner gets a notice."""
    ledger.post(transaction, model.credit_transfer(payment))
    whole = Credit(payment.creditor_account, payment.amount, "credit")
    for account, part in _with_accounts(transaction, [whole]):
        accounts.tell(transaction, "account.credited", account)
        notifications.add(transaction, account, part, payment)


def return_(transaction: Transaction, payment: IncomingPayment) -> None:
    """The whole payment goes back out of the nostro."""
    ledger.post(transaction, model.return_transfer(payment))


ENTERING: Mapping[State, Callable[[Transaction, IncomingPayment], None]] = {
    State.SWEPT: sweep,
    State.COMPLETED: complete,
    State.CREDITED: credit,
    State.RETURNED: return_,
}
