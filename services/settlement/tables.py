"""The tables of the settlement service."""

import sqlalchemy as sa

from chassis import records
from services.settlement.account.model import Account
from services.settlement.bill_payment.model import BillPayment
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.notification.model import Notification
from services.settlement.outgoing_payment.model import OutgoingPayment

metadata = sa.MetaData()

accounts = records.table(
    "accounts",
    Account,
    metadata,
    sa.Index("accounts_owner", "owner", "id"),
    sa.Index("accounts_bank", "bank", "id"),
    # A bank's numbers name one account each.
    *(
        sa.Index(f"accounts_{column}", "bank", column, unique=True, sqlite_where=is_given, postgresql_where=is_given)
        for column in ("iban", "account_number")
        for is_given in (sa.text(f"{column} <> ''"),)
    ),
)

# A payment chain counts once for each bank that takes part, and by each type of message.
incoming_payments = records.table(
    "incoming_payments",
    IncomingPayment,
    metadata,
    sa.Index("incoming_payments_uetr", "bank", "message_type", "uetr", unique=True),
    sa.Index("incoming_payments_state", "state"),
)

outgoing_payments = records.table(
    "outgoing_payments",
    OutgoingPayment,
    metadata,
    sa.Index("outgoing_payments_due", "state", "expire_us"),
)

notifications = records.table(
    "notifications",
    Notification,
    metadata,
)

bill_payments = records.table(
    "bill_payments",
    BillPayment,
    metadata,
    sa.Index("bill_payments_state", "state"),
)
