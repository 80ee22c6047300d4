"""The tables of the loans service."""

import sqlalchemy as sa

from chassis import records
from chassis.records import TEXT
from services.loans.application.model import Application
from services.loans.loan.model import Loan
from services.loans.offer.model import Offer
from services.loans.repayment.model import Repayment
from trade.breach import Breach

metadata = sa.MetaData()

applications = records.table(
    "applications", Application, metadata, sa.Index("applications_enterprise", "enterprise", "id")
)

# Which banks an application asks.
asked_banks = sa.Table(
    "asked_banks",
    metadata,
    sa.Column("bank", TEXT, primary_key=True),
    sa.Column("application", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

offers = records.table(
    "offers",
    Offer,
    metadata,
    sa.Index("offers_bank", "bank", "id"),
    sa.Index("offers_enterprise", "enterprise", "id"),
    sa.Index("offers_application", "application", "id"),
    sa.Index("offers_due", "state", "expire_us"),
)

loans = records.table(
    "loans",
    Loan,
    metadata,
    sa.Index("loans_bank", "bank", "id"),
    sa.Index("loans_enterprise", "enterprise", "id"),
    sa.Index("loans_state", "state", "id"),
)

# What the register told of breaches that stand, each whole.
breaches = records.table("breaches", Breach, metadata, sa.Index("breaches_asset", "asset"), key="name")

# The id is the collector's; one that was cancelled before it came has no loan.
repayments = records.table("repayments", Repayment, metadata, sa.Index("repayments_loan", "loan", "value_date", "id"))
