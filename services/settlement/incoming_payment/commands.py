"""Taking a payment in, and saying by hand what it is for."""

from dataclasses import replace

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.money import Money
from chassis.states import check_etag, moved
from services.settlement import errors
from services.settlement.account import store as accounts
from services.settlement.account.model import Account, Kind
from services.settlement.incoming_payment import model, reactions, rpc, store
from services.settlement.incoming_payment.model import TRANSITIONS, IncomingPayment, State, Verb
from services.settlement.messages import pacs008
from services.settlement.messages.pacs008 import CreditTransfer

PATH = "Document/FIToFICstmrCdtTrf/CdtTrfTxInf"
UNKNOWN_ACCOUNT = Problem(
    f"{PATH}/CdtrAcct",
    "CREDITOR_ACCOUNT_UNKNOWN",
    "This bank keeps no current account of an exporter with this number; give its IBAN, this bank's own number, "
    "or the account's id.",
    "本行没有该号码的出口企业结算账户，请填写其 IBAN、本行账号或账户编号。",
)


def import_(transaction: Transaction, request: settlement_pb2.ImportPaymentRequest) -> settlement_pb2.IncomingPayment:
    """A pacs.008 that credits a customer of the calling bank. InvalidFields, UetrKnown."""
    transfer, problems = pacs008.parse(request.content)
    if transfer is None:
        raise InvalidFields(problems)
    if problems := pacs008.addressed_elsewhere(transfer, transaction.caller.tenant.removeprefix("banks/")):
        raise InvalidFields(problems)
    account = _creditor(transaction, transfer)
    if store.is_known(transaction.connection, transfer.chain_id):
        raise errors.UetrKnown(uetr=transfer.chain_id)
    payment = store.add(transaction, _payment(transaction, transfer, account))
    if not payment.declaration:
        reason = model.declaration_in(_texts(transfer))[1]
        payment = store.save(transaction, reactions.park(payment, reason))
    return rpc.to_proto(payment)


def _creditor(transaction: Transaction, transfer: CreditTransfer) -> Account:
    """The exporter's account, of the calling bank and in the payment's currency. InvalidFields."""
    account = accounts.of_number(transaction.connection, transaction.caller.tenant, transfer.creditor_account)
    if account is None or account.kind is not Kind.CURRENT or not account.owner.startswith("enterprises/"):
        raise InvalidFields([UNKNOWN_ACCOUNT])
    if account.currency != transfer.currency_code:
        english = f"The account is in {account.currency}, the payment in {transfer.currency_code}."
        chinese = f"账户币种为 {account.currency}，付款币种为 {transfer.currency_code}。"
        raise InvalidFields([Problem(f"{PATH}/IntrBkSttlmAmt", "CURRENCY_DIFFERS", english, chinese)])
    return account


def _texts(transfer: CreditTransfer) -> tuple[str, ...]:
    return transfer.declarations


def _payment(transaction: Transaction, transfer: CreditTransfer, account: Account) -> IncomingPayment:
    declaration, _ = model.declaration_in(_texts(transfer))
    return IncomingPayment(
        id=transaction.ids.resource("payment"),
        bank=account.bank,
        uetr=transfer.chain_id,
        end_to_end_id=transfer.end_to_end_id,
        amount=Money(transfer.currency_code, transfer.minor_units),
        debtor_name=transfer.debtor_name,
        creditor_account=account.id,
        enterprise=account.owner,
        remittance_information=transfer.remittance_information,
        remittance_documents=transfer.remittance_documents,
        declaration=declaration,
        is_applied=False,
        state=State.RECEIVED,
        collections=(),
        remainder=None,
        reason="",
        value_date=transfer.settlement_date,
        create_us=transaction.now_us,
        revision=1,
    )


def match(
    transaction: Transaction, request: settlement_pb2.MatchIncomingPaymentRequest
) -> settlement_pb2.IncomingPayment:
    """Names the declaration of a parked payment. One that already counts for a declaration stays with it."""
    payment = store.load(transaction.connection, request.name)
    if payment is None or payment.bank != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, payment)
    state = moved(TRANSITIONS, payment, Verb.NAME)
    if payment.is_applied and payment.declaration != request.declaration:
        raise errors.OtherDeclarationApplied(payment=payment.name, declaration=payment.declaration)
    named = replace(payment, state=state, declaration=request.declaration, reason="")
    return rpc.to_proto(store.save(transaction, named))
