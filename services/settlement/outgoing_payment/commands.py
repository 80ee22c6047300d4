"""Preparing and sending payments out; the roles see to it that two persons of two houses do so."""

from dataclasses import replace

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import check_etag, moved
from ledger import store as ledger
from services.settlement import errors
from services.settlement.account import store as accounts
from services.settlement.account.model import Account, Kind
from services.settlement.messages import pacs008
from services.settlement.messages.iso20022 import is_bic
from services.settlement.outgoing_payment import model, rpc, store
from services.settlement.outgoing_payment.model import TRANSITIONS, OutgoingPayment, State, Verb


def create(
    transaction: Transaction, request: settlement_pb2.CreateOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Holds the money. NotFound, InvalidFields, InsufficientFunds."""
    asked = request.payment
    account = accounts.find(transaction.connection, asked.debit_account)
    if account is None or account.owner != transaction.caller.tenant or account.kind is not Kind.CURRENT:
        raise NotFound(resource=asked.debit_account)
    if problems := _problems(asked, account):
        raise InvalidFields(problems)
    payment = _payment(transaction, asked, account)
    nostro = accounts.own(transaction, account.bank, account.currency, Kind.NOSTRO)
    balance = ledger.accounts(transaction.connection, [account.id])[account.id]
    if balance.available_to_debit < payment.amount.minor_units:
        raise errors.InsufficientFunds(account=account.name)
    ledger.post(transaction, model.hold_transfer(payment, nostro.id))
    store.add(transaction, payment)
    return rpc.to_proto(payment)


def _problems(asked: settlement_pb2.OutgoingPayment, account: Account) -> list[Problem]:
    tests = (
        (asked.amount.currency_code == account.currency, "amount", "CURRENCY_DIFFERS",
         f"The account is in {account.currency}; pay in that currency.",
         f"账户币种为 {account.currency}，请使用该币种。"),
        (asked.amount.minor_units > 0, "amount", "AMOUNT_NOT_POSITIVE", "Give a positive amount.", "金额须为正数。"),
        (is_bic(asked.creditor_agent_bic), "creditor_agent_bic", "BIC_INVALID",
         "Give the BIC that ISO 9362 gives the creditor's bank.", "请填写收款行的有效 BIC。"),
    )  # fmt: skip
    return [
        Problem(f"payment.{field}", reason, english, chinese)
        for is_right, field, reason, english, chinese in tests
        if not is_right
    ]


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
    )


def approve(
    transaction: Transaction, request: settlement_pb2.ApproveOutgoingPaymentRequest
) -> settlement_pb2.OutgoingPayment:
    """Posts what is held and writes the pacs.008."""
    payment = store.load(transaction.connection, request.name)
    if payment is None or payment.bank != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, payment)
    state = moved(TRANSITIONS, payment, Verb.SEND)
    ledger.post(transaction, model.send_transfer(payment))
    message = pacs008.build(model.credit_transfer(payment, transaction.now_us))
    sent = replace(payment, state=state, message=message)
    return rpc.to_proto(store.save(transaction, sent, "outgoing_payment.sent"))
