"""Preparing payments out, sending them, and giving their money back.

The roles see to it that two persons of two houses send one.
"""

import datetime
from dataclasses import replace

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound
from chassis.states import check_etag, moved
from ledger import store as ledger
from services.settlement import errors
from services.settlement.account import store as accounts
from services.settlement.account.model import Account, Kind
from services.settlement.outgoing_payment import model, rpc, store
from services.settlement.outgoing_payment.model import TRANSITIONS, OutgoingPayment, State, Verb
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
    """Holds the money. NotFound, InvalidFields, InsufficientFunds."""
    asked = request.payment
    account = accounts.find(transaction.connection, asked.debit_account)
    if account is None or account.owner != transaction.caller.tenant or account.kind is not Kind.CURRENT:
        raise NotFound(resource=asked.debit_account)
    payment = _payment(transaction, asked, account)
    if problems := model.problems(payment, account.currency, transaction.business_date):
        raise InvalidFields(problems)
    nostro = accounts.own(transaction, account.bank, account.currency, Kind.NOSTRO)
    balance = ledger.accounts(transaction.connection, [account.id])[account.id]
    if balance.available_to_debit < payment.amount.minor_units:
        raise errors.InsufficientFunds(account=account.name)
    ledger.post(transaction, model.hold_transfer(payment, nostro.id))
    store.add(transaction, payment)
    return rpc.to_proto(payment)


def _payment(transaction: Transaction, asked: settlement_pb2.OutgoingPayment, account: Account) -> OutgoingPayment:
    return OutgoingPayment(
        id=transaction.ids.resource("payment"),
        bank=account.bank,
        enterprise=account.owner,
        debit_account=account.id,
        amount=money.from_proto(asked.amount),
        creditor_name=asked.creditor_name,
        creditor_account=asked.creditor_account,
        creditor_agent_bic=asked.creditor_agent_bic,
        creditor_town=asked.creditor_town,
        creditor_country=asked.creditor_country,
        remittance_information=asked.remittance_information,
        uetr=str(transaction.ids.uuid4()),
        state=State.PENDING_APPROVAL,
        message=b"",
        create_us=transaction.now_us,
        revision=1,
        expire_us=model.expire_us(account.bank, transaction.now_us, transaction.business_date),
    )


def approve(
    transaction: Transaction, request: settlement_pb2.ApproveOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Posts what is held and writes the pacs.008.

    Raises NotFound, EtagMismatch, WrongState, OutgoingPaymentOver; InvalidFields where it was prepared when fewer
    rules counted and can't be sent: reject it.
    """
    payment = _of(transaction, request, "bank")
    state = moved(TRANSITIONS, payment, Verb.SEND)
    if payment.expire_us <= transaction.now_us:
        raise errors.OutgoingPaymentOver(payment=payment.name, expire_time=_told(payment.expire_us))
    if problems := model.problems(payment, payment.amount.currency, transaction.business_date):
        raise InvalidFields(problems)
    ledger.post(transaction, model.send_transfer(payment))
    message = model.message(payment, transaction.now_us, transaction.business_date)
    sent = replace(payment, state=state, message=message)
    return rpc.to_proto(store.save(transaction, sent, "outgoing_payment.sent"))


def _told(time_us: int) -> str:
    return datetime.datetime.fromtimestamp(time_us // MICROSECONDS, CHINA).isoformat()


def withdraw(
    transaction: Transaction, request: settlement_pb2.WithdrawOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """The exporter takes it back, before the bank has sent it. NotFound, EtagMismatch, WrongState."""
    return rpc.to_proto(_give_back(transaction, _of(transaction, request, "enterprise"), Verb.WITHDRAW))


def reject(
    transaction: Transaction, request: settlement_pb2.RejectOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """The bank won't send it, and says why. NotFound, EtagMismatch, WrongState."""
    payment = replace(_of(transaction, request, "bank"), reason=request.reason)
    return rpc.to_proto(_give_back(transaction, payment, Verb.REJECT))


def expire(transaction: Transaction) -> bool:
    """Gives back the money of those that nobody decided on in time, a batch at a time."""
    due = store.due(transaction.connection, transaction.now_us, EXPIRE_AT_ONCE)
    for payment in due:
        _give_back(transaction, payment, Verb.EXPIRE)
    return len(due) == EXPIRE_AT_ONCE


def _of(
    transaction: Transaction,
    request: settlement_pb2.ApproveOutgoingPaymentRequest
    | settlement_pb2.WithdrawOutgoingPaymentRequest
    | settlement_pb2.RejectOutgoingPaymentRequest,
    party: str,
) -> OutgoingPayment:
    """The payment a request names, if the caller is that party of it and knows its present state."""
    payment = store.load(transaction.connection, request.name)
    if payment is None or getattr(payment, party) != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, payment)
    return payment


def _give_back(transaction: Transaction, payment: OutgoingPayment, verb: Verb) -> OutgoingPayment:
    state = moved(TRANSITIONS, payment, verb)
    ledger.post(transaction, model.return_transfer(payment))
    return store.save(transaction, replace(payment, state=state), EVENTS[state])
