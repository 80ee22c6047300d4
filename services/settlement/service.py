"""The settlement service: its contract's methods and the functions behind them."""

import pathlib

import sqlalchemy as sa

import ledger
from chassis.service import Command, Service
from ledger import store as ledger_store
from services.settlement.account import commands as account
from services.settlement.account import reads as account_reads
from services.settlement.account import store as account_store
from services.settlement.bill_payment import commands as bill_payment
from services.settlement.bill_payment import reads as bill_payment_reads
from services.settlement.bill_payment import saga as bill_payment_saga
from services.settlement.bill_payment import store as bill_payment_store
from services.settlement.booking import commands as booking
from services.settlement.incoming_payment import commands as incoming
from services.settlement.incoming_payment import reads as incoming_reads
from services.settlement.incoming_payment import saga as incoming_saga
from services.settlement.incoming_payment import store as incoming_store
from services.settlement.notification import reads as notification_reads
from services.settlement.notification import store as notification_store
from services.settlement.outgoing_payment import commands as outgoing
from services.settlement.outgoing_payment import reads as outgoing_reads
from services.settlement.outgoing_payment import store as outgoing_store
from services.settlement.transfer import commands as transfer
from services.settlement.transfer import reads as transfer_reads

LEDGER_VERSIONS = str(pathlib.Path(ledger.__file__).parent / "versions")
VERSIONS = str(pathlib.Path(__file__).parent / "versions")
# The nouns that tenants take part in.
PARTICIPATIONS = (
    account_store.ACCOUNTS,
    incoming_store.INCOMING_PAYMENTS,
    outgoing_store.OUTGOING_PAYMENTS,
    bill_payment_store.BILL_PAYMENTS,
    notification_store.NOTIFICATIONS,
)


def _violations(connection: sa.Connection) -> list[str]:
    rooms = (ledger_store, incoming_store, outgoing_store, bill_payment_store, *PARTICIPATIONS)
    return [violation for room in rooms for violation in room.violations(connection)]


SERVICE = Service(
    name="settlement",
    migrations=[LEDGER_VERSIONS, VERSIONS],
    commands={
        "OpenAccount": Command(account.open_),
        "AssignAccountNumbers": Command(account.assign_numbers, names=lambda request: [request.name]),
        "CreateTransfer": Command(run_batch=transfer.create_batch, keeps_requests=False),
        "BatchCreateTransfers": Command(transfer.create_many),
        "ImportPayment": Command(incoming.import_),
        "MatchIncomingPayment": Command(incoming.match, names=lambda request: [request.name]),
        "CreditIncomingPayment": Command(incoming.credit, names=lambda request: [request.name]),
        "ReturnIncomingPayment": Command(incoming.return_, names=lambda request: [request.name]),
        "ApproveIncomingPayment": Command(incoming.approve, names=lambda request: [request.name]),
        "RejectIncomingPayment": Command(incoming.reject, names=lambda request: [request.name]),
        "CreateOutgoingPayment": Command(outgoing.create),
        "ApproveOutgoingPayment": Command(outgoing.approve, names=lambda request: [request.name]),
        "WithdrawOutgoingPayment": Command(outgoing.withdraw, names=lambda request: [request.name]),
        "RejectOutgoingPayment": Command(outgoing.reject, names=lambda request: [request.name]),
        "PayBill": Command(bill_payment.pay),
        "Disburse": Command(booking.disburse, names=lambda request: [request.loan]),
        "CollectPremium": Command(booking.collect_premium, names=lambda request: [request.covered_shipment]),
    },
    reads={
        "GetAccount": account_reads.get,
        "ListAccounts": account_reads.list_,
        "ListTransfers": transfer_reads.list_,
        "GetIncomingPayment": incoming_reads.get,
        "ListIncomingPayments": incoming_reads.list_,
        "GetBillPayment": bill_payment_reads.get,
        "ListBillPayments": bill_payment_reads.list_,
        "ListOutgoingPayments": outgoing_reads.list_,
        "ListNotifications": notification_reads.list_,
    },
    streams={"StreamTransfers": "BatchCreateTransfers"},
    sagas={saga.noun: saga for saga in (incoming_saga.SAGA, bill_payment_saga.SAGA)},
    sweeps=[transfer.expire, outgoing.expire],
    prepare=[ledger_store.initialise],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
)
