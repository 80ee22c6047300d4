"""The loans service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Sequence

import sqlalchemy as sa

import ledger
from chassis.service import Command, Service
from ledger import store as ledger_store
from services.loans.application import commands as application
from services.loans.application import reads as application_reads
from services.loans.application import store as application_store
from services.loans.loan import commands as loan
from services.loans.loan import reads as loan_reads
from services.loans.loan import saga as loan_saga
from services.loans.loan import store as loan_store
from services.loans.offer import commands as offer
from services.loans.offer import reads as offer_reads
from services.loans.offer import store as offer_store
from services.loans.repayment import commands as repayment

LEDGER_VERSIONS = str(pathlib.Path(ledger.__file__).parent / "versions")
VERSIONS = str(pathlib.Path(__file__).parent / "versions")
# The nouns that tenants take part in.
PARTICIPATIONS = (application_store.APPLICATIONS, offer_store.OFFERS, loan_store.LOANS)


def _violations(connection: sa.Connection) -> Sequence[str]:
    rooms = (ledger_store, loan_store, *PARTICIPATIONS)
    return [violation for room in rooms for violation in room.violations(connection)]


SERVICE = Service(
    name="loans",
    migrations=[LEDGER_VERSIONS, VERSIONS],
    commands={
        "CreateApplication": Command(application.create),
        "WithdrawApplication": Command(application.withdraw, names=lambda request: [request.name]),
        "CreateOffer": Command(offer.create, names=lambda request: [request.offer.application]),
        "ApproveOffer": Command(offer.approve, names=lambda request: [request.name]),
        "ReturnOffer": Command(offer.return_, names=lambda request: [request.name]),
        "AcceptOffer": Command(offer.accept, names=lambda request: [request.name]),
        "SignLoan": Command(loan.sign, names=lambda request: [request.name]),
        "CreateRepayment": Command(repayment.create, names=lambda request: [request.loan, request.repayment_id]),
        "ConfirmRepayment": Command(repayment.confirm, names=lambda request: [request.repayment_id]),
        "CancelRepayment": Command(repayment.cancel, names=lambda request: [request.repayment_id]),
    },
    reads={
        "GetApplication": application_reads.get,
        "ListApplications": application_reads.list_,
        "GetOffer": offer_reads.get,
        "ListOffers": offer_reads.list_,
        "GetLoan": loan_reads.get,
        "ListLoans": loan_reads.list_,
        "GetPayoff": loan_reads.payoff,
    },
    sagas={saga.noun: saga for saga in (loan_saga.SAGA,)},
    sweeps=[offer.expire],
    prepare=[ledger_store.initialise],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
)
