"""The loans service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Sequence

import sqlalchemy as sa
from aval.loans.v1 import loans_pb2

from chassis.service import Command, Service
from ledger import store as ledger_store
from services.loans.application import commands as application_commands
from services.loans.application.store import APPLICATIONS
from services.loans.breach import events as breach_events
from services.loans.explaining import EXPLAINING
from services.loans.loan import commands as loan_commands
from services.loans.loan import maturity as loan_maturity
from services.loans.loan import reads as loan_reads
from services.loans.loan import saga as loan_saga
from services.loans.loan import store as loan_store
from services.loans.loan.store import LOANS
from services.loans.offer import commands as offer_commands
from services.loans.offer import reads as offer_reads
from services.loans.offer.store import OFFERS
from services.loans.repayment import commands as repayment_commands
from trade import tables as trade_tables
from trade.dated_tables import packaged as dated_tables_packaged
from trade.dated_tables import store as dated_tables_store
from trade.deadlines import store as deadlines_store
from trade.deadlines import sweep as deadlines_sweep

VERSIONS = str(pathlib.Path(__file__).parent / "versions")


# The nouns that tenants take part in.
PARTICIPATIONS = tuple(rows.participation for rows in (APPLICATIONS, OFFERS, LOANS))


def _violations(connection: sa.Connection) -> Sequence[str]:
    rooms = (ledger_store, dated_tables_store, deadlines_store, loan_store, *PARTICIPATIONS, EXPLAINING)
    return [violation for room in rooms for violation in room.violations(connection)]


SERVICE = Service(
    name="loans",
    migrations=[ledger_store.MIGRATIONS, trade_tables.MIGRATIONS, VERSIONS],
    commands={
        "CreateApplication": Command(application_commands.create),
        "WithdrawApplication": Command(application_commands.withdraw),
        "CreateOffer": Command(offer_commands.create, names=lambda request: [request.offer.application]),
        "ApproveOffer": Command(offer_commands.approve),
        "ReturnOffer": Command(offer_commands.return_),
        "AcceptOffer": Command(offer_commands.accept),
        "SignLoan": Command(loan_commands.sign),
        "CreateRepayment": Command(
            repayment_commands.create, names=lambda request: [request.loan, request.repayment_id]
        ),
        "ConfirmRepayment": Command(repayment_commands.confirm, names=lambda request: [request.repayment_id]),
        "CancelRepayment": Command(repayment_commands.cancel, names=lambda request: [request.repayment_id]),
    },
    reads={
        "GetApplication": APPLICATIONS.get,
        "ListApplications": APPLICATIONS.lists(loans_pb2.ListApplicationsResponse),
        "GetOffer": OFFERS.get,
        "ListOffers": offer_reads.list_,
        "GetLoan": LOANS.get,
        "ListLoans": LOANS.lists(loans_pb2.ListLoansResponse),
        "GetPayoff": loan_reads.payoff,
        "Explain": EXPLAINING.read,
    },
    subscriptions={"declarations": breach_events.REACTIONS},
    sagas={saga.noun: saga for saga in (loan_saga.SAGA,)},
    sweeps=[offer_commands.expire, deadlines_sweep.sweeping({"loans": loan_maturity.move})],
    prepare=[ledger_store.initialise, dated_tables_packaged.prepare],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
)
