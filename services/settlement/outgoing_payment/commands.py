"""Preparing payments out, sending them, and giving their money back.

The roles see to it that two persons of two houses send one.
"""

import datetime
from dataclasses import replace

from aval.settlement.v1 import settlement_pb2

from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from chassis.errors import InvalidFields
from chassis.states import after, check_etag
from ledger import store as ledger_store
from services.settlement import errors
from services.settlement.account import store as account_store
from services.settlement.account.model import Kind
from services.settlement.outgoing_payment import model, rpc, store
from services.settlement.outgoing_payment.model import TRANSITIONS, OutgoingPayment, State, Verb
from services.settlement.outgoing_payment.store import OUTGOING_PAYMENTS
from trade.calendars import CHINA

EXPIRE_AT_ONCE = 100
EVENTS = {
    State.WITHDRAWN: "outgoing_payment.withdrawn",
    State.REJECTED: "outgoing_payment.rejected",
    State.EXPIRED: "outgoing_payment.expired",
}


def create(
    transaction: Transaction, request: settlement_pb2.CreateOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Prepares a payment out and holds its money. Raises NotFound, InvalidFields, InsufficientFunds."""
    account = account_store.current(transaction, request.payment.debit_account)
    payment = rpc.prepared(
        request.payment,
        account,
        identifier=transaction.ids.resource("payment"),
        uetr=str(transaction.ids.uuid4()),
        now_us=transaction.now_us,
        expire_us=model.expire_us(account.bank, transaction.now_us, transaction.business_date),
    )
    if problems := model.problems(payment, account.currency, transaction.business_date):
        raise InvalidFields(problems)
    nostro = account_store.own(transaction, account.bank, account.currency, Kind.NOSTRO)
    balance = ledger_store.accounts(transaction.connection, [account.id])[account.id]
    if balance.available_to_debit < payment.amount.minor_units:
        raise errors.InsufficientFunds(account=account.name)
    ledger_store.post(transaction, model.hold_transfer(payment, nostro.id))
    return rpc.to_proto(OUTGOING_PAYMENTS.add(transaction, payment, "outgoing_payment.prepared"))


def approve(
    transaction: Transaction, request: settlement_pb2.ApproveOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Posts what is held and writes the pacs.008.

    Raises NotFound, EtagMismatch, WrongState, OutgoingPaymentOver; InvalidFields where it was prepared when fewer
    rules counted and can't be sent: reject it.
    """
    payment = _decided_by_bank(transaction, request)
    sent = after(TRANSITIONS, payment, Verb.SEND)
    if payment.expire_us <= transaction.now_us:
        raise errors.OutgoingPaymentOver(payment=payment.name, expire_time=_told(payment.expire_us))
    if problems := model.problems(payment, payment.amount.currency, transaction.business_date):
        raise InvalidFields(problems)
    ledger_store.post(transaction, model.send_transfer(payment))
    message = model.message(payment, transaction.now_us, transaction.business_date)
    sent = replace(sent, message=message)
    return rpc.to_proto(OUTGOING_PAYMENTS.save(transaction, sent, "outgoing_payment.sent"))


def _told(time_us: int) -> str:
    return datetime.datetime.fromtimestamp(time_us // MICROSECONDS, CHINA).isoformat()


def withdraw(
    transaction: Transaction, request: settlement_pb2.WithdrawOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Takes a payment back for its exporter, before the bank has sent it. Raises NotFound, EtagMismatch, WrongState."""
    enterprise = transaction.caller.tenant
    payment = OUTGOING_PAYMENTS.own(transaction.connection, request.name, enterprise=enterprise)
    check_etag(request.etag, payment)
    return rpc.to_proto(_give_back(transaction, payment, Verb.WITHDRAW))


def reject(
    transaction: Transaction, request: settlement_pb2.RejectOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Refuses a payment for its bank, which says why. Raises NotFound, EtagMismatch, WrongState."""
    payment = replace(_decided_by_bank(transaction, request), reason=request.reason)
    return rpc.to_proto(_give_back(transaction, payment, Verb.REJECT))


def expire(transaction: Transaction) -> bool:
    """Gives back the money of those that nobody decided on in time, a batch at a time."""
    due = store.due(transaction.connection, transaction.now_us, EXPIRE_AT_ONCE)
    for payment in due:
        _give_back(transaction, payment, Verb.EXPIRE)
    return len(due) == EXPIRE_AT_ONCE


def _decided_by_bank(
    transaction: Transaction,
    request: settlement_pb2.ApproveOutgoingPaymentRequest | settlement_pb2.RejectOutgoingPaymentRequest,
) -> OutgoingPayment:
    """Returns the payment that the calling bank decides on, as it last saw it. Raises NotFound, EtagMismatch."""
    payment = OUTGOING_PAYMENTS.own(transaction.connection, request.name, bank=transaction.caller.tenant)
    check_etag(request.etag, payment)
    return payment


def _give_back(transaction: Transaction, payment: OutgoingPayment, verb: Verb) -> OutgoingPayment:
    returned = after(TRANSITIONS, payment, verb)
    ledger_store.post(transaction, model.return_transfer(payment))
    return OUTGOING_PAYMENTS.save(transaction, returned, EVENTS[returned.state])
