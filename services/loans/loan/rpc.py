"""Loans on the wire, and the contract that a bank signs."""

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis import rpc as wire
from chassis.command import Transaction
from services.loans.application.model import Application
from services.loans.loan.model import Item, Loan, State
from services.loans.loan.payoff import Due
from services.loans.offer.model import Offer


def agreed(transaction: Transaction, application: Application, offer: Offer) -> Loan:
    """The loan of an accepted offer, its contract sealed."""
    identifier = transaction.ids.resource("loan")
    contract = _contract(transaction, f"loans/{identifier}", application, offer)
    return Loan(
        id=identifier,
        offer=offer.name,
        bank=offer.bank,
        enterprise=offer.enterprise,
        product=application.product,
        items=tuple(map(Item, sorted(application.declarations))),
        principal=offer.amount,
        fee=offer.fee,
        annual_rate=offer.annual_rate,
        day_count_basis=offer.day_count_basis,
        tenor_days=offer.tenor_days,
        start_date=None,
        maturity_date=None,
        outstanding=offer.amount.zero(),
        interest_paid=offer.amount.zero(),
        state=State.AGREED,
        cancellation_reason="",
        is_encumbered=False,
        contract=contract,
        seal=transaction.seal(contract),
        signature="",
        public_key="",
        revision=1,
        create_us=transaction.now_us,
    )


def _contract(transaction: Transaction, loan: str, application: Application, offer: Offer) -> bytes:
    """The bytes that the platform seals and the bank signs; the same again from the same terms."""
    message = loans_pb2.LoanContract(
        loan=loan,
        bank=offer.bank,
        enterprise=offer.enterprise,
        declarations=sorted(application.declarations),
        principal=money.to_proto(offer.amount),
        fee=money.to_proto(offer.fee),
        annual_rate=wire.decimal(offer.annual_rate),
        day_count_basis=offer.day_count_basis,
        tenor_days=offer.tenor_days,
        accepted_by=transaction.caller.principal,
    )
    message.accept_time.FromMicroseconds(transaction.now_us)
    return message.SerializeToString(deterministic=True)


def to_proto(loan: Loan) -> loans_pb2.Loan:
    """The wire form, for its bank and its borrower."""
    message = loans_pb2.Loan(
        name=loan.name,
        offer=loan.offer,
        bank=loan.bank,
        enterprise=loan.enterprise,
        declarations=[item.declaration for item in loan.items],
        principal=money.to_proto(loan.principal),
        fee=money.to_proto(loan.fee),
        annual_rate=wire.decimal(loan.annual_rate),
        day_count_basis=loan.day_count_basis,
        tenor_days=loan.tenor_days,
        outstanding=money.to_proto(loan.outstanding),
        interest_paid=money.to_proto(loan.interest_paid),
        state=loan.state.value,
        cancellation_reason=loan.cancellation_reason,
        encumbrance=f"encumbrances/{loan.encumbrance_id}" if loan.is_encumbered or loan.start_date else "",
        contract=loan.contract,
        seal=loan.seal,
        signature=loan.signature,
        etag=str(loan.revision),
    )
    message.create_time.FromMicroseconds(loan.create_us)
    if loan.start_date and loan.maturity_date:
        message.start_date.CopyFrom(wire.date(loan.start_date))
        message.maturity_date.CopyFrom(wire.date(loan.maturity_date))
    return message


def payoff_to_proto(due: Due) -> loans_pb2.Payoff:
    """What repays a loan in full."""
    return loans_pb2.Payoff(
        date=wire.date(due.day),
        principal=money.to_proto(due.principal),
        interest=money.to_proto(due.interest),
        total=money.to_proto(due.total),
        days=due.days,
        derivation=due.derivation,
    )
