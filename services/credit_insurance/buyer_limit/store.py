"""The buyer limits' rows, seen with what the ledger says is available."""

from collections.abc import Sequence

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis.rows import Rows
from ledger import store as ledger_store
from services.credit_insurance import lines
from services.credit_insurance.buyer_limit import rpc
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.tables import buyer_limits

Message = credit_insurance_pb2.BuyerLimit


def views(connection: sa.Connection, limits: Sequence[BuyerLimit], _viewer: str) -> list[Message]:
    """Returns the wire forms of limits."""
    accounts = ledger_store.accounts(connection, [lines.line_id(limit.name) for limit in limits])
    return [rpc.to_proto(limit, accounts) for limit in limits]


BUYER_LIMITS = Rows(
    table=buyer_limits,
    record=BuyerLimit,
    prefix="buyerLimits/",
    views=views,
)
