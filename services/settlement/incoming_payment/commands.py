"""Taking a payment in, and saying by hand what it is for."""

from dataclasses import replace

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NothingPrepared, Problem
from chassis.money import Money
from chassis.states import after, check_etag, moved
from services.settlement import errors, value_dates
from services.settlement.account import store as account_store
from services.settlement.account.model import Account, Kind
from services.settlement.incoming_payment import model, reactions, rpc, saga, store
from services.settlement.incoming_payment.division import Part
from services.settlement.incoming_payment.model import (
    OUTLETS,
    TRANSITIONS,
    IncomingPayment,
    Outlet,
    Resolution,
    Verb,
)
from services.settlement.incoming_payment.store import INCOMING_PAYMENTS
from services.settlement.messages import pacs008
from services.settlement.messages.pacs008 import CreditTransfer
from trade import approval, checks
from trade import value_dates as trade_value_dates
from trade.dated_tables import reads as dated_tables_reads

PATH = "Document/FIToFICstmrCdtTrf/CdtTrfTxInf"
UNKNOWN_ACCOUNT = Problem(
    f"{PATH}/CdtrAcct",
    "CREDITOR_ACCOUNT_UNKNOWN",
    "This bank keeps no current account of an exporter with this number; give its IBAN, this bank's own number, "
    "or the account's id.",
    "本行没有该号码的出口企业结算账户，请填写其 IBAN、本行账号或账户编号。",
)

ONE_OR_SEVERAL = Problem(
    "declaration",
    "DECLARATION_REQUIRED",
    "Name one declaration, or several in declarations.",
    "请填写一份报关单，或在 declarations 中填写多份。",
)


def import_(transaction: Transaction, request: settlement_pb2.ImportPaymentRequest) -> settlement_pb2.IncomingPayment:
    """Takes a pacs.008 that credits a customer of the calling bank. Raises InvalidFields, UetrKnown."""
    transfer, problems = pacs008.parse(request.content)
    if transfer is None:
        raise InvalidFields(problems)
    if problems := pacs008.addressed_elsewhere(transfer, transaction.caller.tenant.removeprefix("banks/")):
        raise InvalidFields(problems)
    account = _creditor(transaction, transfer)
    if store.is_taken(transaction.connection, account.bank, model.PACS_008, transfer.chain_id):
        raise errors.UetrKnown(uetr=transfer.chain_id)
    calendar = dated_tables_reads.calendar(transaction.connection, trade_value_dates.CALENDAR)
    if found := value_dates.problems(
        f"{PATH}/IntrBkSttlmDt", transfer.settlement_date, account.bank, transaction.business_date, calendar
    ):
        raise InvalidFields(found)
    payment = _payment(transaction, transfer, account)
    saga.receive(transaction, payment)
    if not payment.parts:
        payment = saga.move(transaction, payment, [reactions.park(payment, model.DECLARATION_MISSING)])
    return rpc.to_proto(payment, transaction.caller.tenant)


def _creditor(transaction: Transaction, transfer: CreditTransfer) -> Account:
    """Returns the exporter's account at the calling bank, in the payment's currency. Raises InvalidFields."""
    account = account_store.of_number(transaction.connection, transaction.caller.tenant, transfer.creditor_account)
    if account is None or account.kind is not Kind.CURRENT or not account.owner.startswith("enterprises/"):
        raise InvalidFields([UNKNOWN_ACCOUNT])
    if account.currency != transfer.currency_code:
        raise InvalidFields([checks.currency_differs(f"{PATH}/IntrBkSttlmAmt", account.currency, checks.ACCOUNT)])
    return account


def _payment(transaction: Transaction, transfer: CreditTransfer, account: Account) -> IncomingPayment:
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
        parts=tuple(Part(f"declarations/{number}") for number in transfer.declarations),
        value_date=transfer.settlement_date,
        create_us=transaction.now_us,
    )


def match(
    transaction: Transaction, request: settlement_pb2.MatchIncomingPaymentRequest
) -> settlement_pb2.IncomingPayment:
    """Names the declarations of a parked payment. What already counts for a declaration stays with it.

    That isn't asked for again, and needs no consent any more: a lender's part must not wait for the exporter's leave.
    """
    payment = _own(transaction, request.name, request.etag)
    state = moved(TRANSITIONS, payment, Verb.NAME)
    declarations = _named(request)
    if payment.is_applied and set(declarations) != set(payment.declarations):
        applied = ", ".join(payment.declarations)
        raise errors.OtherDeclarationApplied(payment=payment.name, declaration=applied)
    parts = model.named(payment, declarations)
    changed = replace(payment, state=state, parts=parts, reason="", resolution=None)
    return rpc.to_proto(saga.move(transaction, payment, reactions.onward(changed)), payment.bank)


def _own(transaction: Transaction, name: str, etag: str) -> IncomingPayment:
    """Returns a payment that the calling bank received. Raises NotFound for anyone else's, EtagMismatch."""
    payment = INCOMING_PAYMENTS.own(transaction.connection, name, bank=transaction.caller.tenant)
    check_etag(etag, payment)
    return payment


def _named(request: settlement_pb2.MatchIncomingPaymentRequest) -> list[str]:
    """Returns the declarations of a request, given in either of two fields. Raises InvalidFields for none and both."""
    if bool(request.declaration) == bool(request.declarations):
        raise InvalidFields([ONE_OR_SEVERAL])
    return [request.declaration] if request.declaration else list(request.declarations)


def credit(
    transaction: Transaction, request: settlement_pb2.CreditIncomingPaymentRequest
) -> settlement_pb2.IncomingPayment:
    """Prepares, by a maker, that money for no declaration goes to the account it is for."""
    return _prepare(transaction, request, Outlet.CREDIT)


def return_(
    transaction: Transaction, request: settlement_pb2.ReturnIncomingPaymentRequest
) -> settlement_pb2.IncomingPayment:
    """Prepares, by a maker, that money for no declaration goes back."""
    return _prepare(transaction, request, Outlet.RETURN)


def _prepare(
    transaction: Transaction,
    request: settlement_pb2.CreditIncomingPaymentRequest | settlement_pb2.ReturnIncomingPaymentRequest,
    outlet: Outlet,
) -> settlement_pb2.IncomingPayment:
    payment = _own(transaction, request.name, request.etag)
    state = moved(TRANSITIONS, payment, Verb.PREPARE)
    if payment.is_applied:
        raise errors.DeclarationApplied(payment=payment.name, declaration=", ".join(payment.declarations))
    resolution = Resolution(outlet, request.reason, transaction.caller.principal)
    prepared = replace(payment, state=state, resolution=resolution)
    return rpc.to_proto(INCOMING_PAYMENTS.save(transaction, prepared, "payment.resolution_prepared"), payment.bank)


def approve(
    transaction: Transaction, request: settlement_pb2.ApproveIncomingPaymentRequest
) -> settlement_pb2.IncomingPayment:
    """Approves what was prepared, by another person of the bank; the money leaves suspense. Raises SamePerson."""
    payment = _own(transaction, request.name, request.etag)
    resolution, checker = _prepared(payment), transaction.caller.principal
    approval.check_another(resolution.maker, checker)
    verb = OUTLETS[resolution.kind]
    decided = after(TRANSITIONS, payment, verb, resolution=replace(resolution, checker=checker))
    return rpc.to_proto(saga.move(transaction, payment, [decided]), payment.bank)


def reject(
    transaction: Transaction, request: settlement_pb2.RejectIncomingPaymentRequest
) -> settlement_pb2.IncomingPayment:
    """Drops what a maker prepared; a person decides anew."""
    payment = _own(transaction, request.name, request.etag)
    dropped = after(TRANSITIONS, payment, Verb.REJECT, resolution=None)
    _prepared(payment)
    return rpc.to_proto(INCOMING_PAYMENTS.save(transaction, dropped, "payment.resolution_rejected"), payment.bank)


def _prepared(payment: IncomingPayment) -> Resolution:
    if payment.resolution is None or payment.resolution.checker:
        raise NothingPrepared(resource=payment.name)
    return payment.resolution
