"""Claiming, releasing and confirming bills: settlement's calls. Said again, each answers the same."""

from dataclasses import replace

from aval.declarations.v1 import records_pb2

from chassis import records
from chassis.command import Transaction
from chassis.errors import NotFound, WrongState
from chassis.states import moved
from services.declarations.window import errors as window_errors
from services.declarations.window.bill import late_fees, rules, store, views
from services.declarations.window.bill.model import TRANSITIONS, Bill, State, Verb
from services.declarations.window.bill.store import bills
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record
from trade.derivations import store as derivation_store


def _find(transaction: Transaction, name: str) -> tuple[Bill, Record]:
    """Returns the bill with its record. Raises NotFound."""
    identifier = name.removeprefix("records/")
    bill = store.load(transaction.connection, [identifier]).get(identifier)
    if bill is None:
        raise NotFound(resource=name)
    return bill, records_store.newest(transaction.connection, [identifier])[identifier]


def claim(transaction: Transaction, request: records_pb2.ClaimBillRequest) -> records_pb2.Record:
    """Claims the bill for a payment, with the late fee as of today: whoever comes second is refused."""
    bill, record = _find(transaction, request.name)
    if bill.enterprise != request.enterprise:
        raise NotFound(resource=request.name)
    if (bill.state, bill.payment) == (State.PAYING, request.payment):
        return _view(transaction, record, bill)
    state = moved(TRANSITIONS, bill, Verb.CLAIM)
    if bill.amount.currency != request.currency_code:
        raise window_errors.BillCurrencyDiffers(bill=bill.name, currency=bill.amount.currency)
    today = transaction.business_date
    fee = late_fees.owed(transaction.connection, [(record, bill)], today).get(bill.id)
    owed = fee.amount if fee else bill.amount.zero()
    kind = records_pb2.Bill.Kind.Name(record.message.bill.kind)
    derivation_store.put(transaction, rules.BILL, [rules.late_fee(bill, kind, fee, today)])
    claimed = replace(bill, state=state, payment=request.payment, claim_date=today, late_fee=owed)
    return _save(transaction, record, claimed, "bill.claimed")


def release(transaction: Transaction, request: records_pb2.ReleaseBillRequest) -> records_pb2.Record:
    """Releases the bill: the payment couldn't be made."""
    bill, record = _find(transaction, request.name)
    if bill.payment != request.payment:
        return _view(transaction, record, bill)
    state = moved(TRANSITIONS, bill, Verb.RELEASE)
    return _save(
        transaction, record, replace(bill, state=state, payment="", claim_date=None, late_fee=None), "bill.released"
    )


def confirm(transaction: Transaction, request: records_pb2.ConfirmBillPaidRequest) -> records_pb2.Record:
    """Confirms that the bill is paid: the payment was made."""
    bill, record = _find(transaction, request.name)
    if bill.payment != request.payment:
        raise WrongState(resource=bill.name, state=bill.state.value)
    if (bill.state, bill.transfer) == (State.PAID, request.transfer):
        return _view(transaction, record, bill)
    state = moved(TRANSITIONS, bill, Verb.CONFIRM)
    return _save(transaction, record, replace(bill, state=state, transfer=request.transfer), "bill.paid")


def _view(transaction: Transaction, record: Record, bill: Bill) -> records_pb2.Record:
    return views.view(transaction.connection, record, bill, transaction.business_date, transaction.caller.language)


def _save(transaction: Transaction, record: Record, bill: Bill, event: str) -> records_pb2.Record:
    saved = records.update(transaction.connection, bills, bill)
    message = _view(transaction, record, saved)
    transaction.append(event, record.name, message, [bill.enterprise])
    return message
