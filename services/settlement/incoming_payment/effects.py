"""The effects of a payment's states on the money and the notices."""

from collections.abc import Mapping

from chassis.command import Transaction
from chassis.states import Effect
from ledger import store as ledger_store
from services.settlement.account import store as account_store
from services.settlement.account.model import Account, Kind
from services.settlement.incoming_payment import model
from services.settlement.incoming_payment.model import IncomingPayment, State
from services.settlement.notification import store as notification_store
from services.settlement.notification.model import Credit


def receive(transaction: Transaction, payment: IncomingPayment) -> None:
    """Books the money that came in to suspense: it is the bank's to hand on."""
    for kind in (Kind.NOSTRO, Kind.SUSPENSE):
        account_store.own(transaction, payment.bank, payment.amount.currency, kind)
    ledger_store.post(transaction, model.receive_transfer(payment))


def sweep(transaction: Transaction, payment: IncomingPayment) -> None:
    """Books the money out of suspense, whole, to lenders and exporter, who are told."""
    _open_for_lenders(transaction, payment)
    ledger_store.post(transaction, *model.sweep_transfers(payment))
    for account, _ in _credited(transaction, payment):
        account_store.tell(transaction, "account.credited", account)


def _open_for_lenders(transaction: Transaction, payment: IncomingPayment) -> None:
    currency = payment.amount.currency
    for bank in (collection.bank for collection in payment.collections):
        for kind in (Kind.NOSTRO, Kind.LENDING, Kind.INCOME):
            account_store.own(transaction, bank, currency, kind)
        if bank != payment.bank:
            account_store.ensure(transaction, payment.bank, bank, currency, Kind.CURRENT)


def _credited(transaction: Transaction, payment: IncomingPayment) -> list[tuple[Account, Credit]]:
    """Returns the customers' accounts that the sweep credited: the exporter's, and other lenders'."""
    credits_ = [
        Credit(model.lender_account(payment, collection), collection.amount, "repayment", collection.encumbrance)
        for collection in payment.collections
        if collection.amount and collection.bank != payment.bank
    ]
    if payment.remainder:
        credits_.append(Credit(payment.creditor_account, payment.remainder, "remainder"))
    return _with_accounts(transaction, credits_)


def _with_accounts(transaction: Transaction, credits_: list[Credit]) -> list[tuple[Account, Credit]]:
    known = account_store.load(transaction.connection, [credit.account for credit in credits_])
    return [(known[credit.account], credit) for credit in credits_]


def complete(transaction: Transaction, payment: IncomingPayment) -> None:
    """Sends those whose accounts were credited their notices."""
    for account, credit in _credited(transaction, payment):
        notification_store.add(transaction, account, credit, payment)


def credit(transaction: Transaction, payment: IncomingPayment) -> None:
    """Books the whole payment to the account it is for, whose owner gets a notice."""
    ledger_store.post(transaction, model.credit_transfer(payment))
    whole = Credit(payment.creditor_account, payment.amount, "credit")
    for account, part in _with_accounts(transaction, [whole]):
        account_store.tell(transaction, "account.credited", account)
        notification_store.add(transaction, account, part, payment)


def return_(transaction: Transaction, payment: IncomingPayment) -> None:
    """Books the whole payment back out of the nostro."""
    ledger_store.post(transaction, model.return_transfer(payment))


ENTERING: Mapping[State, Effect[IncomingPayment]] = {
    State.SWEPT: sweep,
    State.COMPLETED: complete,
    State.CREDITED: credit,
    State.RETURNED: return_,
}
