"""Fixing, confirming and cancelling repayments: settlement's calls."""

import dataclasses
from collections.abc import Sequence

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem, WrongState
from chassis.money import Money, total
from chassis.states import moved
from ledger import store as ledger
from ledger.model import Kind
from services.loans import errors, products
from services.loans.loan import model as loan_model
from services.loans.loan import payoff
from services.loans.loan import store as loans
from services.loans.loan.model import Loan
from services.loans.loan.reads import day
from services.loans.products import Component
from services.loans.repayment import model, rpc, store
from services.loans.repayment.model import COUNTED, TRANSITIONS, Repayment, State, Verb
from trade import value_dates
from trade.calendars import day_in_china

# A partial repayment tells another event than the last one: who books on the type books once.
PARTLY_REPAID, REPAID = "loan.partly_repaid", "loan.repaid"
WRONG_AMOUNT = Problem(
    "amount",
    "AMOUNT_NOT_COLLECTABLE",
    "Give a positive amount in the loan's currency.",
    "金额须为正数，且与贷款币种一致。",
)


def create(transaction: Transaction, request: loans_pb2.CreateRepaymentRequest) -> loans_pb2.Repayment:
    """Fixes what of the amount repays the loan, and holds it."""
    if known := store.load(transaction.connection, request.repayment_id):
        return rpc.to_proto(_same(known, request))
    loan = _secured(transaction, request)
    if loan.state is not loan_model.State.ACTIVE:
        raise WrongState(resource=loan.name, state=loan.state.value)
    repayment = _fixed(transaction, loan, request)
    ledger.post(transaction, *model.hold_transfers(repayment, loan))
    store.add(transaction, repayment)
    return rpc.to_proto(repayment)


def _secured(transaction: Transaction, request: loans_pb2.CreateRepaymentRequest) -> Loan:
    """The loan, if the caller is its bank and the encumbrance its own. Raises NotFound: a name alone moves nothing."""
    loan = _loan(transaction, request.loan)
    if loan.bank != transaction.caller.tenant or request.encumbrance != f"encumbrances/{loan.encumbrance_id}":
        raise NotFound(resource=request.loan)
    return loan


def _same(known: Repayment, request: loans_pb2.CreateRepaymentRequest) -> Repayment:
    """The one that stands, if it is the same; a cancelled one refuses to come back."""
    if known.state is State.CANCELLED:
        raise errors.RepaymentCancelled(repayment=known.name)
    asked = (request.loan, request.payment, money.from_proto(request.amount))
    if asked != (known.loan, known.payment, known.asked):
        raise errors.RepaymentIdTaken(repayment=known.name)
    return known


def _loan(transaction: Transaction, name: str) -> Loan:
    loan = loans.load(transaction.connection, name)
    if loan is None:
        raise NotFound(resource=name)
    return loan


def _fixed(transaction: Transaction, loan: Loan, request: loans_pb2.CreateRepaymentRequest) -> Repayment:
    """What the amount pays, beside the repayments whose money is still to move."""
    asked = money.from_proto(request.amount)
    _check(transaction, loan, request)
    counted = store.of_loan(transaction.connection, loan.name, COUNTED)
    due = payoff.due(loan, counted, day(request))
    payable = min(due.principal, _to_repay(loan, counted, request))
    order = products.product(loan.product, day_in_china(loan.create_us)).waterfall
    parts = model.waterfall(asked, {Component.INTEREST: due.interest, Component.PRINCIPAL: payable}, order)
    if not any(parts.values()):
        raise errors.NothingOwed(loan=loan.name)
    return Repayment(
        id=request.repayment_id,
        loan=loan.name,
        bank=loan.bank,
        payment=request.payment,
        asked=asked,
        interest=parts[Component.INTEREST],
        principal=parts[Component.PRINCIPAL],
        unsecured=payable - parts[Component.PRINCIPAL],
        value_date=due.day,
        state=State.PENDING,
        revision=1,
        create_us=transaction.now_us,
    )


def _to_repay(loan: Loan, counted: Sequence[Repayment], request: loans_pb2.CreateRepaymentRequest) -> Money:
    """The principal that the receipt is to repay, beside the repayments that count."""
    currency, settled = loan.principal.currency, money.from_proto(request.settled)
    repaid = total([one.principal_part for one in counted], currency)
    interest = total([one.interest_part for one in counted], currency)
    own = max(settled - repaid, repaid.zero())
    if request.HasField("settled_by_payment"):
        own = money.from_proto(request.settled_by_payment)
    return model.to_repay(own, settled, repaid, interest)


def _check(transaction: Transaction, loan: Loan, request: loans_pb2.CreateRepaymentRequest) -> None:
    """Positive amounts of the loan's currency, not from a future beyond the next working day. InvalidFields."""
    asked, currencies = money.from_proto(request.amount), {request.amount.currency_code, request.settled.currency_code}
    if request.HasField("settled_by_payment"):
        currencies.add(request.settled_by_payment.currency_code)
    problems = []
    if currencies != {loan.principal.currency} or asked.minor_units <= 0:
        problems.append(WRONG_AMOUNT)
    problems += value_dates.late("date", day(request), transaction.business_date)
    if problems:
        raise InvalidFields(problems)


def confirm(transaction: Transaction, request: loans_pb2.ConfirmRepaymentRequest) -> loans_pb2.Repayment:
    """The money has moved."""
    repayment = store.load(transaction.connection, request.repayment_id)
    if repayment is None or repayment.bank != transaction.caller.tenant:
        raise NotFound(resource=f"repayments/{request.repayment_id}")
    if repayment.state is State.POSTED:
        return rpc.to_proto(repayment)
    posted = dataclasses.replace(repayment, state=moved(TRANSITIONS, repayment, Verb.CONFIRM))
    ledger.post(transaction, *model.closing_transfers(repayment, Kind.POST))
    posted = store.save(transaction, posted)
    loan = _loan(transaction, repayment.loan)
    paid = dataclasses.replace(
        loan,
        outstanding=loan.outstanding - repayment.principal_part,
        interest_paid=loan.interest_paid + repayment.interest_part,
    )
    after = _settled(transaction, paid)
    loans.save(transaction, after, REPAID if after.state is loan_model.State.REPAID else PARTLY_REPAID)
    return rpc.to_proto(posted)


def _settled(transaction: Transaction, loan: Loan) -> Loan:
    """REPAID once nothing is owed and no money is still to move."""
    counted = store.of_loan(transaction.connection, loan.name, COUNTED)
    is_moving = any(repayment.state is State.PENDING for repayment in counted)
    if is_moving or payoff.due(loan, counted).total:
        return loan
    return dataclasses.replace(loan, state=moved(loan_model.TRANSITIONS, loan, loan_model.Verb.REPAY))


def cancel(transaction: Transaction, request: loans_pb2.CancelRepaymentRequest) -> loans_pb2.Repayment:
    """The money will not move; an unknown id leaves a tombstone."""
    repayment = store.load(transaction.connection, request.repayment_id)
    if repayment is None:
        return _tombstone(transaction, request.repayment_id)
    if repayment.bank != transaction.caller.tenant:
        raise NotFound(resource=repayment.name)
    if repayment.state is State.CANCELLED:
        return rpc.to_proto(repayment)
    cancelled = dataclasses.replace(repayment, state=moved(TRANSITIONS, repayment, Verb.CANCEL))
    ledger.post(transaction, *model.closing_transfers(repayment, Kind.VOID))
    return rpc.to_proto(store.save(transaction, cancelled))


def _tombstone(transaction: Transaction, identifier: str) -> loans_pb2.Repayment:
    """Refuses a repayment that comes after its own cancellation."""
    tombstone = Repayment(
        id=identifier,
        loan="",
        bank=transaction.caller.tenant,
        payment="",
        asked=None,
        interest=None,
        principal=None,
        value_date=None,
        state=State.CANCELLED,
        revision=1,
        create_us=transaction.now_us,
    )
    store.add(transaction, tombstone)
    return rpc.to_proto(tombstone)
