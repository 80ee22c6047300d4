"""The loan that an accepted offer comes to, and the contract that the platform seals and its bank signs."""

from aval.loans.v1 import loans_pb2

from chassis import money, rpc
from services.loans.application.model import Application
from services.loans.loan.model import Item, Loan
from services.loans.offer.model import Offer


def contract(application: Application, offer: Offer, *, loan: str, principal: str, now_us: int) -> bytes:
    """Returns the contract of a loan (its resource name) that a principal accepted: a `LoanContract`, serialised.

    The same terms give the same bytes.
    """
    message = loans_pb2.LoanContract(
        loan=loan,
        bank=offer.bank,
        enterprise=offer.enterprise,
        declarations=sorted(application.declarations),
        principal=money.to_proto(offer.amount),
        fee=money.to_proto(offer.fee),
        annual_rate=rpc.decimal(offer.annual_rate),
        day_count_basis=offer.day_count_basis,
        day_count=offer.day_count,
        tenor_days=offer.tenor_days,
        accepted_by=principal,
    )
    message.accept_time.FromMicroseconds(now_us)
    return message.SerializeToString(deterministic=True)


def agreed(application: Application, offer: Offer, *, identifier: str, contract: bytes, seal: str, now_us: int) -> Loan:
    """Returns the loan of an accepted offer with its sealed contract: nothing is lent yet, it waits for its bank."""
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
        outstanding=offer.amount.zero(),
        interest_paid=offer.amount.zero(),
        contract=contract,
        seal=seal,
        create_us=now_us,
    )
