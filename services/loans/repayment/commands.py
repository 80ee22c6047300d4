"""Fixing, confirming and cancelling repayments: settlement's calls."""

import dataclasses

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem, WrongState
from chassis.money import Money
from chassis.states import after
from ledger import store as ledger_store
from ledger.model import Kind
from services.loans import errors
from services.loans.loan import model as loan_model
from services.loans.loan import payoff
from services.loans.loan.model import Loan
from services.loans.loan.reads import day
from services.loans.loan.rules import RULES
from services.loans.loan.store import LOANS
from services.loans.repayment import model, parts, rpc, store
from services.loans.repayment.model import COUNTED, TRANSITIONS, Repayment, State, Verb
from services.loans.repayment.store import REPAYMENTS
from trade import value_dates
from trade.dated_tables import reads as dated_tables_reads
from trade.derivations import store as derivation_store
from trade.reservation import Reservations

# A partial repayment tells another event than the last one: who books on the type books once.
PARTLY_REPAID, REPAID = "loan.partly_repaid", "loan.repaid"
RESERVATIONS = Reservations(
    noun="repayment", given_back=State.CANCELLED, over=errors.RepaymentCancelled, taken=errors.RepaymentIdTaken
)
WRONG_AMOUNT = Problem(
    "amount",
    "AMOUNT_NOT_COLLECTABLE",
    "Give a positive amount in the loan's currency.",
    "金额须为正数，且与贷款币种一致。",
)

RESTORED_NOT_LEFT = Problem(
    "restored",
    "RESTORED_NOT_LEFT",
    "Give no more than the repayment left unsecured, in the loan's currency.",
    "金额不得为负，不得超过该笔还款后无担保的本金，且须与贷款币种一致。",
)


def create(transaction: Transaction, request: loans_pb2.CreateRepaymentRequest) -> loans_pb2.Repayment:
    """Fixes what of an amount repays a loan, and holds it.

    Raises RepaymentCancelled, RepaymentIdTaken, NotFound, WrongState, InvalidFields, NothingOwed.
    """
    if standing := REPAYMENTS.load(transaction.connection, request.repayment_id):
        return rpc.to_proto(_same(standing, request, transaction.caller.tenant))
    loan = _secured(transaction, request)
    if loan.state is not loan_model.State.ACTIVE:
        raise WrongState(resource=loan.name, state=loan.state.value)
    repayment = _fixed(transaction, loan, request)
    ledger_store.post(transaction, *model.hold_transfers(repayment, loan))
    return rpc.to_proto(REPAYMENTS.add(transaction, repayment))


def _secured(transaction: Transaction, request: loans_pb2.CreateRepaymentRequest) -> Loan:
    """Returns the loan, if caller and encumbrance are its own. Raises NotFound: a name alone moves nothing."""
    loan = _loan(transaction, request.loan)
    if loan.bank != transaction.caller.tenant or request.encumbrance != f"encumbrances/{loan.encumbrance_id}":
        raise NotFound(resource=request.loan)
    return loan


def _same(standing: Repayment, request: loans_pb2.CreateRepaymentRequest, bank: str) -> Repayment:
    """Returns the repayment that stands, if a request asks for it. Raises RepaymentCancelled, RepaymentIdTaken."""
    amount = money.from_proto(request.amount)
    return RESERVATIONS.same(standing, bank, loan=request.loan, payment=request.payment, asked=amount)


def _loan(transaction: Transaction, name: str) -> Loan:
    loan = LOANS.load(transaction.connection, name)
    if loan is None:
        raise NotFound(resource=name)
    return loan


def _fixed(transaction: Transaction, loan: Loan, request: loans_pb2.CreateRepaymentRequest) -> Repayment:
    """Returns what an amount repays beside the repayments whose money is still to move, and keeps how that came about.

    Raises as `create`.
    """
    asked = money.from_proto(request.amount)
    _check(transaction, loan, request)
    counted = store.of_loan(transaction.connection, loan.name, COUNTED)
    due = payoff.due(loan, counted, day(request), f"repayments/{request.repayment_id}")
    fixed = parts.parts(loan, due, counted, request)
    if not (fixed.interest.money or fixed.principal.money):
        raise errors.NothingOwed(loan=loan.name)
    repayment = Repayment(
        id=request.repayment_id,
        loan=loan.name,
        bank=loan.bank,
        payment=request.payment,
        asked=asked,
        interest=fixed.interest.money,
        principal=fixed.principal.money,
        unsecured=fixed.unsecured.money,
        taken_over=fixed.taken_over.money,
        value_date=due.day,
        create_us=transaction.now_us,
    )
    derivation_store.put(transaction, RULES, fixed.entries(repayment.name), are_first=True)
    return repayment


def _check(transaction: Transaction, loan: Loan, request: loans_pb2.CreateRepaymentRequest) -> None:
    """Raises InvalidFields unless amounts are positive, in the loan's currency, and from a day that isn't too late."""
    asked, currencies = money.from_proto(request.amount), {request.amount.currency_code, request.settled.currency_code}
    if request.HasField("settled_by_payment"):
        currencies.add(request.settled_by_payment.currency_code)
    problems = []
    if currencies != {loan.principal.currency} or asked.minor_units <= 0:
        problems.append(WRONG_AMOUNT)
    calendar = dated_tables_reads.calendar(transaction.connection, value_dates.CALENDAR)
    problems += value_dates.late("date", day(request), transaction.business_date, calendar)
    if problems:
        raise InvalidFields(problems)


def confirm(transaction: Transaction, request: loans_pb2.ConfirmRepaymentRequest) -> loans_pb2.Repayment:
    """Books a repayment whose money has moved, and how much of what it left unsecured was put back.

    Raises NotFound, WrongState, InvalidFields.
    """
    name, bank = f"repayments/{request.repayment_id}", transaction.caller.tenant
    repayment = REPAYMENTS.own(transaction.connection, name, bank=bank)
    if repayment.state is State.POSTED:
        return rpc.to_proto(repayment)
    posted = dataclasses.replace(after(TRANSITIONS, repayment, Verb.CONFIRM), restored=_restored(repayment, request))
    ledger_store.post(transaction, *model.closing_transfers(repayment, Kind.POST))
    posted = REPAYMENTS.save(transaction, posted)
    loan = _loan(transaction, repayment.loan)
    paid = dataclasses.replace(
        loan,
        outstanding=loan.outstanding - repayment.principal_part,
        interest_paid=loan.interest_paid + repayment.interest_part,
    )
    settled = _settled(transaction, paid)
    LOANS.save(transaction, settled, REPAID if settled.state is loan_model.State.REPAID else PARTLY_REPAID)
    return rpc.to_proto(posted)


def _restored(repayment: Repayment, request: loans_pb2.ConfirmRepaymentRequest) -> Money:
    """Returns how much the register put back: none where that isn't told. Raises InvalidFields if it is too much."""
    left = repayment.unsecured_part or repayment.interest_part.zero()
    if not request.HasField("restored"):
        return left.zero()
    restored = money.from_proto(request.restored)
    if restored.currency != left.currency or not left.zero() <= restored <= left:
        raise InvalidFields([RESTORED_NOT_LEFT])
    return restored


def _settled(transaction: Transaction, loan: Loan) -> Loan:
    """Returns the loan as REPAID once nothing is owed and no money is still to move; else as it is."""
    counted = store.of_loan(transaction.connection, loan.name, COUNTED)
    is_moving = any(repayment.state is State.PENDING for repayment in counted)
    if is_moving or payoff.due(loan, counted).total:
        return loan
    return after(loan_model.TRANSITIONS, loan, loan_model.Verb.REPAY)


def cancel(transaction: Transaction, request: loans_pb2.CancelRepaymentRequest) -> loans_pb2.Repayment:
    """Gives back a repayment whose money won't move; an unknown id leaves a tombstone. Raises NotFound, WrongState."""
    bank, identifier = transaction.caller.tenant, request.repayment_id
    standing = REPAYMENTS.load(transaction.connection, identifier)
    if standing is None:
        tombstone = Repayment(id=identifier, bank=bank, state=State.CANCELLED, create_us=transaction.now_us)
        return rpc.to_proto(REPAYMENTS.add(transaction, tombstone))
    if RESERVATIONS.is_given_back(standing, bank):
        return rpc.to_proto(standing)
    cancelled = after(TRANSITIONS, standing, Verb.CANCEL)
    ledger_store.post(transaction, *model.closing_transfers(standing, Kind.VOID))
    return rpc.to_proto(REPAYMENTS.save(transaction, cancelled))
