"""The settlement service: its contract's methods and the functions behind them."""

import pathlib

import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2

from chassis.service import Command, Service
from ledger import store as ledger_store
from services.settlement.account import commands as account_commands
from services.settlement.account import reads as account_reads
from services.settlement.account.store import ACCOUNTS
from services.settlement.bill_payment import commands as bill_payment_commands
from services.settlement.bill_payment import saga as bill_payment_saga
from services.settlement.bill_payment import store as bill_payment_store
from services.settlement.bill_payment.store import BILL_PAYMENTS
from services.settlement.booking import commands as booking_commands
from services.settlement.explaining import EXPLAINING
from services.settlement.incoming_payment import commands as incoming_payment_commands
from services.settlement.incoming_payment import saga as incoming_payment_saga
from services.settlement.incoming_payment import store as incoming_payment_store
from services.settlement.incoming_payment.store import INCOMING_PAYMENTS
from services.settlement.notification.store import NOTIFICATIONS
from services.settlement.outgoing_payment import commands as outgoing_payment_commands
from services.settlement.outgoing_payment import store as outgoing_payment_store
from services.settlement.outgoing_payment.store import OUTGOING_PAYMENTS
from services.settlement.transfer import commands as transfer_commands
from services.settlement.transfer import reads as transfer_reads
from trade import tables as trade_tables
from trade.dated_tables import packaged as dated_tables_packaged
from trade.dated_tables import store as dated_tables_store

VERSIONS = str(pathlib.Path(__file__).parent / "versions")


# The nouns that tenants take part in.
PARTICIPATIONS = tuple(
    rows.participation for rows in (ACCOUNTS, INCOMING_PAYMENTS, OUTGOING_PAYMENTS, BILL_PAYMENTS, NOTIFICATIONS)
)


def _violations(connection: sa.Connection) -> list[str]:
    rooms = (
        ledger_store,
        dated_tables_store,
        incoming_payment_store,
        outgoing_payment_store,
        bill_payment_store,
        *PARTICIPATIONS,
        EXPLAINING,
    )
    return [violation for room in rooms for violation in room.violations(connection)]


SERVICE = Service(
    name="settlement",
    migrations=[ledger_store.MIGRATIONS, trade_tables.MIGRATIONS, VERSIONS],
    commands={
        "OpenAccount": Command(account_commands.open_),
        "AssignAccountNumbers": Command(account_commands.assign_numbers),
        "CreateTransfer": Command(run_batch=transfer_commands.create_batch, keeps_requests=False),
        "BatchCreateTransfers": Command(transfer_commands.create_many),
        "ImportPayment": Command(incoming_payment_commands.import_),
        "MatchIncomingPayment": Command(incoming_payment_commands.match),
        "CreditIncomingPayment": Command(incoming_payment_commands.credit),
        "ReturnIncomingPayment": Command(incoming_payment_commands.return_),
        "ApproveIncomingPayment": Command(incoming_payment_commands.approve),
        "RejectIncomingPayment": Command(incoming_payment_commands.reject),
        "CreateOutgoingPayment": Command(outgoing_payment_commands.create),
        "ApproveOutgoingPayment": Command(outgoing_payment_commands.approve),
        "WithdrawOutgoingPayment": Command(outgoing_payment_commands.withdraw),
        "RejectOutgoingPayment": Command(outgoing_payment_commands.reject),
        "PayBill": Command(bill_payment_commands.pay),
        "Disburse": Command(booking_commands.disburse, names=lambda request: [request.loan]),
        "CollectPremium": Command(booking_commands.collect_premium, names=lambda request: [request.covered_shipment]),
    },
    reads={
        "GetAccount": account_reads.get,
        "ListAccounts": ACCOUNTS.lists(settlement_pb2.ListAccountsResponse),
        "ListTransfers": transfer_reads.list_,
        "GetIncomingPayment": INCOMING_PAYMENTS.get,
        "ListIncomingPayments": INCOMING_PAYMENTS.lists(settlement_pb2.ListIncomingPaymentsResponse),
        "GetBillPayment": BILL_PAYMENTS.get,
        "ListBillPayments": BILL_PAYMENTS.lists(settlement_pb2.ListBillPaymentsResponse),
        "ListOutgoingPayments": OUTGOING_PAYMENTS.lists(settlement_pb2.ListOutgoingPaymentsResponse),
        "Explain": EXPLAINING.read,
        "ListNotifications": NOTIFICATIONS.lists(settlement_pb2.ListNotificationsResponse),
    },
    streams={"StreamTransfers": "BatchCreateTransfers"},
    sagas={saga.noun: saga for saga in (incoming_payment_saga.SAGA, bill_payment_saga.SAGA)},
    sweeps=[transfer_commands.expire, outgoing_payment_commands.expire],
    prepare=[ledger_store.initialise, dated_tables_packaged.prepare],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
)
