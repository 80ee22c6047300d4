"""The tables of the loans service."""

import sqlalchemy as sa

from chassis import records
from services.loans.application.model import Application
from services.loans.loan.model import Loan
from services.loans.offer.model import Offer
from services.loans.repayment.model import Repayment
from trade.breach import Breach

metadata = sa.MetaData()

applications = records.table("applications", Application, metadata)

offers = records.table(
    "offers",
    Offer,
    metadata,
    sa.Index("offers_application", "application", "id"),
    sa.Index("offers_due", "state", "expire_us"),
)

loans = records.table(
    "loans",
    Loan,
    metadata,
    sa.Index("loans_state", "state", "id"),
)

# What the register told of breaches that stand, each whole.
breaches = records.table("breaches", Breach, metadata, sa.Index("breaches_asset", "asset"), key="name")

# The id is the collector's; one that was cancelled before it came has no loan.
repayments = records.table("repayments", Repayment, metadata, sa.Index("repayments_loan", "loan", "value_date", "id"))
